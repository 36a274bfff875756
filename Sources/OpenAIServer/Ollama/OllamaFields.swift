internal import JSON

/// What Ollama's requests have in common, in the words of OpenAI's API, which the endpoints read.
struct OllamaFields {
  let request: JSONFields
  /// The request in the words of OpenAI's API.
  private(set) var translated = JSONObject()
  /// What answers call the model.
  let modelName: String
  /// Whether answers come in pieces: unless the request says otherwise.
  let streams: Bool

  init(_ request: JSONFields, serving: ServingContext) throws(APIError) {
    self.request = request
    let asked = try request.string("model")
    let served = asked.map { Self.servedName($0, serving: serving) }
    try serving.check(modelNamed: served)
    modelName = asked ?? serving.modelName
    streams = try request.bool("stream") ?? true
    translated["model"] = served.map(JSONValue.string)
    translated["stream"] = .bool(streams)
  }

  /// A name without the tag that Ollama's clients add, where the server does not know it with one.
  private static func servedName(_ name: String, serving: ServingContext) -> String {
    let tag = ":latest"
    guard name.hasSuffix(tag), !serving.configuration.servedModelNames.contains(name) else { return name }
    return String(name.dropLast(tag.count))
  }

  /// Whether the request only asks for the model to be there, which it always is: Ollama's clients load models so.
  func isEmpty(_ key: String) -> Bool {
    switch request.value(key) {
    case nil: true
    case .string(let text)?: text.isEmpty
    case .array(let values)?: values.isEmpty
    default: false
    }
  }

  /// Sets a field of OpenAI's API.
  mutating func set(_ key: String, to value: JSONValue?) { translated[key] = value }

  /// How tokens are chosen, where answers end, which form they have.
  ///
  /// - Parameter limit: what the endpoint calls the most tokens of an answer.
  mutating func addGeneration(limit: String) throws(APIError) {
    try addOptions(limit: limit)
    try addFormat()
    try addThinking()
    if try request.bool("logprobs") ?? false {
      set("logprobs", to: true)
      set("top_logprobs", to: request.value("top_logprobs"))
    }
  }

  /// Options that have the same meaning in OpenAI's API or vLLM's, or are refused under their own name.
  private static let sameOptions = [
    "temperature", "top_k", "top_p", "min_p", "seed", "stop", "presence_penalty", "frequency_penalty", "typical_p",
    "tfs_z", "mirostat",
  ]

  /// What fields of OpenAI's API are called here, for errors.
  static let names: [(chat: String, own: String)] =
    [
      ("repetition_penalty", "options.repeat_penalty"), ("max_tokens", "options.num_predict"),
      ("response_format/json_schema/schema", "format"), ("response_format", "format"), ("reasoning_effort", "think"),
    ] + sameOptions.map { ($0, "options." + $0) }

  private mutating func addOptions(limit: String) throws(APIError) {
    guard let options = try request.fields("options") else { return }
    for name in Self.sameOptions { set(name, to: options.value(name)) }
    // Any negative seed is as good as another; Ollama takes -1 for a random one.
    if options.value("seed")?.wholeNumber == -1 { set("seed", to: .null) }
    set("repetition_penalty", to: options.value("repeat_penalty"))
    // -1 and -2: as many as fit.
    if let count = try options.integer("num_predict", in: -2 ... .max), count >= 0 {
      guard count > 0 else { throw options.wrong("num_predict", 0, "1 or more, or -1 for as many as fit") }
      set(limit, to: .integer(count))
    }
  }

  /// `format`: `"json"` or a JSON schema.
  private mutating func addFormat() throws(APIError) {
    switch request.value("format") {
    case nil, .string("")?: break
    case .string("json")?: set("response_format", to: ["type": "json_object"])
    case .object(let schema)?:
      set(
        "response_format", to: ["type": "json_schema", "json_schema": ["name": "format", "schema": .object(schema)]])
    case let other?: throw request.wrong("format", other, "\"json\" or a JSON schema")
    }
  }

  /// `think`: whether, or how much.
  private mutating func addThinking() throws(APIError) {
    switch request.value("think") {
    case nil: break
    case .bool(false)?: set("reasoning_effort", to: "none")
    case .bool(true)?: set("chat_template_kwargs", to: ["enable_thinking": true])
    case .string(let effort)? where ["low", "medium", "high"].contains(effort):
      set("reasoning_effort", to: .string(effort))
    case let other?: throw request.wrong("think", other, "true, false, \"low\", \"medium\" or \"high\"")
    }
  }

  /// Refuses pictures.
  static func refuseImages(_ fields: JSONFields) throws(APIError) {
    guard let images = try fields.array("images"), !images.isEmpty else { return }
    throw .badRequest(
      "\(fields.name("images")) holds \(images.count) pictures; expected none: the model reads text only",
      parameter: fields.name("images"), code: "images_not_supported")
  }

  /// Refuses a field that would change the answer.
  func refuse(_ key: String, _ advice: String) throws(APIError) {
    guard let value = request.value(key), !isEmpty(key) else { return }
    throw .badRequest(
      "\(key) is \(JSONFields.shown(value)), which is not supported; \(advice)", parameter: key,
      reason: "not supported; \(advice)")
  }
}
