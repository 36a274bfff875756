public import Tokenization

/// How the next token is chosen from the logits. Names and meanings are those of the OpenAI API and of vLLM.
public struct SamplingParameters: Sendable, Equatable {
  /// Divides the logits; 0 is greedy decoding, and so is what is too small to divide by (`leastTemperature`).
  public var temperature: Double = 0
  /// Keeps the most likely tokens whose probabilities sum to at least this, one at least; 1 keeps all.
  public var topP: Double = 1
  /// Keeps this many of the most likely tokens; 0 keeps all.
  public var topK: Int = 0
  /// Keeps tokens at least this probable relative to the most likely one; 0 keeps all.
  public var minP: Double = 0
  /// Divides positive and multiplies negative logits of tokens seen in the prompt or the output; 1 does nothing.
  public var repetitionPenalty: Double = 1
  /// Subtracted from the logits of tokens that the output contains.
  public var presencePenalty: Double = 0
  /// Subtracted from logits once for each time that the output contains the token.
  public var frequencyPenalty: Double = 0
  /// Added to the logits of single tokens.
  public var logitBias: [TokenID: Double] = [:]
  /// Selects the noise; the same seed gives the same tokens.
  public var seed: UInt64 = 0

  /// Greedy decoding without penalties.
  public init() {}

  /// Whether tokens already in the sequence change the logits.
  var hasPenalties: Bool { repetitionPenalty != 1 || presencePenalty != 0 || frequencyPenalty != 0 }
  /// Whether the token with the largest raw logit is the answer.
  var takesRawArgmax: Bool { temperature == 0 && !hasPenalties && logitBias.isEmpty }

  /// Checks every value against its range.
  ///
  /// - Throws: `RequestError` that names the parameter, the value found and the range.
  public func validate(vocabularySize: Int) throws(RequestError) {
    try Self.check("temperature", temperature, in: 0...100)
    try Self.check("top_p", topP, in: 0...1)
    try Self.check("min_p", minP, in: 0...1)
    try Self.check("repetition_penalty", repetitionPenalty, in: 1e-3...1e3)
    try Self.check("presence_penalty", presencePenalty, in: -2...2)
    try Self.check("frequency_penalty", frequencyPenalty, in: -2...2)
    guard topK >= 0 else {
      throw RequestError(parameter: "top_k", message: "top_k is \(topK); expected 0 (all tokens) or more")
    }
    for (token, bias) in logitBias.sorted(by: { $0.key < $1.key }) {
      guard token >= 0, token < vocabularySize else {
        throw RequestError(
          parameter: "logit_bias",
          message: "logit_bias names token \(token); the vocabulary has ids 0 to \(vocabularySize - 1)")
      }
      try Self.check("logit_bias", bias, in: -100...100)
    }
  }

  /// Temperatures below this are greedy decoding: logits that differ at all are so far apart then that no noise brings
  /// another token to the top, and quotients by less may leave the range of single precision.
  public static let leastTemperature = 1e-20

  private static func check(
    _ name: String, _ value: Double, in range: ClosedRange<Double>
  ) throws(RequestError) {
    // A NaN fails `contains`.
    guard range.contains(value) else {
      let expected = "\(range.lowerBound) to \(range.upperBound)"
      throw RequestError(parameter: name, message: "\(name) is \(value); expected \(expected)")
    }
  }
}
