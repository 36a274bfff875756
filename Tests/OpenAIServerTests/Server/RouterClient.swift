import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import OpenAIServer
import TestSupport

/// The shipped pair behind the server's router, without a socket, while `body` runs: for what endpoints answer.
func withRouter(
  _ change: (inout ServerConfiguration) -> Void = { _ in }, _ body: @Sendable (RouterClient) async throws -> Void
) async throws {
  try await pairServer(change).application.test(.router) { client in try await body(RouterClient(client: client)) }
}

/// The model in a directory behind a router, for what it was made for.
func withRouter(
  of directory: String, named name: String, _ body: @Sendable (RouterClient) async throws -> Void
) async throws {
  try await modelServer(of: directory, named: name).application.test(.router) { client in
    try await body(RouterClient(client: client))
  }
}

/// Hands requests to a router in memory.
struct RouterClient: Sendable {
  let client: any TestClientProtocol

  /// The answer to a request.
  ///
  /// - Parameter headers: lines such as `Origin: http://one.example`.
  func ask(_ method: String, _ path: String, body: String? = nil, headers: [String] = []) async throws -> Answer {
    try await ask(method, path, bytes: body.map { Array($0.utf8) }, headers: headers)
  }

  /// The answer to a request whose body need not be text.
  func ask(_ method: String, _ path: String, bytes: [UInt8]?, headers: [String] = []) async throws -> Answer {
    var fields = HTTPFields()
    if bytes != nil { fields[.contentType] = "application/json" }
    for header in headers {
      let parts = header.split(separator: ": ", maxSplits: 1)
      guard parts.count == 2, let name = HTTPField.Name(String(parts[0])) else { throw MalformedHeader(line: header) }
      fields[name] = String(parts[1])
    }
    guard let method = HTTPRequest.Method(method) else { throw MalformedHeader(line: method) }
    let response = try await client.executeRequest(
      uri: path, method: method, headers: fields, body: bytes.map(ByteBuffer.init(bytes:)))
    let lines = ["HTTP/1.1 \(response.status.code)"] + response.headers.map { "\($0.name.rawName): \($0.value)" }
    return Answer(
      status: response.status.code, head: lines.joined(separator: "\r\n"), body: String(buffer: response.body))
  }
}

/// A test's own mistake.
struct MalformedHeader: Error { let line: String }
