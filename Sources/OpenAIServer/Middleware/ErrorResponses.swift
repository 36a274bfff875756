internal import HTTPTypes
internal import Hummingbird
internal import JSON
internal import Logging
internal import NIOCore

/// The outermost layer: gives every request an id, writes one line of log about it, and every error in its API's shape.
struct ErrorResponses: RouterMiddleware {
  let serving: ServingContext

  /// nginx's status for an answer that nobody waits for any more.
  private static let clientClosedRequest = 499

  func handle(
    _ request: Request, context: ServerRequestContext,
    next: (Request, ServerRequestContext) async throws -> Response
  ) async throws -> Response {
    let start = ContinuousClock.now
    var context = context
    if let given = request.headers[.requestID], ServerRequestContext.isAcceptable(id: given) {
      context.requestID = given
    }
    context.logger = serving.logger
    context.logger[metadataKey: "request_id"] = .string(context.requestID)
    var response: Response
    do {
      response = try await next(request, context)
    } catch {
      response = errorResponse(error, request: request, context: context)
    }
    response.headers[.requestID] = context.requestID
    if ErrorShape(path: request.uri.path) == .anthropic { response.headers[.anthropicRequestID] = context.requestID }
    // Errors have to be readable to pages of other origins too.
    CrossOrigin(origins: serving.configuration.allowedOrigins).admit(request, to: &response)
    let (method, handler) = (request.method.rawValue, context.endpointPath ?? "none")
    serving.metrics.observe(method: method, handler: handler, status: response.status.code)
    measure(&response, from: start, method: method, handler: handler)
    context.logger.debug(
      "response",
      metadata: [
        "method": "\(method)", "route": "\(handler)", "status": "\(response.status.code)",
        "seconds": "\((ContinuousClock.now - start) / .seconds(1))",
      ])
    return response
  }

  /// Takes the time that a response needs, streams to their ends.
  private func measure(
    _ response: inout Response, from start: ContinuousClock.Instant, method: String, handler: String
  ) {
    let observe = { @Sendable [metrics = serving.metrics] in
      metrics.observe(method: method, handler: handler, seconds: (ContinuousClock.now - start) / .seconds(1))
    }
    let body = response.body
    guard body.contentLength == nil else { return observe() }
    response.body = ResponseBody { writer in
      defer { observe() }
      try await body.write(writer)
    }
  }

  private func errorResponse(_ error: any Error, request: Request, context: ServerRequestContext) -> Response {
    let apiError: APIError
    switch error {
    case let error as APIError: apiError = error
    case is CancellationError:
      // Nobody is there to read it.
      apiError = APIError(
        .init(code: Self.clientClosedRequest, reasonPhrase: "Client Closed Request"), "cancelled", kind: "server_error")
    case let error as HTTPError where error.status == .notFound:
      apiError = APIError(
        .notFound, "there is nothing at \(request.uri.path); /openapi.json says what there is",
        kind: "invalid_request_error")
    case let error as HTTPError:
      apiError = APIError(error.status, error.body ?? error.status.reasonPhrase, kind: "invalid_request_error")
    default:
      context.logger.error("request failed", metadata: ["error": "\(error)"])
      apiError = APIError(
        .internalServerError, "the request could not be served; the log has the details under \(context.requestID)",
        kind: "server_error")
    }
    if apiError.status.code != Self.clientClosedRequest {
      context.logger.notice(
        "refused",
        metadata: [
          "status": "\(apiError.status.code)", "param": "\(apiError.parameter ?? "")", "reason": "\(apiError.reason)",
        ])
    }
    // What is left of a body that nobody reads would keep the connection busy.
    // Where the next request begins after a malformed one nobody knows.
    if [.contentTooLarge, .requestTimeout].contains(apiError.status) || apiError.code == BodyReader.malformed {
      serving.connections.connection(of: context.channel).close(after: .seconds(2))
    }
    let shape = ErrorShape(path: request.uri.path)
    var response = Response.json(shape.json(apiError, requestID: context.requestID), status: apiError.status)
    for field in apiError.headers { response.headers.append(field) }
    return response
  }
}

extension HTTPField.Name {
  static var requestID: Self { .init(parsed: "x-request-id") ?? .from }
  /// The same under the name that clients of Anthropic's API look for.
  static var anthropicRequestID: Self { .init(parsed: "request-id") ?? .from }
  /// The version of HTTP that the client speaks, as `HTTPVersions` found it.
  static var httpVersion: Self { .init(parsed: HTTPVersions.header) ?? .from }
  /// `X-Accel-Buffering`: whether nginx and its like hold back what they pass on.
  static var accelBuffering: Self { .init(parsed: "x-accel-buffering") ?? .from }
  /// `X-Foretoken-Warning`: what of a request was not heeded.
  static var warnings: Self { .init(parsed: "x-foretoken-warning") ?? .from }
}

extension Response {
  static func json(_ value: JSONValue, status: HTTPResponse.Status = .ok) -> Response {
    Response(
      status: status, headers: [.contentType: "application/json"],
      body: ResponseBody(byteBuffer: ByteBuffer(string: value.serialized())))
  }

  static func text(_ text: String, type: String) -> Response {
    Response(
      status: .ok, headers: [.contentType: type], body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }
}
