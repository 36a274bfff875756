import Decoding
import Dispatch
import Inference
import JSON
import StructuredOutput
import Synchronization
import TestSupport
import Testing
import Tokenization

/// Constraints that take long to say what they allow: only their own sequence waits, and the tokens stay the same.
@Suite struct LateConstraintTests {
  /// Keeps threads waiting until it is opened.
  private final class Gate: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    func open() { semaphore.signal() }
    func pass() {
      semaphore.wait()
      semaphore.signal()
    }
  }

  /// Says nothing at once in the positions that `isLate` names.
  private struct Slow: TokenConstraint {
    var inner: GrammarConstraint
    var gate: Gate?
    let isLate: @Sendable (_ position: Int) -> Bool
    var position = 0
    var isFound = false

    mutating func next(within work: inout ConstraintWork) -> NextTokens {
      if !isFound, isLate(position) {
        guard work.waits else { return .late }
        gate?.pass()
      }
      isFound = true
      var all = ConstraintWork.unbounded
      return inner.next(within: &all)
    }

    mutating func advance(by token: TokenID) {
      inner.advance(by: token)
      (position, isFound) = (position + 1, false)
    }

    mutating func forcedContinuation(maximum: Int, within work: inout ConstraintWork) -> [TokenID] {
      next(within: &work).isLate ? [] : inner.forcedContinuation(maximum: maximum)
    }
  }

  private let tokenizer: Tokenizer
  private let compiler: ConstraintCompiler

  init() throws {
    tokenizer = try Tokenizer(directory: Places.target)
    compiler = try ConstraintCompiler(tokenizer, endTokens: [8191, 8189])
  }

  private func loop(
    _ method: SpeculationMethod? = nil, cacheBytes: Int? = nil
  ) throws -> DecodingLoop {
    var configuration = EngineConfiguration(model: Places.target)
    configuration.maximumLength = 128
    configuration.sequences = 8
    configuration.cacheBytes = cacheBytes
    configuration.threads = 2
    configuration.speculation = try method.map {
      try SpeculativeConfiguration(method: $0, model: Places.draft, window: 4)
    }
    return try EngineAssembly(configuration).makeLoop()
  }

  private func request(_ index: Int = 0) throws -> (GenerationRequest, GrammarConstraint) {
    var request = GenerationRequest(
      prompt: tokenizer.encode("<|im_start|>user\nWrite record \(index).<|im_end|>\n<|im_start|>assistant\n"))
    request.stopping.maximumTokens = 40
    request.stopping.endOfTextTokens = [8191, 8189]
    request.sampling.temperature = [0, 0.9][index % 2]
    request.sampling.seed = UInt64(index)
    request.logprobCount = index % 3 == 0 ? 1 : nil
    let constraint = try compiler.jsonSchema(
      ["type": "object", "properties": ["name": ["type": "string"], "n": ["type": "integer"]], "required": ["name"]])
    request.constraint = constraint
    return (request, constraint)
  }

  @Test("a sequence whose constraint is late holds up nobody else, and gets the same tokens in the end")
  func waitsAlone() throws {
    let (request, constraint) = try request()
    let gate = Gate()
    var late = request
    late.constraint = Slow(inner: constraint, gate: gate) { $0 == 0 || $0 == 3 }
    var other = request
    other.constraint = nil
    other.stopping.ignoresEndOfText = true
    let loop = try loop()
    try loop.submit(late, as: RequestID(0))
    try loop.submit(other, as: RequestID(1))
    var tokens: [[TokenID]] = [[], []]
    while tokens[1].count < other.stopping.maximumTokens || !loop.isIdle {
      if tokens[1].count == other.stopping.maximumTokens {
        gate.open()
      } else {
        #expect(tokens[0].isEmpty)
      }
      for case (let id, .token(let token)) in loop.step() { tokens[id.number].append(token.id) }
    }
    #expect(tokens[0] == (try self.loop().outcome(of: request).tokens))
  }

  @Test("a request that is cancelled while its constraint is late is gone")
  func cancellation() throws {
    let (request, constraint) = try request()
    let gate = Gate()
    var late = request
    late.constraint = Slow(inner: constraint, gate: gate) { _ in true }
    let loop = try loop()
    try loop.submit(late, as: RequestID(0))
    for _ in 0..<3 { #expect(loop.step().isEmpty) }
    #expect(loop.cancel(RequestID(0)) != nil && loop.isIdle)
    gate.open()
    #expect(try loop.outcome(of: request) == self.loop().outcome(of: request))
  }

  @Test(
    "tokens do not depend on which constraints are late, nor on drafts, nor on blocks that run out",
    arguments: [Int?.none, 1_100_000])
  func isLossless(cacheBytes: Int?) throws {
    let requests = try (0..<6).map { try request($0) }
    let plain = try loop().outcomes(of: requests.map(\.0)).outcomes
    for period in [1, 2, 5] {
      let late = requests.enumerated().map { index, pair in
        var request = pair.0
        request.constraint = Slow(inner: pair.1, gate: nil) { ($0 + index) % period == 0 }
        return request
      }
      let outcomes = try loop(cacheBytes: cacheBytes).outcomes(of: late, stagger: 2).outcomes
      #expect(outcomes == plain, "every \(period)")
      let drafting = try loop(.draftModel, cacheBytes: cacheBytes)
      let (drafted, counts) = try drafting.outcomes(of: late)
      #expect(drafted == plain, "every \(period), with a draft")
      // Nothing is proposed where the constraint is late, nor where there is no room for proposals.
      #expect(counts.acceptedTokens > 0 || period < 5 || cacheBytes != nil)
    }
  }
}
