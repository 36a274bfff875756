import Foundation
import LoadTesting
import Presentation
import Report
import TestSupport
import Testing
import Tuning

@Suite struct ReportTests {
  private static let hostile = [
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "' onload='x", "</svg><svg onload=x>", "{{title}}",
    "{{{summary}}}", "a|b\nc", "# h", "[x](javascript:alert(1))", "&lt;b&gt;", "</pre></style>", "`a` *b* _c_ $d$",
    "\u{0}\u{1B}[31m", "🧪 ü 漢字", "-->", "",
  ]

  /// A comparison whose every text is `text`.
  private static func comparison(_ text: String) -> [String: Any] {
    func figures(_ factor: Double) -> [String: Any] {
      let latencies = [ServingMetric.ttft, .tpot, .e2el].map {
        ServingFixture.latency(
          $0, mean: 5 * factor, percentiles: ["90": 8 * factor, "99": 9 * factor],
          distribution: (0...100).map { Double($0) / 10 * factor })
      }
      let speculation = ServingFixture.speculation(
        drafts: 100, draftTokens: 400, accepted: 240, rates: [0.9, 0.7, 0.5, 0.3])
      return (latencies + [speculation]).reduce(ServingFixture.figures(outputThroughput: 500 / factor)) {
        $0.merging($1) { $1 }
      }
    }
    func result(_ factor: Double) -> [String: Any] {
      ServingFixture.result(
        [
          "label": text, "model_id": text, "base_url": text, "server_version": text, "dataset": text,
          "max_concurrency": 4, "metadata": ["note": text],
          "served": ["weights": text, "speculation": text, "draft": text, "processor": text],
        ], figures: figures(factor), categories: [text: figures(factor)])
    }
    let difference: [String: Any] = [
      "request": 1, "category": text, "prompt": text, "position": 10, "a": text, "b": text,
    ]
    return ServingFixture.comparison(
      a: result(1), b: result(1.5), ratio: ["ratio": 1.5, "lower": 1.4, "upper": 1.6], pairs: 50,
      outputs: ["compared": 50, "equal": 49, "first_difference": difference], categories: [text])
  }

  private static func serving(_ text: String) throws -> Data {
    try ServingFixture.data(#require(comparison(text)["a"] as? [String: Any]))
  }

  private static func report(_ text: String, title: String? = nil) throws -> Report {
    var input = ReportInput()
    try input.add(ServingFixture.data(comparison(text)), name: "comparison.json")
    try input.add(serving(text), name: "serving.json")
    try input.add(TuningFixture.result(text: text).encoded(), name: "tuning.json")
    input.price = Price(dollarsPerHour: 1, instance: text, source: text)
    return Report(input, title: title ?? text, createdAt: Date(timeIntervalSince1970: 0))
  }

  @Test("hostile texts add no markup to the page", arguments: hostile.filter { !$0.isEmpty })
  func escaping(text: String) throws {
    let benign = try Self.report("benign").html()
    let html = try Self.report(text).html()
    // Every '<' and every quote that opens an attribute is the template's own.
    #expect(html.count { $0 == "<" } == benign.count { $0 == "<" })
    #expect(html.count { $0 == "\"" } == benign.count { $0 == "\"" })
    #expect(!html.contains("<script") && !html.contains("onerror=alert(1)>"))
  }

  @Test("random texts add no markup either")
  func fuzz() throws {
    let benign = try Self.report("benign").html().count { $0 == "<" }
    var random = SeededGenerator(seed: 9)
    let alphabet = Array("<>&\"'{}#/^!=|\n\\`[]()-*_~$ab\u{0}\u{202E}é")
    for _ in 0..<60 {
      let text = String(
        (0..<Int.random(in: 1...40, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? "a" })
      #expect(try Self.report(text).html().count { $0 == "<" } == benign, "\(text.debugDescription)")
    }
  }

  @Test("the page loads nothing from elsewhere")
  func selfContained() throws {
    let html = try Self.report("text").html()
    for reference in ["src=", "href=", "url(", "@import", "http-equiv=\"refresh\""] {
      #expect(!html.contains(reference))
    }
    #expect(html.contains("prefers-color-scheme: dark") && html.contains("@media print"))
    #expect(html.contains("<svg") && html.contains("role=\"img\"") && html.contains("lang=\"en\""))
  }

  @Test("in Markdown hostile texts neither break a table nor add markup", arguments: hostile)
  func markdown(text: String) throws {
    let lines = try Self.report(text, title: "t").markdown().split(separator: "\n", omittingEmptySubsequences: false)
    func columns(_ line: Substring) -> Int { line.replacing("\\|", with: "").count { $0 == "|" } }
    var previous: Int?
    for line in lines {
      if line.hasPrefix("|") {
        if let previous { #expect(columns(line) == previous, "\(line)") }
        previous = columns(line)
      } else {
        previous = nil
      }
    }
    let prose = lines.filter { !$0.hasPrefix("    ") }.joined(separator: "\n")
    #expect(!prose.contains("<script") && !prose.replacing("\\]", with: "").contains("](javascript"))
  }

  @Test("on a terminal hostile texts are shown, not obeyed", arguments: hostile)
  func terminal(text: String) throws {
    let plain = TextStyle(for: .nullDevice)
    for scalar in try Self.report(text).terminal(style: plain).unicodeScalars where scalar.value < 32 {
      #expect(scalar == "\n")
    }
  }

  @Test("all forms say what the results say")
  func contents() throws {
    let report = try Self.report("side")
    for text in [try report.html(), try report.markdown(), report.terminal(style: TextStyle(for: .nullDevice))] {
      for fact in [
        "side (side), speculation by side with side, on side", "1.50×", "49 of 50", "Speedup by kind of prompt",
        "Latency", "Acceptance by position", "Cost and memory",
      ] {
        #expect(text.contains(fact), "\(fact)")
      }
    }
    #expect(try report.html().contains("What a pass costs"))
  }

  @Test("the first paragraph is of the models and the machine, and parts that explain are folded")
  func order() throws {
    let html = try Self.report("side").html()
    let about = try #require(html.range(of: "<p class=\"about\">"))
    let first = try #require(html.range(of: "<p class=\"lead\">"))
    #expect(about.lowerBound < first.lowerBound)
    let folded = html.split(separator: "<details class=\"part\">").dropFirst().map { $0.prefix(80) }
    for heading in ["Cost and memory", "How it was measured"] {
      #expect(folded.contains { $0.contains(heading) }, "\(heading)")
    }
  }

  @Test(
    "files that no command wrote are refused with what was expected",
    arguments: [
      "", "[]", "7", "{}", "nonsense", #"{"overall": {}, "a": {}, "b": {}}"#, #"{"schema": 1}"#,
      #"{"output_throughput": "x"}"#,
    ])
  func refusals(json: String) {
    var input = ReportInput()
    #expect {
      try input.add(Data(json.utf8), name: "file.json")
    } throws: {
      "\($0)".contains("file.json")
    }
    #expect(input.isEmpty)
  }

  @Test(
    "counts and rates that no measurement gives are refused or drawn, and never a trap",
    arguments: [
      "9223372036854775807", "-9223372036854775808", "9223372036854775808", "1e19", "1e300", "1e13", "-1", "0",
    ])
  func absurdNumbers(value: String) throws {
    let names = [
      "completed", "failed", "total_input_tokens", "total_output_tokens", "duration", "request_throughput",
      "spec_decode_num_drafts", "spec_decode_draft_tokens", "spec_decode_accepted_tokens", "count_ttft",
      "mean_ttft_ms", "max_concurrent_requests", "output_throughput", "spec_decode_per_position_acceptance_rates",
      "distribution_ttft_ms", "num_prompts",
    ]
    let whole = String(decoding: try Self.serving("text"), as: UTF8.self)
    var changed = 0
    for name in names {
      guard let key = whole.range(of: "\"\(name)\":") else { continue }
      let rest = whole[key.upperBound...]
      let end =
        rest.first == "["
        ? rest.firstIndex(of: "]").map { rest.index(after: $0) } : rest.firstIndex { ",}".contains($0) }
      let list = rest.first == "["
      let text = whole[..<key.upperBound] + (list ? "[\(value), 0.5]" : value) + whole[(end ?? rest.endIndex)...]
      changed += 1
      var input = ReportInput()
      do { try input.add(Data(text.utf8), name: "r.json") } catch {
        #expect("\(error)".contains("r.json"))
        continue
      }
      let (html, markdown) = (try Report(input).html(), try Report(input).markdown())
      #expect(!html.isEmpty && !markdown.isEmpty)
    }
    #expect(changed > 8)
  }

  @Test("extreme figures are drawn without leaving the chart", arguments: [0.0, 1e-300, 1e300, -5])
  func extremes(value: Double) throws {
    var result = TuningFixture.result()
    result.passTimes[0].points[0].seconds = value
    result.acceptance[0].byPosition = [value, value]
    result.entries[1].measuredSpeedup = .init(estimate: value, lower: value, upper: value)
    var input = ReportInput()
    try input.add(result.encoded(), name: "t.json")
    let html = try Report(input).html()
    #expect(!html.contains("nan") && !html.contains("inf\""))
  }
}
