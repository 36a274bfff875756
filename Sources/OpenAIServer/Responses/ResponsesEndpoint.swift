internal import Decoding
internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import JSON
internal import NIOCore
internal import Tokenization

/// `/v1/responses`: OpenAI's Responses API.
struct ResponsesEndpoint: Sendable {
  let serving: ServingContext

  func create(_ request: Request, context: ServerRequestContext) async throws -> Response {
    let body = try await serving.body.bytes(of: request)
    let asked = try await serving.work.run(for: context, steps: ServingContext.readingSteps) { [serving] budget in
      try ResponsesRequest(BodyReader.object(in: body), serving: serving, budget: budget)
    }
    return try await APIError.renaming(ResponsesRequest.names) {
      try await AnswerJob.answer(
        asked.chat, format: ResponsesFormat(serving: serving, request: asked), warnings: asked.warnings,
        serving: serving, context: context)
    }
  }

  func inputTokens(_ request: Request, context: ServerRequestContext) async throws -> Response {
    let body = try await serving.body.bytes(of: request)
    let count = try await serving.work.run(for: context, steps: ServingContext.readingSteps) { [serving] budget in
      try ResponsesRequest.inputTokens(BodyReader.object(in: body), serving: serving, budget: budget)
    }
    return .json(["object": "response.input_tokens", "input_tokens": .integer(count)])
  }

  // MARK: Kept responses

  func retrieve(_ request: Request, context: ServerRequestContext) throws -> Response {
    if request.uri.queryParameters["stream"] == "true" {
      throw APIError.badRequest(
        "stream is true; expected it to be left out: only a response in the background could be replayed, and there are none",
        parameter: "stream")
    }
    let entry = try serving.responses.known(named(request, context))
    return Response(
      status: .ok, headers: [.contentType: "application/json"],
      body: ResponseBody(byteBuffer: ByteBuffer(bytes: entry.response)))
  }

  func delete(_ request: Request, context: ServerRequestContext) throws -> Response {
    let id = try named(request, context)
    guard serving.responses.remove(id) else { throw APIError.unknownResponse(id) }
    return .json(["id": .string(id), "object": "response", "deleted": true])
  }

  /// Nothing that is kept is still being written.
  func cancel(_ request: Request, context: ServerRequestContext) throws -> Response {
    _ = try serving.responses.known(named(request, context))
    throw APIError.badRequest(
      "Cannot cancel a synchronous response: expected one in the background, and there are none", parameter: nil)
  }

  func inputItems(_ request: Request, context: ServerRequestContext) async throws -> Response {
    let entry = try serving.responses.known(named(request, context))
    let page = try ItemPage(request)
    return try await serving.work.run(for: context) { _ in
      try .json(page.list(of: JSONValue(parsing: entry.input).array ?? []))
    }
  }

  private func named(_ request: Request, _ context: ServerRequestContext) throws -> String {
    let id = try context.parameters.require("id")
    return id.removingPercentEncoding ?? id
  }
}

/// Which of a response's input items are wanted, and in which order.
private struct ItemPage: Sendable {
  private let limit: Int
  private let isAscending: Bool
  private let after: String?

  /// - Throws: 400 for a query that cannot be followed.
  init(_ request: Request) throws(APIError) {
    let query = request.uri.queryParameters
    let wish = query["limit"] ?? "20"
    guard let limit = Int(wish), (1...100).contains(limit) else {
      throw .badRequest("limit is '\(wish.prefix(60))'; expected a whole number from 1 to 100", parameter: "limit")
    }
    self.limit = limit
    switch query["order"] {
    case nil, "desc": isAscending = false
    case "asc": isAscending = true
    case let other?:
      throw .badRequest("order is '\(other.prefix(60))'; expected asc or desc", parameter: "order")
    }
    after = query["after"].map(String.init)
  }

  /// - Throws: 400 when there is no item to begin after.
  func list(of items: [JSONValue]) throws(APIError) -> JSONValue {
    var items = isAscending ? items : items.reversed()
    if let after {
      guard let place = items.firstIndex(where: { $0["id"]?.string == after }) else {
        throw .badRequest("after is '\(after.prefix(60))'; expected the id of an input item", parameter: "after")
      }
      items = Array(items.dropFirst(place + 1))
    }
    let page = Array(items.prefix(limit))
    return [
      "object": "list", "data": .array(page), "has_more": .bool(page.count < items.count),
      "first_id": page.first?["id"] ?? .null, "last_id": page.last?["id"] ?? .null,
    ]
  }
}

extension ResponseStore {
  /// The response of this id.
  ///
  /// - Throws: 404 when there is none, or none any more.
  fileprivate func known(_ id: String) throws(APIError) -> Entry {
    guard let entry = entry(id) else { throw .unknownResponse(id) }
    return entry
  }

  /// The items of the conversation up to and with a response.
  ///
  /// - Throws: 400 when there is none of this id.
  func conversation(of id: String) throws(APIError) -> [JSONValue] {
    guard let entry = entry(id), let input = try? JSONValue(parsing: entry.input).array,
      let response = try? JSONValue(parsing: entry.response)
    else {
      throw .badRequest(
        "Previous response with id '\(id.prefix(100))' not found.", parameter: "previous_response_id",
        code: "previous_response_not_found", reason: "no such response is kept")
    }
    return input + (response["output"]?.array ?? [])
  }
}

extension APIError {
  fileprivate static func unknownResponse(_ id: String) -> APIError {
    APIError(
      .notFound, "Response with id '\(id.prefix(100))' not found.", kind: "invalid_request_error",
      reason: "no such response is kept")
  }
}
