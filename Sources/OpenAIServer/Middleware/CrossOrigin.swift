internal import HTTPTypes
internal import Hummingbird

/// Lets web pages of the allowed origins call.
struct CrossOrigin: RouterMiddleware {
  let origins: [String]

  /// Headers of answers that pages may read.
  private static let exposed = "Retry-After, X-Request-Id, X-Foretoken-Warning"

  func handle(
    _ request: Request, context: ServerRequestContext,
    next: (Request, ServerRequestContext) async throws -> Response
  ) async throws -> Response {
    guard request.method == .options, admits(request) else { return try await next(request, context) }
    var response = Response(status: .noContent)
    response.headers[.accessControlAllowMethods] = "GET, POST, DELETE, OPTIONS"
    // Clients send headers of their own (`x-stainless-…`): an origin that may call may send what it likes.
    response.headers[.accessControlAllowHeaders] =
      request.headers[.accessControlRequestHeaders] ?? "Authorization, Content-Type, X-Request-Id"
    response.headers[.accessControlMaxAge] = "600"
    return response
  }

  /// Tells the browser that the page may read `response`, when it may.
  func admit(_ request: Request, to response: inout Response) {
    guard !origins.isEmpty else { return }
    if !origins.contains("*") { response.headers[.vary] = "Origin" }
    guard admits(request), let origin = request.headers[.origin] else { return }
    response.headers[.accessControlAllowOrigin] = origins.contains("*") ? "*" : origin
    response.headers[.accessControlExposeHeaders] = Self.exposed
  }

  private func admits(_ request: Request) -> Bool {
    guard let origin = request.headers[.origin] else { return false }
    return origins.contains("*") || origins.contains(origin)
  }
}
