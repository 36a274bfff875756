internal import HTTPTypes
internal import Hummingbird

/// Lets only requests through that call the server by one of its names.
///
/// A page whose own name was made to point to this machine (DNS rebinding) reads what it likes from a server that does
/// not look at names: to the browser both are one origin.
struct HostCheck: RouterMiddleware {
  /// Names in lower case; `nil` lets everyone through.
  private let names: Set<String>?

  /// - Parameters:
  ///   - listening: the address that the server listens on.
  ///   - allowed: further names; `*` stands for any.
  init(listening: String, allowed: [String]) {
    guard !allowed.contains("*"), Self.isLoopback(listening) || !allowed.isEmpty else {
      names = nil
      return
    }
    let own = ["localhost", "127.0.0.1", "::1", Self.name(in: listening)]
    names = Set(own + allowed.map(Self.name))
  }

  func handle(
    _ request: Request, context: ServerRequestContext,
    next: (Request, ServerRequestContext) async throws -> Response
  ) async throws -> Response {
    try checkPresence(request)
    guard let names, let host = request.head.authority, !names.contains(Self.name(in: host)) else {
      return try await next(request, context)
    }
    throw APIError(
      .forbidden,
      "the header Host is '\(host.prefix(100))'; expected localhost, or a name that --allowed-hosts gives",
      kind: "permission_error", code: "host_not_allowed")
  }

  /// RFC 9112 3.2: a request of HTTP/1.1 names its host, once; browsers always do. Who disagrees about which of two is
  /// meant can be played off against each other.
  private func checkPresence(_ request: Request) throws(APIError) {
    let others = request.headers.count { $0.name.canonicalName == "host" }
    let isMissing = (request.head.authority ?? "").isEmpty && request.headers[.httpVersion] != "1.0"
    guard others > 0 || isMissing else { return }
    let found = others > 0 ? "is given \(others + 1) times" : "is missing"
    throw APIError(
      .badRequest, "the header Host \(found); expected it once", kind: "invalid_request_error")
  }

  private static func isLoopback(_ host: String) -> Bool {
    let name = name(in: host)
    return name == "localhost" || name == "::1" || name.hasPrefix("127.")
  }

  /// `[::1]:8000` and `LocalHost:80.` without port, brackets and case.
  static func name(in authority: String) -> String {
    var name = authority.lowercased()[...]
    if name.hasPrefix("["), let end = name.firstIndex(of: "]") { return String(name[..<end].dropFirst()) }
    // An address of IPv6 without brackets has no port.
    if let colon = name.firstIndex(of: ":"), colon == name.lastIndex(of: ":") { name = name[..<colon] }
    return String(name.hasSuffix(".") ? name.dropLast() : name)
  }
}
