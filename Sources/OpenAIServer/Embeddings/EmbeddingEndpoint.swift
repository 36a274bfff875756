internal import Foundation
internal import Hummingbird
internal import JSON
internal import NIOCore

/// `/v1/embeddings`.
struct EmbeddingEndpoint: Sendable {
  let serving: ServingContext

  func handle(_ request: Request, context: ServerRequestContext) async throws -> Response {
    let body = try await serving.body.bytes(of: request)
    let embedding = try await serving.work.run(for: context, steps: ServingContext.readingSteps) { [serving] budget in
      try EmbeddingRequest(BodyReader.object(in: body), serving: serving, budget: budget)
    }
    let hidden = try await embedding.prompts.vectors(serving: serving, context: context)
    return try await serving.work.run(for: context, isNew: false) { [serving] _ in
      var body = ByteBuffer()
      let head: JSONValue = [
        "id": .string("embd-" + context.requestID), "object": "list",
        "created": .integer(Int(Date().timeIntervalSince1970)), "model": .string(serving.modelName),
        "usage": embedding.prompts.usage,
      ]
      body.writeString(head.serialized().dropLast() + ",\"data\":[")
      for (index, hidden) in hidden.enumerated() {
        let vector = embedding.shape.embedding(of: hidden)
        let entry: JSONValue = [
          "object": "embedding", "index": .integer(index),
          "embedding": embedding.isBase64 ? .string(Self.base64(vector)) : Self.numbers(vector),
        ]
        if index > 0 { body.writeString(",") }
        body.writeString(entry.serialized())
      }
      body.writeString("]}")
      return Response(
        status: .ok, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: body))
    }
  }

  static func numbers(_ vector: [Float]) -> JSONValue { .array(vector.map { .number(Double($0)) }) }

  /// The numbers in single precision, lowest byte first.
  private static func base64(_ vector: [Float]) -> String {
    var bytes = [UInt8]()
    bytes.reserveCapacity(4 * vector.count)
    for value in vector {
      for shift in stride(from: 0, to: 32, by: 8) {
        bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> UInt32(shift)))
      }
    }
    return Data(bytes).base64EncodedString()
  }
}

extension PooledPrompts {
  /// `usage` of an answer without tokens of its own.
  var usage: JSONValue { ["prompt_tokens": .integer(tokenCount), "total_tokens": .integer(tokenCount)] }
}
