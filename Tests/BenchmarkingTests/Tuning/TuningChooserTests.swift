import Decoding
import Foundation
import Inference
import LoadTesting
import Testing
import Tuning

@Suite struct TuningChooserTests {
  private let fixture = TuningFixture.entry

  private func choice(
    _ entries: [TuningResult.Entry], _ concurrencies: [Int], _ objectives: TuningResult.Objectives = .init()
  ) -> TuningResult.Choice {
    TuningChooser.choice(entries, concurrencies, objectives: objectives)
  }

  private func object(_ json: String?) throws -> [String: Any] {
    let text = try #require(json)
    return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  private func plain(_ concurrencies: [Int]) -> [TuningResult.Entry] {
    concurrencies.map { TuningFixture.entry(nil, 0, at: $0, speedup: 1) }
  }

  @Test("one window that is best everywhere becomes flags of that window")
  func one() throws {
    let entries =
      plain([1, 4])
      + [1, 4].map { TuningFixture.entry(.draftModel, 5, at: $0, speedup: 1.8, draft: "D") }
    let choice = choice(entries, [1, 4])
    #expect(choice.speculates && choice.method == .draftModel && choice.window == 5)
    #expect(choice.flags == ["--draft-model", "D", "--num-speculative-tokens", "5"])
    #expect(choice.windows.map { [$0.first, $0.last, $0.window] } == [[1, 4, 5]])
    let config = try object(choice.speculativeConfig)
    #expect(config["num_speculative_tokens"] as? Int == 5 && config["model"] as? String == "D")
    #expect(config["num_speculative_tokens_per_batch_size"] == nil)
    _ = try SpeculativeConfiguration(json: #require(choice.speculativeConfig))
  }

  @Test("nothing is recommended whose interval holds both a gain and a loss")
  func openIntervals() {
    func entry(_ method: SpeculationMethod, at concurrency: Int, _ lower: Double, _ upper: Double) -> TuningResult.Entry
    {
      var entry = TuningFixture.entry(method, 4, at: concurrency, speedup: 1.17)
      entry.measuredSpeedup = .init(estimate: 1.17, lower: lower, upper: upper)
      return entry
    }
    let open = choice(plain([4]) + [entry(.suffix, at: 4, 0.24, 5.73)], [4])
    #expect(!open.speculates && open.flags.isEmpty)
    #expect(open.reason.contains("0.24x to 5.73x") && !open.reason.contains("become"))
    // Where another concurrency has a gain that is shown, only that one is promised.
    let mixed = choice(
      plain([1, 4]) + [entry(.suffix, at: 1, 1.1, 1.25), entry(.suffix, at: 4, 0.24, 5.73)], [1, 4])
    #expect(mixed.speculates && mixed.windows.last?.window == 0)
    #expect(mixed.reason.contains("1.17x with 1 at a time") && !mixed.reason.contains("with 4 at a time become"))
    let automatic = choice(
      plain([1, 4]) + [entry(.automatic, at: 1, 1.1, 1.25), entry(.automatic, at: 4, 0.24, 5.73)], [1, 4])
    #expect(
      automatic.method == .automatic
        && automatic.reason.contains("4 (0.24x to 5.73x) at a time the measurement leaves open"))
  }

  @Test("windows that change with concurrency become vLLM's ranges, without gaps from 1 to the last batch size")
  func ranges() throws {
    let entries =
      plain([1, 4, 16])
      + [
        TuningFixture.entry(.draftModel, 7, at: 1, speedup: 2, draft: "D"),
        TuningFixture.entry(.draftModel, 3, at: 4, speedup: 1.4, draft: "D"),
        TuningFixture.entry(.draftModel, 1, at: 16, speedup: 0.9, draft: "D"),
      ]
    let choice = choice(entries, [1, 4, 16])
    #expect(
      choice.windows.map { [$0.first, $0.last, $0.window] } == [[1, 2, 7], [3, 8, 3], [9, 16, 0]])
    let config = try object(choice.speculativeConfig)
    #expect(config["num_speculative_tokens_per_batch_size"] as? [[Int]] == [[1, 2, 7], [3, 8, 3], [9, 16, 0]])
    #expect(config["num_speculative_tokens"] as? Int == 7)
    // Foretoken's automatic method is what follows the batch.
    #expect(choice.flags == ["--draft-model", "D"])
    let quantised = TuningChooser.choice(
      entries, [1, 4, 16], objectives: .init(), servingFlags: ["--quantization", "int4"])
    #expect(quantised.flags == ["--draft-model", "D", "--quantization", "int4"])
    #expect(quantised.values.contains("int4"))
    #expect(choice.reason.contains("With 16 at a time no window is shown to pay"))
  }

  @Test("the family with the largest gain over all concurrencies wins, free methods too")
  func families() throws {
    let entries =
      plain([1, 8])
      + [1, 8].flatMap { concurrency in
        [
          TuningFixture.entry(.draftModel, 4, at: concurrency, speedup: concurrency == 1 ? 1.6 : 0.8, draft: "D"),
          TuningFixture.entry(.ngram, 4, at: concurrency, speedup: 1.4),
        ]
      }
    let choice = choice(entries, [1, 8])
    #expect(choice.method == .ngram && choice.draft == nil)
    let config = try object(choice.speculativeConfig)
    #expect(config["prompt_lookup_max"] as? Int == 5 && config["model"] == nil)
    #expect(choice.flags.first == "--speculative-config")
    _ = try SpeculativeConfiguration(json: choice.flags[1])
  }

  @Test("a measurement counts for more than a prediction")
  func measured() {
    let entries =
      plain([1])
      + [
        TuningFixture.entry(.draftModel, 8, at: 1, speedup: 3, isMeasured: false, draft: "D"),
        TuningFixture.entry(.draftModel, 4, at: 1, speedup: 1.5, draft: "D"),
      ]
    #expect(choice(entries, [1]).window == 4)
  }

  @Test("nothing that gains is nothing to use", arguments: [0.7, 1.0, 1.02])
  func refusal(speedup: Double) {
    let choice = choice(plain([1]) + [TuningFixture.entry(.draftModel, 1, at: 1, speedup: speedup, draft: "D")], [1])
    #expect(!choice.speculates && choice.flags.isEmpty && choice.speculativeConfig == nil && choice.window == 0)
    #expect(choice.reason.hasPrefix("Do not speculate"))
    #expect(choice.values.contains("enabled: false"))
  }

  @Test("a candidate beyond the limits on latency is not chosen, however fast")
  func objectives() {
    let entries =
      plain([1])
      + [
        TuningFixture.entry(.draftModel, 8, at: 1, speedup: 2, draft: "D", meets: false),
        TuningFixture.entry(.draftModel, 2, at: 1, speedup: 1.3, draft: "D", meets: true),
      ]
    #expect(choice(entries, [1], .init(timePerOutputToken: 0.01)).window == 2)
  }

  @Test("the automatic method is preferred where it is as good")
  func automatic() {
    let entries =
      plain([1, 4])
      + [1, 4].flatMap { concurrency in
        [
          TuningFixture.entry(.draftModel, 5, at: concurrency, speedup: 1.50, draft: "D"),
          TuningFixture.entry(.automatic, 10, at: concurrency, speedup: 1.49, draft: "D"),
        ]
      }
    let choice = choice(entries, [1, 4])
    #expect(choice.method == .automatic && choice.flags == ["--draft-model", "D"])
    #expect(choice.speculativeConfig?.contains("\"num_speculative_tokens\":5") == true)
  }

  @Test("the break-even concurrency lies between the last that gains and the first that does not")
  func border() throws {
    let entries = [(1, 1.5), (4, 1.2), (16, 0.8)].flatMap { concurrency, speedup in
      [
        TuningFixture.entry(nil, 0, at: concurrency, speedup: 1),
        TuningFixture.entry(.draftModel, 4, at: concurrency, speedup: speedup, draft: "D"),
      ]
    }
    let border = try #require(TuningChooser.breakEvenConcurrency(entries, [1, 4, 16]))
    #expect(abs(border - 8) < 1e-9)
    #expect(TuningChooser.breakEvenConcurrency(entries, [1, 4]) == nil)
  }
}

@Suite struct TuningResultTests {
  @Test("a result comes back from its JSON as it was")
  func roundTrip() throws {
    let result = TuningFixture.result()
    #expect(try TuningResult(json: result.encoded(), name: "r.json") == result)
    let text = String(decoding: try result.encoded(), as: UTF8.self)
    #expect(text.contains("\"schema\" : \"foretoken.tuning/1\"") && text.contains("\"tokens_per_second\""))
  }

  @Test(
    "other documents are refused with what was found and expected",
    arguments: [
      ("{}", "missing"), ("[1]", "missing"), ("nonsense", "missing"),
      (#"{"schema": "foretoken.tuning/2"}"#, "foretoken.tuning/2"),
      (#"{"schema": "foretoken.tuning/1"}"#, "created_at"),
    ])
  func refusals(json: String, fact: String) {
    #expect {
      try TuningResult(json: Data(json.utf8), name: "r.json")
    } throws: {
      "\($0)".contains("r.json") && ("\($0)".contains(fact) || "\($0)".contains("createdAt"))
    }
  }

  @Test("every truncation of a result is refused, and none of them crashes")
  func truncations() throws {
    let data = try TuningFixture.result().encoded()
    for length in stride(from: 0, to: data.count - 2, by: 97) {
      #expect(throws: ResultFileError.self) { try TuningResult(json: data.prefix(length), name: "r.json") }
    }
  }
}
