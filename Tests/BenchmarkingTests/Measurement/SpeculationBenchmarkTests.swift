import Decoding
import Inference
import Measurement
import Presentation
import Report
import TestSupport
import Testing
import Tokenization

@Suite struct SpeculationBenchmarkTests {
  @Test("workloads are compared one by one and all together, sampled too, with a head as with nothing")
  func byWorkload() async throws {
    var configuration = EngineConfiguration(model: Places.target)
    configuration.speculation = try SpeculativeConfiguration(method: .automatic, model: Places.head, window: 10)
    configuration.sharesPrefixes = false
    var benchmark = try SpeculationBenchmark(windows: [2], maximumTokens: 24, repetitions: 2) { wrap in
      try SpeculativeEngine(configuration, wrapping: wrap)
    }
    var parts: [SpeculationBenchmark.Comparison] = []
    let prompts = [("lists", "List the planets."), ("records", "Write a JSON record for Clara Weber, 34 years old.")]
    for (name, prompt) in prompts {
      let tokens = benchmark.target.tokenizer.encode("<|im_start|>user\n\(prompt)<|im_end|>\n<|im_start|>assistant\n")
      parts.append(
        try await benchmark.compare([tokens], workload: name, concurrency: 1, temperature: 0.7) { _, _ in })
    }
    #expect(benchmark.isLossless)
    let methods = ["plain", "auto", "ngram 5", "suffix 10", "eagle3 2"]
    let results = parts.map(\.results)
    for (part, name) in zip(results, ["lists", "records"]) {
      #expect(part.map(\.method) == methods && part.allSatisfy { $0.workload == name && $0.temperature == 0.7 })
    }
    let all = try #require(SpeculationBenchmark.Comparison(parts, as: "all")).results
    #expect(all.map(\.method) == methods)
    for (index, row) in all.enumerated() {
      let (own, lengths) = (try #require(row.tokensPerPass), results.compactMap { $0[index].tokensPerPass })
      #expect(own >= lengths.min() ?? .infinity && own <= lengths.max() ?? 0)
      #expect(row.isPlain == (index == 0))
    }
    #expect(all[0].speedup == 1 && all[0].levelledSpeedup == 1 && all[0].acceptanceRate == nil)
    #expect(all[0].perTokenSpeedup == 1 && all.allSatisfy { $0.perTokenSpeedup ?? 0 > 0 })
    #expect(all[0].tokensPerPass ?? 2 <= 1)
    let head = try #require(all.last)
    #expect(head.tokensPerPass ?? 0 > 1 && head.tokensPerPass ?? 4 <= 3 && head.acceptanceRate ?? 0 > 0)
    #expect(SpeculationBenchmark.Comparison([], as: "all")?.results.isEmpty == nil)

    let section = ReportPage.Section(byWorkload: Array(results.joined()) + all)
    let table = try #require(section.blocks.first?.table)
    #expect(table.head.map(\.text) == ["Workload"] + methods.dropFirst())
    #expect(table.rows.map { $0.cells[0].text } == ["lists", "records", "all"])
    #expect(section.heading == "By workload, 1 at a time, temperature 0.7")
  }

  @Test(arguments: [1, 2])
  func `methods take turns prompt by prompt where one runs at a time`(atATime: Int) async throws {
    var configuration = EngineConfiguration(model: Places.target)
    configuration.speculation = try SpeculativeConfiguration(method: .automatic, model: Places.head, window: 10)
    (configuration.sharesPrefixes, configuration.sequences) = (false, 2)
    var benchmark = try SpeculationBenchmark(windows: [], maximumTokens: 6, repetitions: 2) { wrap in
      try SpeculativeEngine(configuration, wrapping: wrap)
    }
    let prompts = ["One", "Two", "Three"].map { benchmark.target.tokenizer.encode($0) }
    var (served, order): ([String: Double], [String]) = ([:], [])
    let results = try await benchmark.compare(prompts, workload: "numbers", concurrency: atATime, temperature: 1) {
      served[$0, default: 0] += $1
      order.append($0)
    }.results
    #expect(benchmark.isLossless)
    let methods = ["plain", "auto", "ngram 5", "suffix 10"]
    #expect(results.map(\.method) == methods && results[0].speedup == 1)
    for method in methods { #expect(abs((served[method] ?? 0) - 2) < 1e-9) }
    #expect(order.count == methods.count * 2 * (atATime == 1 ? 3 : 1))
    // Each begins a turn in its turn.
    #expect(Set(stride(from: 0, to: order.count, by: methods.count).map { order[$0] }).count == (atATime == 1 ? 4 : 2))
  }
}
