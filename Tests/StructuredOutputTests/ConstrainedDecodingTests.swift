import Decoding
import Inference
import JSON
import StructuredOutput
import TestSupport
import Testing
import Tokenization

/// Constraints in the decoding loop: the promise of the same tokens holds, and what has ended is valid.
@Suite struct ConstrainedDecodingTests {
  private func loop(
    _ method: SpeculationMethod?, lookup: ClosedRange<Int> = 5...5, window: Int = 1
  ) throws -> DecodingLoop {
    var configuration = EngineConfiguration(model: Places.target)
    configuration.maximumLength = 256
    configuration.sequences = 8
    configuration.threads = 2
    configuration.speculation = try method.map {
      try SpeculativeConfiguration(
        method: $0, model: $0 == .draftModel ? Places.draft : nil, window: window, lookupLengths: lookup)
    }
    return try EngineAssembly(configuration).makeLoop()
  }

  private func request(
    _ prompt: String, _ constraint: GrammarConstraint, _ tokenizer: Tokenizer, tokens: Int = 56
  ) -> GenerationRequest {
    var request = GenerationRequest(
      prompt: tokenizer.encode("<|im_start|>user\n\(prompt)<|im_end|>\n<|im_start|>assistant\n"))
    request.stopping.maximumTokens = tokens
    request.stopping.endOfTextTokens = [8191, 8189]
    request.constraint = constraint
    return request
  }

  private static let prompts = [
    "Write a JSON record for a person: Clara Weber, 34 years old, designer from Vienna.",
    "Write a story that begins at the old harbour with a stranger.", "Count from 1 to 21.",
  ]

  @Test("with any proposer and window the tokens are those of plain decoding, and what ends is valid")
  func isLosslessAndValid() throws {
    let tokenizer = try Tokenizer(directory: Places.target)
    let compiler = try ConstraintCompiler(tokenizer, endTokens: [8191, 8189])
    var requests: [GenerationRequest] = []
    var schemas: [JSONValue] = []
    var random = RandomSchema(seed: 21)
    for index in 0..<8 {
      schemas.append(index == 0 ? ["type": "object"] : random.object())
      var request = request(Self.prompts[index % 3], try compiler.jsonSchema(schemas[index]), tokenizer)
      request.sampling.temperature = [0, 0.8, 1.3][index % 3]
      request.sampling.seed = UInt64(index)
      if index % 4 == 1 { (request.sampling.topP, request.sampling.presencePenalty) = (0.9, 0.5) }
      if index % 5 == 2 { (request.sampling.topK, request.sampling.logitBias) = (20, [5: 3]) }
      request.logprobCount = index % 2 == 0 ? 1 : nil
      requests.append(request)
    }
    let plain = try loop(nil).outcomes(of: requests).outcomes
    var finished = 0
    for (outcome, schema) in zip(plain, schemas) {
      guard case .stopToken? = outcome.reason else { continue }
      finished += 1
      #expect(PlainValidator(root: schema).isValid(try JSONValue(parsing: outcome.text)), "\(outcome.text)")
    }
    #expect(finished >= 4, "few answers ended; the test would show little")
    for window in 1...8 {
      let (outcomes, counts) = try loop(.draftModel, window: window).outcomes(of: requests)
      #expect(outcomes == plain, "draft, window \(window)")
      #expect(counts.acceptedTokens > 0)
    }
    for window in [2, 6] {
      #expect(try loop(.ngram, lookup: 1...3, window: window).outcomes(of: requests).outcomes == plain, "\(window)")
    }
  }

  @Test("text that a schema leaves no choice about is proposed at no cost, and accepted")
  func forcedRuns() throws {
    let tokenizer = try Tokenizer(directory: Places.target)
    let compiler = try ConstraintCompiler(tokenizer, endTokens: [8191, 8189])
    let constraint = try compiler.jsonSchema(#"{"const": "a constant that the model would never have thought of"}"#)
    let request = request(Self.prompts[1], constraint, tokenizer)
    // N-gram lookup has nothing to say about it: every proposal is forced text.
    let (outcomes, counts) = try loop(.ngram, lookup: 3...4, window: 8).outcomes(of: [request])
    #expect(outcomes[0].text == #""a constant that the model would never have thought of""#)
    #expect(counts.acceptedTokens == counts.draftTokens, "\(counts)")
    #expect(counts.meanAcceptanceLength ?? 0 > 4)
    #expect(try loop(nil).outcome(of: request) == outcomes[0])
  }

  @Test("a least number of tokens keeps a form open as long as it can, and no longer")
  func minimumTokens() throws {
    let tokenizer = try Tokenizer(directory: Places.target)
    let compiler = try ConstraintCompiler(tokenizer, endTokens: [8191, 8189])
    var closed = request(Self.prompts[0], try compiler.choice(["yes", "no"]), tokenizer)
    closed.stopping.minimumTokens = 20
    var open = request(
      Self.prompts[0], try compiler.regex("[a-z]{2,30}"), tokenizer)
    open.stopping.minimumTokens = 6
    for window in [1, 4, 7] {
      let outcomes = try loop(.draftModel, window: window).outcomes(of: [closed, open]).outcomes
      #expect(["yes", "no"].contains(outcomes[0].text) && outcomes[0].tokens.count < 20)
      #expect(outcomes[1].tokens.count > 6)
      #expect(outcomes == (try loop(nil).outcomes(of: [closed, open]).outcomes))
    }
  }

  @Test("a run of forced tokens is within the mask, token by token")
  func forcedTokensAreAllowed() throws {
    let writer = try RandomWriter()
    for (index, sample) in SchemaSample.all.enumerated() {
      var constraint = try writer.compiler.jsonSchema(sample.schema)
      var generator = SeededGenerator(seed: UInt64(index))
      for _ in 0..<24 {
        var ahead = constraint
        for token in constraint.forcedContinuation(maximum: 6) {
          #expect(ahead.mask?.contains(token) == true)
          ahead.advance(by: token)
        }
        let mask = try #require(constraint.mask)
        let allowed = (TokenID(0)..<8192).filter { mask.contains($0) }
        constraint.advance(by: try #require(allowed.randomElement(using: &generator)))
      }
    }
  }
}
