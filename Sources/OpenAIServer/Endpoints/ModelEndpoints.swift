internal import Decoding
internal import Foundation
internal import Hummingbird
internal import Inference
internal import JSON
internal import ModelFiles

/// `/v1/models`.
struct ModelEndpoints: Sendable {
  let serving: ServingContext

  func list(_ request: Request, context: ServerRequestContext) -> Response {
    .json(["object": "list", "data": .array(serving.configuration.servedModelNames.map(description))])
  }

  func one(_ request: Request, context: ServerRequestContext) throws -> Response {
    // Names may hold slashes.
    let path = request.uri.path.dropFirst("/v1/models/".count)
    let name = path.removingPercentEncoding ?? String(path)
    try serving.check(modelNamed: name)
    return .json(description(name))
  }

  private func description(_ name: String) -> JSONValue {
    let own = serving.model.target.generation
    var defaults = JSONObject()
    defaults["temperature"] = own.temperature.map(JSONValue.number)
    defaults["top_p"] = own.topP.map(JSONValue.number)
    defaults["top_k"] = own.topK.map(JSONValue.integer)
    defaults["repetition_penalty"] = own.repetitionPenalty.map(JSONValue.number)
    let served = JSONObject(serving.configuration.servedFacts.map { ($0.name, .string($0.value)) })
    return [
      "id": .string(name), "object": "model", "created": .integer(Int(serving.started.timeIntervalSince1970)),
      "owned_by": "foretoken", "task": .string(serving.model.target.task.rawValue), "root": .string(serving.modelName),
      "parent": nil,
      "max_model_len": .integer(serving.engine.maximumLength), "default_sampling_params": .object(defaults),
      "served": .object(served),
    ]
  }
}
