import FlyingSocks
import Foundation
import JSON
import OpenAIServer
import Testing

/// What HTTP asks of a server beside the API.
@Suite struct ProtocolTests {
  private static let chat =
    "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}], \"max_tokens\": 3, \"stream\": true}"

  @Test(
    "a client of HTTP/1.0 gets no chunks, and its connection is closed", arguments: ["", "Connection: keep-alive\r\n"])
  func oldVersion(header: String) async throws {
    try await withServer { server in
      let socket = try await server.send(
        "POST /v1/chat/completions HTTP/1.0\r\n\(header)Content-Type: application/json\r\nContent-Length: \(Self.chat.utf8.count)\r\n\r\n"
          + Self.chat)
      let stream = try await LoopbackServer.response(on: socket)
      #expect(stream.status == 200 && stream.head.hasPrefix("HTTP/1.0"))
      #expect(!stream.head.lowercased().contains("transfer-encoding"))
      #expect(stream.body.hasPrefix("data: {") && stream.events.last == "[DONE]")
      // Reading to the end is reading until it is closed.
      let health = try await LoopbackServer.response(on: try await server.send("GET /health HTTP/1.0\r\n\r\n"))
      #expect(health.status == 200)
    }
  }

  @Test("who speaks HTTP/1.1 has to say whom it calls")
  func missingHost() async throws {
    try await withServer { server in
      for header in ["", "X-Foretoken-HTTP-Version: 1.0\r\n"] {
        let request = "GET /health HTTP/1.1\r\n\(header)Connection: close\r\n\r\n"
        let response = try await LoopbackServer.response(on: try await server.send(request))
        #expect(response.status == 400 && response.body.contains("Host"))
      }
    }
  }

  @Test("a client that waits for leave to send its body gets it, in the order of its requests")
  func leave() async throws {
    try await withServer { server in
      let body = "{\"prompt\": \"Hi\"}"
      let head =
        "POST /tokenize HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n"
      let socket = try await server.send(head + "\r\n")
      let leave = "HTTP/1.1 100 Continue\r\n\r\n"
      #expect(String(decoding: try await socket.read(bytes: leave.utf8.count), as: UTF8.self) == leave)
      try await socket.write(Data((body + head + "Connection: close\r\n\r\n").utf8))
      // The second leave comes after the first answer.
      var text = ""
      while !text.hasSuffix(leave) { text += String(decoding: try await socket.read(bytes: 1), as: UTF8.self) }
      #expect(text.hasPrefix("HTTP/1.1 200") && text.contains("\"count\""))
      try await socket.write(Data(body.utf8))
      #expect(try await LoopbackServer.response(on: socket).status == 200)
    }
  }

  @Test("a body that is said to be too large gets no leave but the refusal")
  func noLeave() async throws {
    try await withServer({ $0.maximumBodyBytes = 1000 }) { server in
      let socket = try await server.send(
        "POST /tokenize HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n"
      )
      #expect(String(decoding: try await socket.read(bytes: 12), as: UTF8.self) == "HTTP/1.1 413")
      try socket.close()
    }
  }

  /// `{"prompt": "Hello"}`.
  private static let compressed = [
    ("gzip", "H4sIAAAAAAACA6tWKijKzy0oUbJSUPJIzcnJV6oFAB+0GYwTAAAA"),
    ("X-GZIP", "H4sIAAAAAAACA6tWKijKzy0oUbJSUPJIzcnJV6oFAB+0GYwTAAAA"),
    ("deflate", "eJyrViooys8tKFGyUlDySM3JyVeqBQBB2QZx"), ("deflate", "q1YqKMrPLShRslJQ8kjNyclXqgUA"),
  ]

  @Test("compressed bodies are unfolded, in every form that clients use", arguments: compressed)
  func compression(encoding: String, body: String) async throws {
    try await withRouter { server in
      let bytes = Array(try #require(Data(base64Encoded: body)))
      let response = try await server.ask("POST", "/tokenize", bytes: bytes, headers: ["Content-Encoding: \(encoding)"])
      #expect(response.status == 200)
      let plain = try await server.ask("POST", "/tokenize", body: "{\"prompt\": \"Hello\"}")
      #expect(try response.json == plain.json)
    }
  }

  @Test("what a body unfolds to is bounded, and what cannot be unfolded is refused")
  func compressionBounds() async throws {
    try await withRouter({ $0.maximumBodyBytes = 50_000 }) { server in
      let large = Array(
        try #require(
          Data(
            base64Encoded:
              "H4sIAAAAAAACA+3BMQ0AIRAAMCuXk4GCN8IGgXzYCN6xwdA2AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAOAtO+c/+lxZIr/a2shzAUkZIGVz6gAA"
          )))
      #expect(
        try await server.ask("POST", "/tokenize", bytes: large, headers: ["Content-Encoding: gzip"]).status == 413)
      let cut = Array(
        try #require(Data(base64Encoded: "H4sIAAAAAAACA6tWKijKzy0oUbJSUPJIzcnJV6oFAB+0GYwTAAAA")).dropLast(9))
      #expect(try await server.ask("POST", "/tokenize", bytes: cut, headers: ["Content-Encoding: gzip"]).status == 400)
      let plain = Array("{\"prompt\": \"Hello\"}".utf8)
      #expect(
        try await server.ask("POST", "/tokenize", bytes: plain, headers: ["Content-Encoding: gzip"]).status == 400)
      let other = try await server.ask("POST", "/tokenize", bytes: plain, headers: ["Content-Encoding: br"])
      #expect(other.status == 415 && other.head.lowercased().contains("accept-encoding: gzip, deflate"))
      #expect(
        try await server.ask("POST", "/tokenize", bytes: plain, headers: ["Content-Encoding: identity"]).status == 200)
    }
  }

  @Test("streams are not to be held back by proxies")
  func unbuffered() async throws {
    try await withRouter { server in
      let stream = try await server.ask("POST", "/v1/chat/completions", body: Self.chat)
      #expect(stream.head.lowercased().contains("x-accel-buffering: no"))
    }
  }

  @Test("a page of an allowed origin may send what headers it likes, and reads errors too")
  func crossOrigin() async throws {
    try await withRouter({
      $0.allowedOrigins = ["http://one.example"]
      $0.apiKeys = ["key"]
    }) { server in
      let origin = "Origin: http://one.example"
      let asked = "authorization,content-type,x-stainless-arch,x-stainless-retry-count"
      let preflight = try await server.ask(
        "OPTIONS", "/v1/chat/completions",
        headers: [origin, "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: \(asked)"])
      #expect(preflight.status == 204)
      #expect(preflight.head.lowercased().contains("access-control-allow-headers: \(asked)"))
      for (path, status) in [("/v1/models", 401), ("/nowhere", 404), ("/health", 200)] {
        let response = try await server.ask("GET", path, headers: [origin])
        let head = response.head.lowercased()
        #expect(response.status == status && head.contains("access-control-allow-origin: http://one.example"))
        #expect(head.contains("access-control-expose-headers: retry-after, x-request-id"))
      }
      let other = try await server.ask("GET", "/health", headers: ["Origin: http://two.example"])
      #expect(!other.head.lowercased().contains("access-control-allow-origin"))
    }
  }
}
