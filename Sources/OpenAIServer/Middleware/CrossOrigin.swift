internal import HTTPTypes
internal import Hummingbird

/// Lets web pages of the allowed origins call.
struct CrossOrigin: RouterMiddleware {
  let origins: [String]

  func handle(
    _ request: Request, context: ServerRequestContext,
    next: (Request, ServerRequestContext) async throws -> Response
  ) async throws -> Response {
    guard let origin = request.headers[.origin], origins.contains("*") || origins.contains(origin) else {
      return try await next(request, context)
    }
    var response: Response
    if request.method == .options {
      response = Response(status: .noContent)
      response.headers[.accessControlAllowMethods] = "GET, POST, OPTIONS"
      response.headers[.accessControlAllowHeaders] = "Authorization, Content-Type, X-Request-Id"
      response.headers[.accessControlMaxAge] = "600"
    } else {
      response = try await next(request, context)
    }
    response.headers[.accessControlAllowOrigin] = origins.contains("*") ? "*" : origin
    if !origins.contains("*") { response.headers[.vary] = "Origin" }
    return response
  }
}
