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
    guard keys.isEmpty || isAllowed(request.headers[.authorization]) else {
      throw APIError(
        .unauthorized, "the API key is missing or wrong; expected the header Authorization: Bearer KEY",
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
    let given = bytes.dropFirst(scheme.count)
    // Every key is compared to its end, whatever the result so far.
    return keys.reduce(false) { found, key in Self.areEqual(given, key) || found }
  }

  /// Whether both are equal, in a time that depends only on the length of `given`.
  static func areEqual(_ given: ArraySlice<UInt8>, _ key: [UInt8]) -> Bool {
    var difference = given.count ^ key.count
    for (place, byte) in given.enumerated() {
      difference |= Int(byte ^ (key.isEmpty ? 0xFF : key[place % key.count]))
    }
    return difference == 0
  }
}
