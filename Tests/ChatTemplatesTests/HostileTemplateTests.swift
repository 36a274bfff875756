import ChatTemplates
import Foundation
import JSON
import TestSupport
import Testing

@Suite struct `Hostile chat templates` {
  /// Renders with no variables but `list`, on a thread with the smallest stack in use (512 KiB, as on macOS).
  private func failure(of source: String, limits: TemplateLimits = .init()) -> ChatTemplateError? {
    let outcome = OnSmallStack<ChatTemplateError?>(initial: nil)
    outcome.run {
      do throws(ChatTemplateError) {
        _ = try ChatTemplate(source: source).render(variables: ["list": [1, 2, 3]], limits: limits)
        return nil
      } catch {
        return error
      }
    }
    return outcome.value
  }

  @Test(arguments: [
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% macro m(f) %}{{ f(f) }}{% endmacro %}{{ m(m) }}",
    "{% macro m() %}{% if list %}{% for x in list %}{{ [m()]|join }}{% endfor %}{% endif %}{% endmacro %}{{ m() }}",
    "{% macro a() %}{% call b() %}{{ a() }}{% endcall %}{% endmacro %}{% macro b() %}{{ caller() }}{% endmacro %}{{ a() }}",
    "{{ 'x' * 99999999999 }}", "{{ [0] * 99999999 }}", "{{ range(10 ** 9) }}", "{{ 'a'.center(10 ** 12) }}",
    "{{ 'a'.zfill(10 ** 12) }}", "{{ '%999999999s' % 'a' }}", "{{ '%.99999f' % 1.0 }}",
    "{{ '{:>99999999999}'.format(1) }}",
    "{{ 'a'|indent(99999999999) }}", "{{ 'abc'.replace('', 'x' * 9999999) }}", "{{ list|tojson(indent=99999999) }}",
    "{% set n = namespace(s='x') %}{% for i in range(60) %}{% set n.s = n.s + n.s %}{% endfor %}{{ n.s|length }}",
    "{% set n = namespace(s=[1]) %}{% for i in range(60) %}{% set n.s = n.s + n.s %}{% endfor %}",
    "{% set n = namespace(s=[1]) %}{% for i in range(150) %}{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s }}",
    "{% set n = namespace(s=[1]) %}{% for i in range(150) %}{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s == n.s }}",
    "{% set n = namespace(s=[1]) %}{% for i in range(150) %}{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s|tojson }}",
    "{% set n = namespace(s=(1,)) %}{% for i in range(150) %}{% set n.s = (n.s, n.s) %}{% endfor %}{{ {n.s: 1} }}",
    "{% set n = namespace(s=[1]) %}{% for i in range(9999) %}{% set n.s = [n.s] %}{% endfor %}",
    "{% set n = namespace(s={}) %}{% for i in range(9999) %}{% set n.s = {'a': n.s} %}{% endfor %}",
    "{% set n = namespace(s=[1]) %}{% for i in range(9999) %}{% set n.s = n.s|map('string') %}{% set n.s = [n.s]|reverse %}{% endfor %}",
    "{% set n = namespace() %}{% set n.self = n %}{{ n }}",
    "{% set n = namespace(s='x' * 9999999) %}{% for i in range(9999) %}{% set n.t = n.s ~ 'y' %}{% endfor %}",
    "{% set s = 'a' * 9999999 %}{% set t = 'a' * 999999 ~ 'b' %}{% for i in range(9999) %}{{ s.find(t) }}{% endfor %}",
    "{% set s = 'ab' * 999999 %}{% for i in range(9999) %}{{ s.split('a')|length }}{% endfor %}",
    "{% set s = range(99999)|list %}{% for i in range(9999) %}{{ s|sort|length }}{% endfor %}",
    "{% for i in range(99999) %}{{ 'x' * 9999 }}{% endfor %}",
    "{{ 2 ** 99999999 }}", "{{ 10 ** 400 }}", "{{ 9223372036854775807 + 1 }}", "{{ 9223372036854775807 * 2 }}",
    "{{ (-9223372036854775807 - 1) // -1 }}", "{{ -(-9223372036854775807 - 1) }}",
    "{{ (-9223372036854775807 - 1)|abs }}",
    "{{ 99999999999999999999 }}", "{{ 10.0 ** 9999 }}", "{{ '99999999999999999999'|int }}", "{{ 1e300|int }}",
    "{{ range(-9223372036854775807, 9223372036854775807) }}",
  ]) func `end in an error and neither hang nor crash`(source: String) {
    #expect(failure(of: source) != nil)
  }

  @Test(
    arguments: [
      "'a'.center(N)", "'a'.ljust(N)", "'a'.rjust(N)", "'a'.zfill(N)", "'-a'.zfill(N)", "'%*d' % (N, 1)",
      "'%.*f' % (N, 1.5)", "'%*s' % (N, 'a')", "'%c' % N", "'%x' % N", "'%d' % N", "'{:d}'.format(N)",
      "'{:,}'.format(N)", "'a'[N]", "'abc'[N:]", "'abc'[:N]", "'abc'[::N]", "list[N]", "list[N:N:N]", "list|batch(N)",
      "list|slice(N)", "'a'|truncate(N)", "'a'|truncate(5, leeway=N)", "'a'|indent(N)", "'a'|center(N)",
      "'a b'.split(' ', N)", "'a'.find('a', N)", "'a'.find('a', 0, N)", "'a'.replace('a', 'b', N)", "N|round(N)",
      "1.5|round(N)", "N|abs", "N|string", "N|int", "N|float", "N|filesizeformat", "range(N)", "range(0, N)",
      "range(0, 10, N)", "list|tojson(N)", "'abc'|wordwrap(N)", "N % -1", "N // -1", "-N", "N - 1", "N * N", "N ** 2",
      "2 ** N", "[1] * N", "'a' * N", "(1,) * N", "list.index(1, N)", "list.index(1, 0, N)", "list.count(N)",
      "'abc'.startswith('a', N)", "'abc'.count('a', N, N)",
    ]) func `take numbers at the ends of 64 bits`(expression: String)
  {
    for number in ["(-9223372036854775807 - 1)", "-9223372036854775807", "9223372036854775807", "-4294967297"] {
      // Whatever comes of it, it is a text or an error.
      let source = "{{ " + expression.replacingOccurrences(of: "N", with: number) + " }}"
      if let failure = failure(of: source) { #expect(!failure.description.isEmpty) }
    }
  }

  @Test(arguments: [
    ("{{ ", "(", "1", ")", " }}"), ("{{ ", "[", "1", "]", " }}"), ("{{ ", "{1:", "1", "}", " }}"),
    ("{{ ", "f(", "1", ")", " }}"), ("{{ ", "x[", "1", "]", " }}"), ("{{ ", "x|first(a=", "1", ")", " }}"),
    ("{{ ", "-", "1", "", " }}"),
    ("{{ ", "not ", "1", "", " }}"), ("{{ ", "a if b else ", "c", "", " }}"), ("{{ 1", " if 1", "", "", " }}"),
    ("{{ 1 ", "is eq [1 ", "", "]", " }}"), ("{% set ", "(", "a", ")", " = 1 %}"),
    ("", "{% if a %}", "", "{% endif %}", ""),
    ("", "{% for x in y %}", "", "{% endfor %}", ""), ("", "{% macro m() %}", "", "{% endmacro %}", ""),
  ]) func `nested too deep are refused when parsed`(
    start: String, opening: String, middle: String, closing: String, end: String
  ) {
    func source(_ count: Int) -> String {
      start + String(repeating: opening, count: count) + middle + String(repeating: closing, count: count) + end
    }
    let kind = failure(of: source(20000))?.kind
    #expect(kind == .limit)
    let isRefused = failure(of: source(10))?.kind == .limit
    #expect(!isRefused)
  }

  @Test(arguments: [
    ("{{ 0", " + 1", " }}"), ("{{ 'a'", " ~ 'b'", " }}"), ("{{ 1", " < 2 > 1", " }}"), ("{{ 0", " or 0", " }}"),
    ("{{ list", "|list", " }}"), ("{{ 'a'", ".strip()", " }}"), ("", "{% if list %}{% endif %}", ""),
    ("{% if 0 %}", "{% elif 0 %}", "{% endif %}"), ("", "{{ 1 }}", ""), ("", "{% set a = 1 %}", "{{ a }}"),
  ]) func `that are long but flat render`(start: String, piece: String, end: String) {
    let error = failure(of: start + String(repeating: piece, count: 20000) + end)
    #expect(error == nil)
  }

  @Test func `cannot change what later renderings see`() throws {
    let template = try ChatTemplate(source: "{% set n = namespace(c=n.c + 1 if n is defined else 0) %}{{ n.c }}")
    #expect(try template.render(messages: []) == "0")
    #expect(try template.render(messages: []) == "0")
  }

  @Test func `survive thousands of random mutations`() throws {
    let folder = TemplateReferences.folder.appendingPathComponent("sources")
    var seeds = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
      .map { try String(contentsOf: folder.appendingPathComponent($0), encoding: .utf8) }
    let golden = try TemplateReferences.json("snippets.json")
    seeds += try #require(golden["snippets"]?.array).compactMap { $0["source"]?.string }
    var variables = try TemplateReferences.variables(golden["variables"])
    let conversations = try #require(TemplateReferences.json("renderings.json")["conversations"])
    variables["messages"] = conversations["tool call"]
    variables["bos_token"] = "<s>"
    var limits = TemplateLimits()
    limits.steps = 100_000
    limits.outputBytes = 1 << 18
    var random = Mutator(seed: 2)
    var rendered = 0
    for _ in 0..<4000 {
      let seed = seeds.randomElement(using: &random.generator) ?? ""
      let bytes = random.mutated(Array(seed.utf8), among: "{}%#-+|.,()[]'\"\\=<>~*/ 0123abxifn\n")
      let source = String(decoding: bytes, as: UTF8.self)
      if (try? ChatTemplate(source: source).render(variables: variables, limits: limits)) != nil { rendered += 1 }
    }
    #expect(rendered > 0)
  }
}

/// Runs work on a thread of its own with a small stack, and waits for it.
private final class OnSmallStack<Value>: @unchecked Sendable {
  // Written by the thread before it signals, read after the wait.
  var value: Value

  init(initial: Value) { value = initial }

  func run(_ work: @escaping @Sendable () -> Value) {
    let done = DispatchSemaphore(value: 0)
    let thread = Thread {
      self.value = work()
      done.signal()
    }
    thread.stackSize = 512 << 10
    thread.start()
    done.wait()
  }
}
