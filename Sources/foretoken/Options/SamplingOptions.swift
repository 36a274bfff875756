internal import ArgumentParser
internal import Decoding
internal import Inference
internal import Tokenization

/// Flags that say how tokens are chosen and when the answer ends. Names are those of vLLM's sampling parameters.
struct SamplingOptions: ParsableArguments {
  @Option(help: "Most tokens to generate.")
  var maxTokens = 512

  @Option(help: "Tokens to generate before the answer may end.")
  var minTokens = 0

  @Option(help: "Randomness; 0 is greedy.")
  var temperature = 0.0

  @Option(help: "Keep the likeliest tokens that sum to this probability.")
  var topP = 1.0

  @Option(help: "Keep this many of the likeliest tokens; 0 keeps all.")
  var topK = 0

  @Option(help: "Keep tokens at least this probable relative to the likeliest.")
  var minP = 0.0

  @Option(help: "Above 1: discourage tokens seen in prompt or answer.")
  var repetitionPenalty = 1.0

  @Option(help: "Discourage tokens that the answer contains, -2 to 2.")
  var presencePenalty = 0.0

  @Option(help: "Discourage tokens by how often the answer contains them, -2 to 2.")
  var frequencyPenalty = 0.0

  @Option(
    parsing: .singleValue,
    help: ArgumentHelp("Add to a token's logit, as ID=BIAS with -100 to 100; repeatable.", valueName: "id=bias"))
  var logitBias: [TokenBias] = []

  @Option(help: "Selects the randomness: the same seed gives the same answer.")
  var seed: UInt64 = 0

  @Option(parsing: .singleValue, help: "End the answer before this string; repeatable.")
  var stop: [String] = []

  @Option(parsing: .singleValue, help: "End the answer at this token id; repeatable.")
  var stopTokenIds: [TokenID] = []

  @Flag(help: "Go on past the model's end-of-text tokens.")
  var ignoreEos = false

  @Option(help: "Report log-probabilities with this many alternatives, 0 to 20 (with --json).")
  var logprobs: Int?

  func request(prompt: [TokenID], endOfText: Set<TokenID>) -> GenerationRequest {
    var request = GenerationRequest(prompt: prompt)
    request.sampling.temperature = temperature
    request.sampling.topP = topP
    request.sampling.topK = topK
    request.sampling.minP = minP
    request.sampling.repetitionPenalty = repetitionPenalty
    request.sampling.presencePenalty = presencePenalty
    request.sampling.frequencyPenalty = frequencyPenalty
    for bias in logitBias { request.sampling.logitBias[bias.token] = bias.value }
    request.sampling.seed = seed
    request.stopping.maximumTokens = maxTokens
    request.stopping.minimumTokens = minTokens
    request.stopping.strings = stop
    request.stopping.tokens = Set(stopTokenIds)
    request.stopping.ignoresEndOfText = ignoreEos
    request.stopping.endOfTextTokens = endOfText
    request.logprobCount = logprobs
    return request
  }
}

/// `ID=BIAS`.
struct TokenBias: ExpressibleByArgument {
  let token: TokenID
  let value: Double

  init?(argument: String) {
    let parts = argument.split(separator: "=", omittingEmptySubsequences: false)
    guard parts.count == 2, let token = TokenID(parts[0]), let value = Double(parts[1]) else { return nil }
    (self.token, self.value) = (token, value)
  }
}
