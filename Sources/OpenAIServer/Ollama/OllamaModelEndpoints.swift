internal import Decoding
internal import Foundation
internal import Hummingbird
internal import Inference
internal import JSON
internal import ModelFiles
internal import Tokenization
internal import Transformer

/// What Ollama's clients ask about models: `/api/tags`, `/api/show`, `/api/ps`, `/api/version`, and what would change
/// them, which is refused.
struct OllamaModelEndpoints: Sendable {
  let serving: ServingContext

  /// The version of Ollama whose API this is: clients refuse servers that are older than what they need.
  static let apiVersion = "0.13.0"

  func version(_ request: Request, context: ServerRequestContext) -> Response {
    .json(["version": .string(Self.apiVersion), "foretoken": .string(serving.configuration.version)])
  }

  func tags(_ request: Request, context: ServerRequestContext) -> Response { .json(["models": .array(models { $0 })]) }

  func running(_ request: Request, context: ServerRequestContext) -> Response {
    let models = models { model in
      var model = model
      // It stays for as long as the server does.
      model["expires_at"] = "9999-12-31T23:59:59Z"
      model["size_vram"] = 0
      model["context_length"] = .integer(serving.engine.maximumLength)
      return model
    }
    return .json(["models": .array(models)])
  }

  func show(_ request: Request, context: ServerRequestContext) async throws -> Response {
    let body = try await serving.body.bytes(of: request)
    return try await serving.work.run(for: context) { [serving] _ in
      let fields = try BodyReader.object(in: body)
      // Older clients call the model by its name.
      let named = fields.value("model") == nil ? "name" : "model"
      guard try fields.string(named) != nil else { throw fields.missing("model", "a string") }
      var asked = JSONObject()
      asked["model"] = fields.value(named)
      _ = try OllamaFields(JSONFields(asked), serving: serving)
      return .json(description())
    }
  }

  /// Refuses what would change the models.
  func refuse(_ request: Request, context: ServerRequestContext) throws -> Response {
    throw APIError.badRequest(
      "\(request.uri.path) is not supported: this server serves the model that it was started with; expected `foretoken pull` to fetch another, and `foretoken serve` to serve it",
      parameter: nil, code: "not_supported")
  }

  private func models(_ more: (JSONObject) -> JSONObject) -> [JSONValue] {
    let target = serving.model.target
    let digest = Digest()
    digest.add("\(target.path) \(target.configuration)")
    let identity = digest.hexadecimal()
    return serving.configuration.servedModelNames.map { name in
      .object(
        more(
          JSONObject([
            ("name", .string(name)), ("model", .string(name)),
            ("modified_at", .string(OllamaFormat.time(serving.started))),
            ("size", .integer(serving.model.memory.first?.packedWeights ?? 0)), ("digest", .string(identity)),
            ("details", details),
          ])))
    }
  }

  private var architecture: String { serving.model.target.configuration.architecture.family }

  private var details: JSONValue {
    let target = serving.model.target
    let weights = serving.configuration.servedFacts.first { $0.name == "weights" }?.value ?? ""
    return [
      "parent_model": "", "format": target.path.hasSuffix(".gguf") ? "gguf" : "safetensors",
      "family": .string(architecture), "families": [.string(architecture)],
      "parameter_size": .string(Self.short(target.checkpoint.parameterCount)),
      "quantization_level": .string(weights),
    ]
  }

  private func description() -> JSONValue {
    let target = serving.model.target
    let configuration = target.configuration
    let own = target.generation
    let parameters: [(String, String?)] = [
      ("temperature", own.temperature.map { "\($0)" }), ("top_p", own.topP.map { "\($0)" }),
      ("top_k", own.topK.map { "\($0)" }), ("repeat_penalty", own.repetitionPenalty.map { "\($0)" }),
    ]
    let information: [(String, JSONValue)] = [
      ("general.architecture", .string(architecture)),
      ("general.basename", .string(serving.modelName)),
      ("general.parameter_count", .integer(target.checkpoint.parameterCount)),
      ("\(architecture).context_length", .integer(serving.engine.maximumLength)),
      ("\(architecture).embedding_length", .integer(configuration.hiddenSize)),
      ("\(architecture).block_count", .integer(configuration.layerCount)),
      ("\(architecture).feed_forward_length", .integer(configuration.intermediateSize)),
      ("\(architecture).attention.head_count", .integer(configuration.headCount)),
      ("\(architecture).attention.head_count_kv", .integer(configuration.kvHeadCount)),
      ("\(architecture).vocab_size", .integer(configuration.vocabularySize)),
    ]
    return [
      "modelfile": "", "license": "",
      "parameters": .string(
        parameters.compactMap { name, value in value.map { "\(name) \($0)" } }.joined(separator: "\n")),
      "template": .string(serving.configuration.chatTemplate ?? target.tokenizer.chatTemplate ?? ""),
      "details": details, "model_info": .object(JSONObject(information)),
      "capabilities": .array(capabilities.map { .string($0) }),
      "modified_at": .string(OllamaFormat.time(serving.started)),
    ]
  }

  private var capabilities: [String] {
    switch serving.model.target.task {
    case .embed: return ["embedding"]
    case .rerank: return []
    case .generate:
      let served = try? serving.templates.template(named: nil, hasTools: true)
      return ["completion"] + (served?.toolCallFormat == nil ? [] : ["tools"])
        + (served?.reasoning != nil ? ["thinking"] : [])
    }
  }

  /// "8.2B".
  private static func short(_ count: Int) -> String {
    let sizes = [(1e9, "B"), (1e6, "M"), (1e3, "K")]
    guard let (size, letter) = sizes.first(where: { Double(count) >= $0.0 }) else { return "\(count)" }
    return "\((Double(count) / size * 10).rounded() / 10)\(letter)"
  }
}
