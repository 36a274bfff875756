internal import Foundation
internal import Hummingbird
internal import JSON

/// `/v1/score` of vLLM: how well each of some texts fits one, or each of as many.
struct ScoreEndpoint: Sendable {
  let serving: ServingContext

  func handle(_ request: Request, context: ServerRequestContext) async throws -> Response {
    let body = try await serving.body.bytes(of: request)
    let prompts = try await serving.work.run(for: context, steps: ServingContext.readingSteps) { [serving] budget in
      let fields = try BodyReader.object(in: body)
      let prompt = try RelevancePrompt(fields, serving: serving, budget: budget)
      return try prompt.prompts(try Self.pairs(fields))
    }
    let scores = try await prompts.vectors(serving: serving, context: context).map(RelevancePrompt.score)
    return .json([
      "id": .string("score-" + context.requestID), "object": "list",
      "created": .integer(Int(Date().timeIntervalSince1970)), "model": .string(serving.modelName),
      "data": .array(
        scores.enumerated().map { ["index": .integer($0), "object": "score", "score": .number($1)] }),
      "usage": prompts.usage,
    ])
  }

  /// `text_1` with each of `text_2`, or one with one; `queries` and `documents` are the same.
  private static func pairs(_ fields: JSONFields) throws(APIError) -> [(query: String, document: String)] {
    func texts(_ names: [String]) throws(APIError) -> (name: String, texts: [String]) {
      for name in names {
        guard let texts = try fields.strings(name) else { continue }
        guard (1...PooledPrompts.most).contains(texts.count) else {
          throw fields.wrong(name, .array(texts.map { .string($0) }), "1 to \(PooledPrompts.most) strings")
        }
        return (name, texts)
      }
      throw fields.missing(names[0], "a string or an array of strings")
    }
    let (first, second) = (try texts(["text_1", "queries"]), try texts(["text_2", "documents"]))
    guard first.texts.count == 1 || first.texts.count == second.texts.count else {
      throw .badRequest(
        "\(first.name) holds \(first.texts.count) strings and \(second.name) \(second.texts.count); expected one string in \(first.name), or as many in both",
        parameter: first.name)
    }
    return second.texts.enumerated().map { (first.texts[first.texts.count == 1 ? 0 : $0], $1) }
  }
}
