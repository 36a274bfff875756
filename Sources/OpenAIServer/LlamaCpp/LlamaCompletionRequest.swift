internal import Decoding
internal import JSON
internal import Tokenization

/// The body of llama.cpp's `/completion`, put into the words of `/v1/completions`.
///
/// https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
struct LlamaCompletionRequest: Sendable {
  let completion: CompletionRequest
  /// The prompts' texts, which answers repeat.
  let promptTexts: [String]
  /// Likeliest tokens to tell beside each; `nil` for none.
  let probabilityCount: Int?
  /// Whether the answer has its token ids.
  let returnsTokens: Bool
  /// The fields that the answer is to have; all when empty.
  let responseFields: [String]

  /// Fields that mean the same there.
  private static let sameFields = [
    "model", "stream", "top_p", "min_p", "presence_penalty", "frequency_penalty", "stop", "ignore_eos", "json_schema",
    "grammar", "response_format", "priority", "parse_special", "speculative", "typical_p", "tfs_z", "mirostat",
    "dynatemp_range", "xtc_probability", "dry_multiplier", "top_n_sigma", "samplers",
  ]

  /// What fields of `/v1/completions` are called here, for errors.
  private static let names: [(chat: String, own: String)] = [
    ("repetition_penalty", "repeat_penalty"), ("max_tokens", "n_predict"), ("logprobs", "n_probs"),
  ]

  init(_ fields: JSONFields, serving: ServingContext, budget: WorkBudget) throws(APIError) {
    try Self.refuse(fields)
    var body = JSONObject()
    for name in Self.sameFields { body[name] = fields.value(name) }
    body["prompt"] = try Self.prompt(fields, serving: serving, budget: budget)
    // Below 0 sampling is greedy.
    body["temperature"] = try fields.number("temperature").map { .number(max($0, 0)) }
    body["top_k"] = try fields.integer("top_k").map { .integer(max($0, 0)) }
    body["repetition_penalty"] = fields.value("repeat_penalty")
    if let seed = try fields.integer("seed"), seed >= 0, seed < Int(UInt32.max) { body["seed"] = .integer(seed) }
    let limits = [try fields.integer("n_predict"), try fields.integer("max_tokens")]
    let limit = limits.lazy.compactMap { $0 }.first ?? -1
    body["max_tokens"] = .integer(limit < 0 ? .max : limit)
    // Nothing is generated, and nothing is echoed: the prompt is only read into the cache.
    if limit == 0 { body["echo"] = true }
    probabilityCount = try fields.integer("n_probs", in: 0...GenerationRequest.maximumLogprobCount)
      .flatMap { $0 > 0 ? $0 : nil }
    body["logprobs"] = probabilityCount.map(JSONValue.integer)
    body["n"] = fields.value("n_cmpl") ?? fields.value("n")
    body["logit_bias"] = try Self.logitBias(fields, serving: serving)
    returnsTokens = try fields.bool("return_tokens") ?? false
    responseFields = try fields.strings("response_fields") ?? []
    completion = try APIError.renaming(Self.names) { () throws(APIError) in
      try CompletionRequest(JSONFields(body), serving: serving, budget: budget)
    }
    promptTexts = completion.prompts.map { serving.tokenizer.decode($0) }
  }

  /// Fields that `UnsupportedFields` does not know, with the values with which they change nothing.
  private static func refuse(_ fields: JSONFields) throws(APIError) {
    let refused: [(name: String, neutral: [JSONValue])] = [
      ("post_sampling_probs", [false]), ("lora", [[]]), ("n_indent", [0]), ("t_max_predict_ms", [0, -1]),
      ("return_progress", [false]), ("input_prefix", [""]), ("input_suffix", [""]), ("input_extra", [[]]),
      ("grammar", [""]),
    ]
    for (name, neutral) in refused {
      guard let value = fields.value(name), !neutral.contains(value) else { continue }
      throw .badRequest(
        "\(name) is \(JSONFields.shown(value)), which is not supported; expected \(name == "grammar" ? "json_schema" : "it to be left out")",
        parameter: name, reason: "not supported")
    }
  }

  // MARK: Prompts

  /// A text, token ids, both in turns, or a list of such prompts: texts and token ids as they are, the others as ids.
  private static func prompt(
    _ fields: JSONFields, serving: ServingContext, budget: WorkBudget
  ) throws(APIError) -> JSONValue {
    let expected = "a string, an array of token ids and strings, or an array of such prompts"
    guard let value = fields.value("prompt") else { throw fields.missing("prompt", expected) }
    guard case .array(let values) = value else { return try one(value, fields, serving, budget, expected) }
    // With a number among them they are the parts of one prompt.
    if values.contains(where: { $0.double != nil }) {
      return .array([try mixed(values, fields, serving, budget, expected)])
    }
    var prompts: [JSONValue] = []
    for value in values {
      if case .array(let parts) = value {
        prompts.append(try mixed(parts, fields, serving, budget, expected))
      } else {
        prompts.append(try one(value, fields, serving, budget, expected))
      }
    }
    return .array(prompts)
  }

  private static func one(
    _ value: JSONValue, _ fields: JSONFields, _ serving: ServingContext, _ budget: WorkBudget, _ expected: String
  ) throws(APIError) -> JSONValue {
    switch value {
    case .string: return value
    case .object(let object):
      let own = JSONFields(object, path: "prompt.")
      if let data = try own.array("multimodal_data"), !data.isEmpty {
        throw own.wrong("multimodal_data", .array(data), "none: the model reads text only")
      }
      guard let text = try own.string("prompt_string") else { throw own.missing("prompt_string", "a string") }
      return .string(text)
    default: throw fields.wrong("prompt", value, expected)
    }
  }

  private static func mixed(
    _ parts: [JSONValue], _ fields: JSONFields, _ serving: ServingContext, _ budget: WorkBudget, _ expected: String
  ) throws(APIError) -> JSONValue {
    let parsesSpecialTokens = try serving.parsesSpecialTokens(fields)
    var tokens: [TokenID] = []
    for (index, part) in parts.enumerated() {
      if let number = part.wholeNumber, let token = TokenID(exactly: number) {
        tokens.append(token)
      } else if let text = part.string {
        tokens += try serving.tokens(
          of: text, parsesSpecialTokens: parsesSpecialTokens, addsSpecialTokens: index == 0,
          mostTokens: serving.engine.maximumLength, budget: budget)
      } else {
        throw fields.wrong("prompt", part, expected)
      }
    }
    return .array(tokens.map { .integer(Int($0)) })
  }

  // MARK: Bias

  /// `[[token or text, bias or false], …]`, or an object by token id as OpenAI has it.
  private static func logitBias(_ fields: JSONFields, serving: ServingContext) throws(APIError) -> JSONValue? {
    guard let value = fields.value("logit_bias") else { return nil }
    guard case .array(let pairs) = value else { return value }
    var biases = JSONObject()
    for pair in pairs {
      guard case .array(let parts) = pair, parts.count == 2, let bias = parts[1] == false ? -100 : parts[1].double
      else {
        throw fields.wrong("logit_bias", pair, "pairs of a token id or a text and a number, or false")
      }
      if let token = parts[0].wholeNumber {
        biases["\(token)"] = .number(bias)
      } else if let text = parts[0].string {
        for token in serving.tokenizer.encodeContinuation(text) { biases["\(token)"] = .number(bias) }
      } else {
        throw fields.wrong("logit_bias", pair, "pairs of a token id or a text and a number, or false")
      }
    }
    return .object(biases)
  }
}
