import Decoding
import Inference
import Measurement
import TestSupport
import Testing
import Tokenization
import Tuning

@Suite struct TunerTests {
  @Test("tuning on the shipped pair predicts every candidate, verifies some, and chooses one of them")
  func pair() async throws {
    let tokenizer = try Tokenizer(directory: Places.target)
    let prompts = ["List the planets.", "Write a Python function that returns the sum of m and z."].map {
      TuningPrompt(
        category: String($0.prefix(4)),
        tokens: tokenizer.encode("<|im_start|>user\n\($0)<|im_end|>\n<|im_start|>assistant\n"),
        outputTokens: 24)
    }
    var plan = Tuner.Plan(
      EngineConfiguration(model: Places.target), drafts: [Places.draft], workload: "two prompts", prompts: prompts,
      concurrencies: [2, 1], largestWindow: 3)
    (plan.triesLookup, plan.triesSuffix, plan.repetitions) = (true, true, 2)
    plan.price = Price(dollarsPerHour: 1)
    let result = try await Tuner(plan) { _, _ in }.run()

    #expect(result.concurrencies == [1, 2] && result.source == .local)
    for concurrency in [1, 2] {
      for window in 1...3 {
        for (method, draft) in [(SpeculationMethod.draftModel, Places.draft as String?), (.ngram, nil), (.suffix, nil)]
        {
          let entry = try #require(
            result.entry(.init(method: method, draft: draft, window: window), at: concurrency))
          #expect(try #require(entry.predicted).tokensPerSecond > 0)
          #expect(
            try #require(entry.meanAcceptanceLength) >= 1 && entry.meanAcceptanceLength ?? 0 <= Double(window + 1))
          #expect(entry.dollarsPerMillionTokens ?? 0 > 0)
        }
      }
      let verified = result.entries.filter { $0.concurrency == concurrency && $0.measured != nil }
      #expect(verified.count == 4)
      #expect(verified.contains { $0.candidate == .plain } && verified.contains { $0.candidate.method == .automatic })
      #expect(verified.filter { $0.candidate.method != .automatic }.allSatisfy { $0.predictionError != nil })
    }
    // A larger window never yields fewer tokens per verification.
    let lengths = (1...3).compactMap {
      result.entry(.init(method: .draftModel, draft: Places.draft, window: $0), at: 1)?.meanAcceptanceLength
    }
    #expect(lengths == lengths.sorted())
    #expect(result.passTimes.first?.points.allSatisfy { $0.seconds > 0 && $0.floorSeconds ?? 0 > 0 } == true)
    #expect(result.draftMemory.first?.weightBytes ?? 0 > 0)
    let names = Set(result.entries.map(\.candidate.method))
    #expect(names.contains(result.choice.method) || result.choice.method == nil)
  }

  @Test("a draft of another vocabulary is refused before anything is measured")
  func vocabulary() {
    #expect(throws: (any Error).self) {
      try Tuner(
        Tuner.Plan(
          EngineConfiguration(model: Places.target), drafts: ["/nonexistent"], workload: "", prompts: [],
          concurrencies: [1], largestWindow: 1)
      ) { _, _ in }
    }
  }
}
