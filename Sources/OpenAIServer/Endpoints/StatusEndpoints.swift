internal import HTTPTypes
internal import Hummingbird
internal import JSON

/// What monitors and people look at.
struct StatusEndpoints: Sendable {
  let serving: ServingContext

  /// vLLM and SageMaker ask for the status alone, llama.cpp's clients read the body.
  func health(_ request: Request, context: ServerRequestContext) -> Response { .json(["status": "ok"]) }

  func version(_ request: Request, context: ServerRequestContext) -> Response {
    .json(["version": .string(serving.configuration.version)])
  }

  func metrics(_ request: Request, context: ServerRequestContext) -> Response {
    .text(serving.metrics.exposition(), type: "text/plain; version=0.0.4; charset=utf-8")
  }

  func description(_ request: Request, context: ServerRequestContext) -> Response { .json(serving.pages.description) }

  /// The page at `/`.
  func playground(_ request: Request, context: ServerRequestContext) -> Response {
    var response = Self.response(serving.pages.playground)
    // Nothing from elsewhere, nothing written into the page, and no text that becomes markup or a script.
    response.headers[.contentSecurityPolicy] =
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; "
      + "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    return response
  }

  /// A script or the style sheet of the page.
  func part(_ request: Request, context: ServerRequestContext) throws -> Response {
    let name = context.parameters.get("name") ?? ""
    guard let file = serving.pages.parts[name] else {
      throw APIError(.notFound, "the page has no part '\(name)'", kind: "invalid_request_error")
    }
    return Self.response(file)
  }

  private static func response(_ file: EmbeddedPages.File) -> Response {
    var response = Response.text(file.text, type: file.type)
    response.headers[.xContentTypeOptions] = "nosniff"
    // The files are of one version; a browser must not mix them with those of the version before.
    response.headers[.cacheControl] = "no-cache"
    return response
  }
}
