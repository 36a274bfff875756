internal import HTTPTypes
internal import Hummingbird
internal import JSON

/// What monitors and people look at.
struct StatusEndpoints: Sendable {
  let serving: ServingContext

  func health(_ request: Request, context: ServerRequestContext) -> Response { Response(status: .ok) }

  func version(_ request: Request, context: ServerRequestContext) -> Response {
    .json(["version": .string(serving.configuration.version)])
  }

  func metrics(_ request: Request, context: ServerRequestContext) -> Response {
    .text(serving.metrics.exposition(), type: "text/plain; version=0.0.4; charset=utf-8")
  }

  func description(_ request: Request, context: ServerRequestContext) -> Response { .json(serving.pages.description) }

  func playground(_ request: Request, context: ServerRequestContext) -> Response {
    var response = Response.text(serving.pages.playground, type: "text/html; charset=utf-8")
    response.headers[.contentSecurityPolicy] =
      "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; frame-ancestors 'none'"
    response.headers[.xContentTypeOptions] = "nosniff"
    return response
  }
}
