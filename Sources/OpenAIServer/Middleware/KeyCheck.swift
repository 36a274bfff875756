internal import HTTPTypes
internal import Hummingbird

/// Lets only those through who send one of the keys.
struct KeyCheck: RouterMiddleware {
  private let keys: [[UInt8]]

  init(keys: [String]) { self.keys = keys.map { Array($0.utf8) } }

  func handle(
    _ request: Request, context: ServerRequestContext,
    next: (Request, ServerRequestContext) async throws -> Response
  ) async throws -> Response {
    guard keys.isEmpty || isAllowed(request.headers[.authorization]) || isKey(request.headers[.apiKey]) else {
      throw APIError(
        .unauthorized,
        "the API key is missing or wrong; expected the header Authorization: Bearer KEY, or X-Api-Key: KEY",
        kind: "authentication_error", code: "invalid_api_key")
    }
    return try await next(request, context)
  }

  private func isAllowed(_ header: String?) -> Bool {
    let bytes = Array((header ?? "").utf8)
    let scheme = Array("bearer ".utf8)
    guard bytes.count >= scheme.count,
      zip(bytes, scheme).allSatisfy({ $0 | 0x20 == $1 })
    else { return false }
    return SecretComparison.matches(bytes.dropFirst(scheme.count), anyOf: keys)
  }

  /// Whether a header is a key by itself, as clients of Anthropic's API send it.
  private func isKey(_ header: String?) -> Bool {
    guard let header else { return false }
    return SecretComparison.matches(header.utf8, anyOf: keys)
  }
}

extension HTTPField.Name {
  fileprivate static var apiKey: Self { .init(parsed: "x-api-key") ?? .authorization }
}
