import FlyingSocks
import Foundation
import OpenAIServer
import TestSupport

/// The shipped pair, served on a free port of this machine while `body` runs: for what sockets make of a request.
func withServer(
  _ change: (inout ServerConfiguration) -> Void = { _ in }, _ body: @Sendable (LoopbackServer) async throws -> Void
) async throws {
  try await withPairServer(change) { port in try await body(LoopbackServer(port: UInt16(port))) }
}

/// A client of a server on this machine.
struct LoopbackServer: Sendable {
  let port: UInt16

  /// A connection on which `request` was sent as it is.
  func send(_ request: String) async throws -> AsyncSocket {
    let socket = try await AsyncSocket.connected(to: .inet(ip4: "127.0.0.1", port: port))
    try await socket.write(Data(request.utf8))
    return socket
  }

  /// A request's text.
  static func request(_ method: String, _ path: String, body: String? = nil, headers: [String] = []) -> String {
    var lines = ["\(method) \(path) HTTP/1.1", "Host: localhost", "Connection: close"] + headers
    if let body { lines += ["Content-Type: application/json", "Content-Length: \(body.utf8.count)"] }
    return lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? "")
  }

  /// The response to a request.
  func ask(_ method: String, _ path: String, body: String? = nil, headers: [String] = []) async throws -> Answer {
    try await Self.response(on: try await send(Self.request(method, path, body: body, headers: headers)))
  }

  /// Reads a connection to its end.
  static func response(on socket: AsyncSocket) async throws -> Answer {
    var bytes: [UInt8] = []
    do { while true { bytes += try await socket.read(atMost: 65536) } } catch SocketError.disconnected {}
    try? socket.close()
    let text = String(decoding: bytes, as: UTF8.self)
    let parts = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
    let head = String(parts[0])
    let status = Int(head.split(separator: " ").dropFirst().first ?? "") ?? 0
    var body = parts.count > 1 ? String(parts[1]) : ""
    if head.lowercased().contains("transfer-encoding: chunked") { body = Self.unchunked(body) }
    return Answer(status: status, head: head, body: body)
  }

  private static func unchunked(_ text: String) -> String {
    var rest = Array(text.utf8)[...]
    var body: [UInt8] = []
    while let end = rest.firstIndex(of: UInt8(ascii: "\r")),
      let size = Int(String(decoding: rest[..<end], as: UTF8.self), radix: 16), size > 0
    {
      body += rest[(end + 2)...].prefix(size)
      rest = rest[(end + 2)...].dropFirst(size + 2)
    }
    return String(decoding: body, as: UTF8.self)
  }
}
