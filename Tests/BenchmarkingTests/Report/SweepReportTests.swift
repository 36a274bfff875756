import Foundation
import LoadTesting
import Presentation
import Report
import TestSupport
import Testing

/// One page from the results of a sweep.
@Suite struct SweepReportTests {
  struct Case {
    var draft = "Qwen/Qwen3-1.7B"
    var window = 3
    var speedup = 1.0
    var spread = 0.02
    var workload = "aws-trainium2"
    var counted = true
    var equal = 64
  }

  /// What `foretoken compare` writes for a candidate.
  private static func result(_ one: Case) throws -> Data {
    func side(_ factor: Double, speculates: Bool) -> [String: Any] {
      var parts = [ServingMetric.ttft, .tpot, .itl].map {
        ServingFixture.latency($0, mean: 40 / factor, percentiles: ["90": 50])
      }
      if speculates, one.counted {
        parts.append(ServingFixture.speculation(drafts: 100, draftTokens: 100 * one.window, accepted: 150))
      }
      parts.append(["tokens_per_step_estimate": speculates ? 2.25 : 1])
      let figures = ServingFixture.figures(outputThroughput: 100 * factor, completed: 64)
      return ServingFixture.result(
        [
          "date": "20261127-120000", "label": speculates ? "candidate" : "B", "model_id": "target",
          "base_url": "http://b", "dataset": one.workload, "num_prompts": 64, "max_concurrency": 4,
          "metadata": [
            "sweep_method": "draft_model", "sweep_draft": one.draft, "sweep_window": "\(one.window)",
            "price_per_hour": "18", "price_instance": "trn2.48xlarge",
            "price_source": "8 of 16 devices; capacity-block, 2026-05-21: listed",
          ],
        ], figures: parts.reduce(figures) { $0.merging($1) { $1 } })
    }
    return try ServingFixture.data(
      ServingFixture.comparison(
        a: side(one.speedup, speculates: true), b: side(1, speculates: false),
        ratio: ["ratio": one.speedup, "lower": one.speedup - one.spread, "upper": one.speedup + one.spread], pairs: 16,
        outputs: ["compared": 64, "equal": one.equal], categories: ["all"]))
  }

  private static func page(_ cases: [Case], failures: [String] = []) throws -> String {
    var input = ReportInput()
    for (index, one) in cases.enumerated() { try input.add(try result(one), name: "\(index).json") }
    for (index, text) in failures.enumerated() { try input.add(Data(text.utf8), name: "failure-\(index).json") }
    let report = Report(input, createdAt: Date(timeIntervalSince1970: 0))
    #expect(try report.html().contains("</html>"))
    return try report.markdown()
  }

  @Test("the best over all workloads is recommended, with its flags and its dollars")
  func recommendation() throws {
    let page = try Self.page([
      Case(window: 3, speedup: 1.4), Case(window: 3, speedup: 1.3, workload: "custom"),
      Case(window: 7, speedup: 1.9), Case(window: 7, speedup: 0.8, workload: "custom"),
      Case(draft: "Qwen/Qwen3-0.6B", window: 3, speedup: 1.2),
      Case(draft: "Qwen/Qwen3-0.6B", window: 3, speedup: 1.2, workload: "custom"),
    ])
    // √(1.4 · 1.3) = 1.35 beats √(1.9 · 0.8) = 1.23.
    #expect(page.contains("Take Qwen3-1.7B, window 3"))
    #expect(page.contains("--draft Qwen/Qwen3-1.7B --method draft_model --num-speculative-tokens 3"))
    // 18 dollars an hour at 140 tokens a second, and the price's day.
    #expect(page.contains("$35.71") && page.contains("2026-05-21") && page.contains("8 of 16 devices"))
    #expect(page.contains("Every answer was identical"))
  }

  @Test("acceptance and break-even follow from counts, or from the estimate that is named so")
  func acceptance() throws {
    // 1 + 150/100 tokens per verification; a step takes 2.5 · 20 ms, plain decoding 40 ms a token: even at 1.25.
    let counted = try Self.page([Case(window: 5, speedup: 2)])
    #expect(counted.contains("| 30 % | 2.50 | 5 %, 1.25 |"))
    let estimated = try Self.page([Case(window: 5, speedup: 2, counted: false)])
    #expect(
      estimated.contains("| 25 % est. | 2.25 est. | 3 %, 1.12 |") || estimated.contains("2.25 est. | 2 %, 1.12 |"))
    #expect(!counted.contains(" est. |"))
  }

  @Test("a gain within the interval is none")
  func noise() throws {
    let page = try Self.page([Case(window: 3, speedup: 1.05, spread: 0.1), Case(window: 5, speedup: 0.9)])
    #expect(page.contains("Do not speculate") && !page.contains("The configuration to use"))
  }

  @Test("candidates that the measurement does not tell apart are named")
  func ties() throws {
    let page = try Self.page([
      Case(window: 5, speedup: 1.5, spread: 0.1), Case(window: 7, speedup: 1.45, spread: 0.1),
      Case(window: 10, speedup: 1.1, spread: 0.01),
    ])
    #expect(page.contains("Take Qwen3-1.7B, window 5") && page.contains("Not told from it by this measurement"))
    #expect(page.contains("Qwen3-1.7B, window 7.") && !page.contains("measurement: Qwen3-1.7B, window 10"))
  }

  @Test("what differs and what failed is said")
  func trouble() throws {
    let page = try Self.page(
      [Case(window: 3, speedup: 1.4, equal: 60)],
      failures: [
        #"{"schema": "foretoken.sweep-failure/1", "candidate": "qwen3-1-7b-w7-0a", "reason": "the server ended with status 1"}"#
      ])
    #expect(page.contains("60 of 64") && page.contains("Answers differ") && page.contains("1 could not be measured"))
    #expect(page.contains("qwen3-1-7b-w7-0a: the server ended with status 1"))
    let alone = try Self.page(
      [],
      failures: [
        #"{"schema": "foretoken.sweep-failure/1", "candidate": "c", "reason": "<script>"}"#
      ])
    #expect(alone.contains("None of the sweep") && !alone.contains("<script>"))
  }

  @Test("a comparison that is no part of a sweep stays one")
  func plain() throws {
    var input = ReportInput()
    let text = String(decoding: try Self.result(Case()), as: UTF8.self).replacing("sweep_window", with: "other")
    try input.add(Data(text.utf8), name: "comparison.json")
    #expect(try Report(input).markdown().contains("Speedup by kind of prompt"))
  }
}
