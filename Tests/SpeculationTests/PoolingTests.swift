import Decoding
import Foundation
import Inference
import ModelFiles
import Tensor
import TestSupport
import Testing
import Tokenization

/// What is pooled of a prompt is what `transformers` gives, and depends on the prompt and the weights alone.
@Suite struct PoolingTests {
  struct Reference: Decodable {
    let texts: [String]
    let tokens: [[Int32]]
    let last, mean: [[Float]]
  }

  struct Relevance: Decodable {
    let yes, no: Int32
    let tokens: [[Int32]]
    let scores: [Double]
  }

  private static func folder(_ name: String) -> String {
    Places.golden.appendingPathComponent("embeddings/\(name)").path
  }

  private static func expected<Value: Decodable>(_ type: Value.Type, of name: String) throws -> Value {
    try JSONDecoder().decode(type, from: Data(contentsOf: URL(fileURLWithPath: folder(name) + "/expected.json")))
  }

  private static func loop(
    _ name: String, _ change: (inout EngineConfiguration) -> Void = { _ in }
  ) throws -> (source: ModelSource, loop: DecodingLoop) {
    var configuration = EngineConfiguration(model: folder(name))
    configuration.task = nil
    (configuration.threads, configuration.sharesPrefixes) = (2, false)
    change(&configuration)
    let assembly = try EngineAssembly(configuration)
    return (assembly.target, assembly.makeLoop())
  }

  private static func request(_ prompt: [Int32], _ pooling: Pooling) -> GenerationRequest {
    var request = GenerationRequest(prompt: prompt)
    request.pooling = pooling
    return request
  }

  /// Ends of requests that run together; request `i` joins after `i · stagger` steps.
  private static func summaries(
    of requests: [GenerationRequest], in loop: DecodingLoop, stagger: Int = 0
  ) throws -> [GenerationSummary] {
    var ended: [RequestID: GenerationSummary] = [:]
    var (step, next) = (0, 0)
    while next < requests.count || !loop.isIdle {
      while next < requests.count, step >= next * stagger {
        try loop.submit(requests[next], as: RequestID(next))
        next += 1
      }
      for (id, event) in loop.step() { if case .finished(let summary) = event { ended[id] = summary } }
      step += 1
    }
    return try requests.indices.map { try #require(ended[RequestID($0)]) }
  }

  private static func isClose(_ found: [Float], _ expected: [Float]) -> Bool {
    let scale = expected.reduce(0) { max($0, abs($1)) }
    return found.count == expected.count && zip(found, expected).allSatisfy { abs($0 - $1) < 0.02 * scale }
  }

  @Test(arguments: ["lasttoken", "mean"])
  func `hidden states are those of transformers, by the last token and by the mean`(name: String) throws {
    let expected = try Self.expected(Reference.self, of: name)
    let (source, loop) = try Self.loop(name)
    #expect(source.task == .embed)
    #expect((source.embedding.pooling == .mean) == (name == "mean"))
    #expect(source.embedding.normalises == (name == "lasttoken"))
    for (index, text) in expected.texts.enumerated() {
      let tokens = source.tokenizer.encode(text, addsSpecialTokens: true)
      #expect(tokens == expected.tokens[index])
      for (pooling, values) in [(Pooling.lastToken, expected.last), (.mean, expected.mean)] {
        let summary = try Self.summaries(of: [Self.request(tokens, pooling)], in: loop)[0]
        #expect(summary.reason == .pooled && summary.outputTokens == 0 && summary.promptTokens == tokens.count)
        #expect(Self.isClose(summary.pooled, values[index]), "\(text) by \(pooling)")
      }
    }
    #expect(loop.statistics.promptTokens == 2 * expected.tokens.reduce(0) { $0 + $1.count })
  }

  @Test func `a reranker's logits give the scores of its model card`() throws {
    let expected = try Self.expected(Relevance.self, of: "tiny-reranker")
    let (source, loop) = try Self.loop("tiny-reranker")
    #expect(source.task == .rerank)
    #expect(source.relevanceTokens?.yes == expected.yes && source.relevanceTokens?.no == expected.no)
    let requests = expected.tokens.map { Self.request($0, .logits([expected.yes, expected.no])) }
    for (summary, score) in zip(try Self.summaries(of: requests, in: loop), expected.scores) {
      let logits = summary.pooled.map(Double.init)
      #expect(logits.count == 2 && abs(1 / (1 + exp(logits[1] - logits[0])) - score) < 0.02)
    }
  }

  private struct Setting: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var stagger = 0
    let change: @Sendable (inout EngineConfiguration) -> Void
  }

  private static let settings: [Setting] = [
    Setting(testDescription: "chunks") { $0.rows = 7 },
    Setting(testDescription: "a batch") { $0.sequences = 8 },
    Setting(testDescription: "a batch in chunks", stagger: 1) { ($0.sequences, $0.rows) = (4, 19) },
    Setting(testDescription: "one thread") { ($0.threads, $0.sequences) = (1, 3) },
    Setting(testDescription: "a prefix cache", stagger: 2) { ($0.sharesPrefixes, $0.sequences) = (true, 2) },
    Setting(testDescription: "too few blocks") {
      ($0.sequences, $0.rows, $0.sharesPrefixes) = (6, 24, true)
      // Little more than one sequence of full length.
      $0.maximumLength = 256
      $0.cacheBytes = 2 * 2 * 2 * 2 * 16 * 272
    },
  ]

  @Test(arguments: [Quantization.file, .int8], settings)
  private func `the same bits come whatever shares the pass`(quantization: Quantization, setting: Setting) throws {
    let expected = try Self.expected(Reference.self, of: "lasttoken")
    // The longest once more with an end of its own, so that there is a prefix to share.
    let prompts = expected.tokens + expected.tokens.suffix(1).map { $0 + [3, 4] }
    let requests = prompts.flatMap { prompt in
      [Pooling.lastToken, .mean, .logits([5, 9])].map { Self.request(prompt, $0) }
    }
    let alone = try Self.loop("lasttoken") { $0.quantization = quantization }.loop
    let plain = try requests.map { try Self.summaries(of: [$0], in: alone)[0].pooled }
    let (_, loop) = try Self.loop("lasttoken") { configuration in
      configuration.quantization = quantization
      setting.change(&configuration)
    }
    let summaries = try Self.summaries(of: requests, in: loop, stagger: setting.stagger)
    #expect(summaries.map(\.pooled) == plain)
    if setting.testDescription == "a prefix cache" {
      #expect(loop.statistics.prefixHits > 0)
      for (request, summary) in zip(requests, summaries) where request.pooling == .mean {
        #expect(summary.cachedTokens == 0)
      }
    }
  }

  @Test(arguments: [Pooling.lastToken, .mean], [nil, 400])
  func `answers and vectors share passes, and start over when blocks run out`(
    pooling: Pooling, positions: Int?
  ) throws {
    let expected = try Self.expected(Relevance.self, of: "tiny-reranker")
    func loop(_ sequences: Int) throws -> DecodingLoop {
      try Self.loop("tiny-reranker") { configuration in
        (configuration.sequences, configuration.task, configuration.rows) = (sequences, .generate, 40)
        configuration.maximumLength = 384
        // Room for the longest prompt, but not beside the answer.
        configuration.cacheBytes = positions.map { 2 * 2 * 2 * 2 * 16 * $0 }
      }.loop
    }
    var answer = GenerationRequest(prompt: Array(expected.tokens[0].prefix(30)))
    answer.stopping.maximumTokens = 60
    let alone = try loop(1)
    let tokens = try alone.outcome(of: answer).tokens
    let vectors = try expected.tokens.map {
      try Self.summaries(of: [Self.request($0, pooling)], in: alone)[0].pooled
    }
    let both = try loop(5)
    let requests = [answer] + expected.tokens.map { Self.request($0, pooling) }
    var (written, pooled): ([Int32], [RequestID: [Float]]) = ([], [:])
    for (index, request) in requests.enumerated() { try both.submit(request, as: RequestID(index)) }
    while !both.isIdle {
      for (id, event) in both.step() {
        switch event {
        case .token(let token): written.append(token.id)
        case .finished(let summary): pooled[id] = summary.pooled
        }
      }
    }
    #expect((both.statistics.preemptions > 0) == (positions != nil))
    #expect(written == tokens && pooled[RequestID(0)] == [])
    #expect(vectors.indices.allSatisfy { pooled[RequestID($0 + 1)] == vectors[$0] })
  }

  @Test func `a prompt may fill the context, and no more`() throws {
    let (_, loop) = try Self.loop("mean") { $0.maximumLength = 32 }
    let summary = try Self.summaries(of: [Self.request(Array(repeating: 7, count: 32), .mean)], in: loop)[0]
    #expect(summary.pooled.count == 64)
    let error = #expect(throws: RequestError.self) {
      try loop.submit(Self.request(Array(repeating: 7, count: 33), .mean), as: RequestID(9))
    }
    #expect(error?.message.contains("maximum context length is 32 tokens") == true)
  }

  @Test func `a model for embeddings generates nothing, and nothing is speculated on`() throws {
    #expect(throws: EngineConfigurationError.self) { try ModelSource(Self.folder("mean")) }
    #expect(throws: EngineConfigurationError.self) { try ModelSource(Self.folder("mean"), for: .rerank) }
    var configuration = EngineConfiguration(model: Self.folder("mean"))
    configuration.task = .embed
    configuration.speculation = try SpeculativeConfiguration(method: .ngram, model: nil, window: 2)
    #expect(throws: EngineConfigurationError.self) { try EngineAssembly(configuration) }
    // Whose tokenizer has no word for yes.
    #expect(throws: EngineConfigurationError.self) { try ModelSource(Places.target, for: .rerank) }
    #expect(try ModelSource(Places.target, for: .embed).embedding.pooling == .lastToken)
  }
}
