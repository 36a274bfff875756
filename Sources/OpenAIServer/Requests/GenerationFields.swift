internal import Decoding
internal import Inference
internal import JSON
internal import ModelFiles
internal import Tokenization

/// The fields that chat and plain completions share, read into a request for the engine.
struct GenerationFields: Sendable {
  /// Sampling, stopping, speculation; the prompt is still empty.
  var request: GenerationRequest
  /// Answers per prompt.
  let count: Int
  let streams: Bool
  let includesUsage: Bool
  /// Whether every event says what was used up to it.
  let reportsUsageContinuously: Bool
  let returnsTokenIDs: Bool
  let returnsTokenOrigins: Bool
  /// Whether tokens are named by their ids beside their log-probabilities.
  let namesTokensByID: Bool
  /// Whether the prompt's log-probabilities are part of the answer.
  let returnsPromptLogprobs: Bool
  /// Which tokens answers may be made of.
  let filters: TokenFilters
  private let longestPrompt: Int?
  /// Most tokens that a prompt may come to before its beginning is left out.
  let mostTokens: Int

  /// Most answers per prompt.
  static let maximumCount = 128

  init(_ fields: JSONFields, serving: ServingContext, budget: WorkBudget) throws(APIError) {
    try serving.check(modelNamed: fields.string("model"))
    try serving.check(canDo: .generate)
    count = try fields.integer("n", in: 1...Self.maximumCount) ?? 1
    streams = try fields.bool("stream") ?? false
    let streamOptions = try fields.fields("stream_options")
    includesUsage = try streamOptions?.bool("include_usage") ?? false
    reportsUsageContinuously = try streamOptions?.bool("continuous_usage_stats") ?? false
    namesTokensByID = try fields.bool("return_tokens_as_token_ids") ?? false
    filters = try TokenFilters(fields, serving: serving, budget: budget)
    longestPrompt = try Self.longestPrompt(fields, serving: serving)
    mostTokens = longestPrompt == nil ? serving.engine.maximumLength : serving.mostReadTokens
    returnsTokenIDs = try fields.bool("return_token_ids") ?? false
    returnsTokenOrigins = try fields.bool("return_token_origins") ?? false
    if let best = try fields.integer("best_of"), best != count {
      throw .badRequest(
        "best_of is \(best); expected n, which is \(count): answers are not ranked", parameter: "best_of")
    }
    request = GenerationRequest(prompt: [])
    request.sampling = try Self.sampling(fields, defaults: serving.model.target.generation)
    request.stopping = try Self.stopping(fields)
    request.stopping.endOfTextTokens = serving.model.target.endOfTextTokens
    request.skipsSpecialTokens = try fields.bool("skip_special_tokens") ?? true
    let promptCount = try fields.integer("prompt_logprobs", in: 0...GenerationRequest.maximumLogprobCount)
    returnsPromptLogprobs = promptCount != nil
    if promptCount != nil, streams {
      throw .badRequest(
        "prompt_logprobs is set and stream is true; expected one of them: streams begin with the answer",
        parameter: "prompt_logprobs")
    }
    request.promptLogprobCount = promptCount
    request.listsVerifications = serving.configuration.speculationReport == .detailed
    request.listsProposals = try fields.bool("return_token_proposals") ?? false
    request.priority = try Self.priority(fields, serving: serving)
    (request.window, request.method) = try Self.speculation(fields, serving: serving)
  }

  /// Most tokens of a prompt: of a longer one the beginning is left out (`truncate_prompt_tokens`).
  ///
  /// - Parameter room: tokens that have to fit after it.
  static func longestPrompt(
    _ fields: JSONFields, serving: ServingContext, room: Int = 1
  ) throws(APIError) -> Int? {
    guard let count = try fields.integer("truncate_prompt_tokens") else { return nil }
    guard count == -1 || count > 0 else {
      throw fields.wrong("truncate_prompt_tokens", .integer(count), "1 or more, or -1 for as many as fit")
    }
    return count == -1 ? serving.engine.maximumLength - room : count
  }

  /// The end of `prompt` that is read.
  func truncated(_ prompt: [TokenID]) -> [TokenID] { longestPrompt.map { Array(prompt.suffix($0)) } ?? prompt }

  /// How urgent the request is, which it may say only where the server was told to listen.
  static func priority(_ fields: JSONFields, serving: ServingContext) throws(APIError) -> Int {
    guard let priority = try fields.integer("priority"), priority != 0 else { return 0 }
    guard serving.configuration.allowsPriority else {
      throw .badRequest(
        "priority is \(priority); expected 0 or nothing: this server takes requests in their order (--scheduling-policy fcfs)",
        parameter: "priority")
    }
    return priority
  }

  /// One request for each answer, in the order of their indices.
  func requests(for prompts: [[TokenID]]) -> [GenerationRequest] {
    prompts.flatMap { prompt in
      (0..<count).map { index in
        var request = request
        request.prompt = prompt
        // Answers of one request differ although they share its seed.
        request.sampling.seed &+= UInt64(index)
        // What is known of a prompt is the same for all of them.
        if index > 0 { request.promptLogprobCount = nil }
        return request
      }
    }
  }

  /// Sampling as asked for; else as the model's makers suggest; else OpenAI's defaults.
  static func sampling(
    _ fields: JSONFields, defaults: GenerationConfiguration
  ) throws(APIError) -> SamplingParameters {
    var sampling = SamplingParameters()
    sampling.temperature = try fields.number("temperature") ?? defaults.temperature ?? 1
    sampling.topP = try fields.number("top_p") ?? defaults.topP ?? 1
    // vLLM's other way to say "all".
    let topK = try fields.integer("top_k") ?? defaults.topK ?? 0
    sampling.topK = topK == -1 ? 0 : topK
    sampling.minP = try fields.number("min_p") ?? 0
    sampling.repetitionPenalty = try fields.number("repetition_penalty") ?? defaults.repetitionPenalty ?? 1
    sampling.presencePenalty = try fields.number("presence_penalty") ?? 0
    sampling.frequencyPenalty = try fields.number("frequency_penalty") ?? 0
    sampling.seed = try fields.integer("seed").map { UInt64(bitPattern: Int64($0)) } ?? .random(in: .min ... .max)
    if let bias = try fields.fields("logit_bias") {
      for (key, value) in bias.object.pairs {
        guard let token = TokenID(key) else {
          throw .badRequest("logit_bias names '\(key)'; expected token ids as keys", parameter: "logit_bias")
        }
        guard let number = value.double else {
          throw .badRequest(
            "logit_bias gives token \(token) \(JSONFields.shown(value)); expected a number", parameter: "logit_bias")
        }
        sampling.logitBias[token] = number
      }
    }
    return sampling
  }

  private static func stopping(_ fields: JSONFields) throws(APIError) -> StopConditions {
    var stopping = StopConditions()
    stopping.minimumTokens = try fields.integer("min_tokens", in: 0 ... .max) ?? 0
    stopping.strings = try fields.strings("stop") ?? []
    stopping.tokens = Set(try fields.tokens("stop_token_ids") ?? [])
    stopping.includesStopString = try fields.bool("include_stop_str_in_output") ?? false
    stopping.ignoresEndOfText = try fields.bool("ignore_eos") ?? false
    return stopping
  }

  /// `speculative`: `{"enabled": false}` or `{"method": …, "num_speculative_tokens": …}`.
  private static func speculation(
    _ fields: JSONFields, serving: ServingContext
  ) throws(APIError) -> (window: Int?, method: SpeculationMethod?) {
    guard let wish = try fields.fields("speculative") else { return (nil, nil) }
    let (isEnabled, method) = (try wish.bool("enabled"), try wish.string("method"))
    let limit = serving.model.window
    let window = try wish.integer("num_speculative_tokens", in: 0...Swift.max(limit, 0))
    guard isEnabled != false else { return (0, nil) }
    let loaded = serving.configuration.speculationMethods
    if let method, !loaded.contains(where: { $0.rawValue == method }) {
      throw .badRequest(
        "\(wish.name("method")) is '\(method)'; this server speculates with \(loaded.isEmpty ? "nothing" : loaded.map { "'\($0.rawValue)'" }.joined(separator: ", "))",
        parameter: wish.name("method"))
    }
    if isEnabled == true, loaded.isEmpty {
      throw .badRequest(
        "\(wish.name("enabled")) is true; this server was started without speculation", parameter: wish.name("enabled"))
    }
    return (window, loaded.count > 1 ? method.flatMap { SpeculationMethod(rawValue: $0) } : nil)
  }
}
