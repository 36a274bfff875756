import ChatTemplates
import JSON
import Testing

@Suite struct `Errors of chat templates` {
  private func failure(of source: String) -> ChatTemplateError? {
    do {
      _ = try ChatTemplate(source: source).render(messages: [ChatMessage(role: "user", content: "Q")])
      return nil
    } catch {
      return error
    }
  }

  @Test(arguments: [
    ("\n{% include 'x' %}", 2, "the statement 'include' is not supported"),
    ("{% extends 'x' %}", 1, "the statement 'extends' is not supported"),
    ("{% block x %}{% endblock %}", 1, "the statement 'block' is not supported"),
    ("{% import 'x' as y %}", 1, "the statement 'import' is not supported"),
    ("{% from 'x' import y %}", 1, "the statement 'from' is not supported"),
    ("{% autoescape true %}{% endautoescape %}", 1, "the statement 'autoescape' is not supported"),
    ("a\nb{% for x in y recursive %}{% endfor %}", 2, "recursive loops are not supported"),
    ("{{ x|random }}", 1, "the filter 'random' is not supported"),
    ("{{ x|wordwrap }}", 1, "the filter 'wordwrap' is not supported"),
    ("{{ x[1:2, 3] }}", 1, "slices in several dimensions are not supported"),
    ("{{ '\\N{BULLET}' }}", 1, "escapes of characters by name (\\N{…}) are not supported"),
    ("\n\n{{ 'x'.encode('utf-8') }}", 3, "'encode' of a string is not supported"),
    ("{{ 'x'|map('upper') }}", 1, "printing an iterator is not supported; turn it into a list or call it"),
    ("{{ strftime_now('%Q') }}", 1, "the date format '%Q' is not supported"),
  ]) func `name what is not supported, and its line`(source: String, line: Int, message: String) {
    let error = failure(of: source)
    #expect(error?.kind == .unsupported)
    #expect(error?.line == line)
    #expect(error?.message == message)
  }

  @Test(arguments: [
    (
      "{% if x %}\n\n", 2,
      "the template ends inside 'if' of line 1, expected '{% elif %}' or '{% else %}' or '{% endif %}'"
    ),
    ("a\n{{ 1 + }}", 2, "found '}}', expected an expression"),
    ("{% for x y %}", 1, "found 'y', expected 'in'"),
    (
      "\n{% if x %}{% endfor %}", 2,
      "unknown statement 'endfor', expected 'elif' or 'else' or 'endif' for 'if' of line 2"
    ),
    ("{{ (1] }}", 1, "unexpected ']', expected ')'"),
    ("{{ x|nope }}", 1, "there is no filter 'nope'"),
    ("{# x", 1, "the comment is not closed, expected '#}'"),
    ("{{ 99999999999999999999 }}", 1, "the integer 99999999999999999999 does not fit 64 bits"),
  ]) func `say what was found and what was expected`(source: String, line: Int, message: String) {
    let error = failure(of: source)
    #expect(error?.kind == .syntax)
    #expect(error?.line == line)
    #expect(error?.message == message)
  }

  @Test(arguments: [
    ("\n{{ messages[0].nope.x }}", 2, "a dict has no element 'nope'"),
    ("{{ x + 1 }}", 1, "'x' is undefined, found in '+'"),
    ("{{ 1 + 'a' }}", 1, "'+' does not apply to an int and a string"),
    ("{% macro m(a) %}\n{{ a.b }}{% endmacro %}\n{{ m() }}", 2, "parameter 'a' was not provided"),
    ("{{ nope() }}", 1, "'nope' is undefined, so it cannot be called"),
    ("{% set a, b = 1, 2, 3 %}", 1, "cannot unpack 3 values into 2 names"),
    ("{{ 'a'|join(x=1) }}", 1, "the filter 'join' takes no argument 'x'"),
  ]) func `name the line where rendering failed`(source: String, line: Int, message: String) {
    let error = failure(of: source)
    #expect(error?.kind == .evaluation)
    #expect(error?.line == line)
    #expect(error?.message == message)
    #expect(error?.description == "chat template line \(line): \(message)")
  }

  @Test func `carry the template's own message when it refuses its input`() {
    let error = failure(
      of: "x\n{{ raise_exception('Only ' ~ 1 + 1) if false else raise_exception('Roles must alternate') }}")
    #expect(error?.kind == .raised)
    #expect(error?.message == "Roles must alternate")
    #expect(error?.line == 2)
  }
}

@Suite struct `Chat messages` {
  @Test func `keep every field of their JSON in order`() throws {
    let json: JSONValue = ["role": "assistant", "tool_calls": [["id": "a"]], "content": nil]
    let message = try ChatMessage(json: json)
    #expect(message.role == "assistant")
    #expect(message.content == nil)
    #expect(message.fields.keys == ["role", "tool_calls", "content"])
    let template = try ChatTemplate(source: "{{ messages | tojson }}")
    #expect(
      try template.render(messages: [message])
        == #"[{"role": "assistant", "tool_calls": [{"id": "a"}], "content": null}]"#)
  }

  @Test(arguments: [[] as JSONValue, "x", [:], ["content": "x"], ["role": 1]])
  func `without a role are refused`(json: JSONValue) {
    #expect(throws: ChatTemplateError.self) { try ChatMessage(json: json) }
  }

  @Test func `see the variables that the caller adds over the usual ones`() throws {
    let template = try ChatTemplate(
      source: "{{ tools is none }}{{ documents }}{{ add_generation_prompt }}{{ bos_token }}{{ x is defined }}")
    #expect(try template.render(messages: []) == "TrueNoneTrueFalse")
    #expect(
      try template.render(messages: [], tools: [], addGenerationPrompt: false, context: ["bos_token": "<s>", "x": nil])
        == "FalseNoneFalse<s>True")
  }
}
