import Decoding
import Inference
import Synchronization
import TestSupport
import Testing
import Tokenization

@Suite struct EngineTests {
  static func model() throws -> SpeculativeEngine {
    var configuration = EngineConfiguration(model: Places.target)
    configuration.speculation = try SpeculativeConfiguration(method: .draftModel, model: Places.draft, window: 4)
    configuration.sequences = 4
    configuration.maximumLength = 512
    configuration.threads = 2
    return try SpeculativeEngine(configuration)
  }

  static func request(_ model: SpeculativeEngine, _ text: String, tokens: Int) -> GenerationRequest {
    var request = GenerationRequest(prompt: model.target.tokenizer.encode(text))
    request.stopping.maximumTokens = tokens
    return request
  }

  @Test("many clients at once each get the answer that they would get alone")
  func concurrentClients() async throws {
    let model = try Self.model()
    let requests = (0..<12).map { Self.request(model, "Request number \($0): count", tokens: 20) }
    var alone: [[Int32]] = []
    for request in requests { alone.append(try await Self.tokens(of: request, model.engine)) }
    let together = try await withThrowingTaskGroup(of: (Int, [Int32]).self) { group in
      for (index, request) in requests.enumerated() {
        group.addTask { (index, try await Self.tokens(of: request, model.engine)) }
      }
      return try await group.reduce(into: [Int: [Int32]]()) { $0[$1.0] = $1.1 }
    }
    for (index, answer) in alone.enumerated() { #expect(together[index] == answer) }
  }

  @Test("audits find nothing in a lossless engine, and everything in one that invents", arguments: [true, false])
  func audit(isLossless: Bool) async throws {
    var configuration = EngineConfiguration(model: Places.target)
    configuration.speculation = try SpeculativeConfiguration(
      method: .draftModel, model: Places.draft, window: 4,
      verification: isLossless ? .coupled : .synthetic(acceptanceRate: 0.9))
    configuration.maximumLength = 512
    configuration.auditShare = 0.5
    let mismatches = Mutex<[AuditMismatch]>([])
    let model = try SpeculativeEngine(configuration, mismatch: { found in mismatches.withLock { $0.append(found) } })
    for index in 0..<6 {
      var request = Self.request(model, "Story number \(index) about winter:", tokens: 40)
      request.sampling.temperature = 0.7
      request.sampling.seed = UInt64(index)
      _ = try await Self.tokens(of: request, model.engine)
    }
    while model.engine.statistics.audited < 3 { try await Task.sleep(for: .milliseconds(5)) }
    #expect(model.engine.statistics.auditMismatches == (isLossless ? 0 : 3))
    #expect(mismatches.withLock { $0.count } == (isLossless ? 0 : 3))
    if let first = mismatches.withLock(\.first) {
      #expect(first.description.contains("to replay: prompt [") && first.answered != first.expected)
    }
  }

  /// The answer's token ids.
  static func tokens(of request: GenerationRequest, _ engine: Engine) async throws -> [Int32] {
    var tokens: [Int32] = []
    for await event in try engine.generate(request) {
      if case .token(let token) = event { tokens.append(token.id) }
    }
    return tokens
  }

  @Test("a client that goes away frees its place for the next one")
  func cancellation() async throws {
    let model = try Self.model()
    for _ in 0..<20 {
      var request = Self.request(model, "Tell me a story about the sea", tokens: 400)
      request.stopping.ignoresEndOfText = true
      var seen = 0
      for await event in try model.engine.generate(request) {
        if case .token = event { seen += 1 }
        if seen == 3 { break }
      }
      #expect(seen == 3)
    }
    let last = try await Self.tokens(of: Self.request(model, "Count", tokens: 5), model.engine)
    #expect(!last.isEmpty)
  }

  @Test("requests that do not fit are refused by name")
  func refusals() throws {
    let model = try Self.model()
    func refused(_ change: (inout GenerationRequest) -> Void) -> String? {
      var request = Self.request(model, "Hello", tokens: 5)
      change(&request)
      return #expect(throws: RequestError.self) { try model.engine.generate(request) }?.parameter
    }
    #expect(refused { $0.prompt = [] } == "prompt")
    #expect(refused { $0.prompt = [-1] } == "prompt")
    #expect(refused { $0.prompt = [9_999_999] } == "prompt")
    #expect(refused { $0.prompt = Array(repeating: 5, count: 512) } == "prompt")
    #expect(refused { $0.stopping.maximumTokens = 0 } == "max_tokens")
    #expect(refused { $0.stopping.strings = [""] } == "stop")
    #expect(refused { $0.logprobCount = 21 } == "logprobs")
    #expect(refused { $0.window = -1 } == "num_speculative_tokens")
  }
}
