import FlyingSocks
import Foundation
import JSON
import OpenAIServer
import Testing

@Suite struct InferenceServerTests {
  @Test("a chat is answered, whole and as a stream with the same text")
  func chat() async throws {
    try await withServer { server in
      let question = "\"messages\": [{\"role\": \"user\", \"content\": \"Count to ten.\"}], \"max_tokens\": 20"
      let whole = try await server.ask("POST", "/v1/chat/completions", body: "{\(question)}")
      #expect(whole.status == 200)
      let choice = try whole.json["choices"]?.array?.first
      let text = choice?["message"]?["content"]?.string
      #expect(text?.isEmpty == false && choice?["finish_reason"]?.string != nil)

      let stream = try await server.ask(
        "POST", "/v1/chat/completions",
        body: "{\(question), \"stream\": true, \"stream_options\": {\"include_usage\": true}}")
      #expect(stream.status == 200 && stream.head.contains("text/event-stream"))
      #expect(stream.events.last == "[DONE]")
      let chunks = try stream.events.dropLast().map { try JSONValue(parsing: $0) }
      let pieces = chunks.compactMap { $0["choices"]?.array?.first?["delta"]?["content"]?.string }
      #expect(pieces.joined() == text)
      for count in ["prompt_tokens", "completion_tokens", "total_tokens"] {
        #expect(try chunks.last?["usage"]?[count] == whole.json["usage"]?[count])
      }
      #expect(chunks.last?["metrics"]?["speculative_decoding"] != nil)
    }
  }

  @Test("prompt log-probabilities are the same however the prompt is cut into passes")
  func promptLogprobs() async throws {
    try await withRouter { server in
      let body = """
        {"prompt": "\(String(repeating: "one two three ", count: 20))", "echo": true, "logprobs": 1, "max_tokens": 0}
        """
      async let first = server.ask("POST", "/v1/completions", body: body)
      async let second = server.ask("POST", "/v1/completions", body: body)
      let third = try await server.ask("POST", "/v1/completions", body: body)
      let lists = try await [first, second, third].map { try $0.json["choices"]?.array?.first?["logprobs"] }
      #expect(lists[0] != nil && lists[0] == lists[1] && lists[1] == lists[2])
      let scores = lists[0]?["token_logprobs"]?.array ?? []
      #expect(scores.first == .null && scores.count > 40 && !scores.dropFirst().contains(.null))
    }
  }

  @Test(
    "errors have OpenAI's shape and name the field",
    arguments: [
      ("POST", "/v1/chat/completions", "{}", 400, "messages"),
      ("POST", "/v1/completions", "{\"prompt\": \"a\", \"temperature\": \"hot\"}", 400, "temperature"),
      ("POST", "/v1/completions", "{\"prompt\": \"a\", \"model\": \"other\"}", 404, "model"),
      ("POST", "/v1/completions", "{\"prompt\": [1, 2, 3", 400, nil),
      ("GET", "/v1/completions", nil, 405, nil),
      ("GET", "/nothing/here", nil, 404, nil),
      ("POST", "/detokenize", "{\"tokens\": [99999999]}", 400, "tokens"),
    ] as [(String, String, String?, Int, String?)])
  func errors(method: String, path: String, body: String?, status: Int, parameter: String?) async throws {
    try await withRouter { server in
      let response = try await server.ask(method, path, body: body)
      #expect(response.status == status)
      let error = try response.json["error"]
      #expect(error?["message"]?.string?.isEmpty == false && error?["type"]?.string != nil)
      #expect(error?["param"]?.string == parameter)
    }
  }

  @Test("only those with a key get in; the monitors need none")
  func keys() async throws {
    try await withRouter({ $0.apiKeys = ["one", "two"] }) { server in
      #expect(try await server.ask("GET", "/v1/models").status == 401)
      for (key, status) in [("two", 200), ("one", 200), ("three", 401), ("tw", 401)] {
        let response = try await server.ask("GET", "/v1/models", headers: ["Authorization: Bearer \(key)"])
        #expect(response.status == status)
      }
      #expect(try await server.ask("GET", "/health").status == 200)
      #expect(try await server.ask("GET", "/metrics").status == 200)
    }
  }

  @Test("a head or a body beyond its limit is refused and the server goes on")
  func limits() async throws {
    try await withServer({
      $0.maximumBodyBytes = 1000
      $0.maximumHeaderBytes = 2000
    }) { server in
      let body = "{\"prompt\": \"\(String(repeating: "a", count: 2000))\"}"
      let large = try await server.ask("POST", "/tokenize", body: body)
      #expect(large.status == 413)
      let header = "X-Long: " + String(repeating: "a", count: 5000)
      #expect(try await server.ask("GET", "/health", headers: [header]).status == 400)
      #expect(try await server.ask("GET", "/health").status == 200)
    }
  }

  @Test("a client that leaves in the middle of a stream frees its place")
  func departure() async throws {
    try await withServer({
      $0.concurrentRequests = 1
      $0.maximumQueueLength = 0
    }) { server in
      let body = "{\"prompt\": \"a\", \"max_tokens\": 500, \"ignore_eos\": true, \"stream\": true}"
      for _ in 0..<5 {
        var socket = try await server.send(LoopbackServer.request("POST", "/v1/completions", body: body))
        var head = String(decoding: try await socket.read(bytes: 12), as: UTF8.self)
        // The one place may take a moment to become free.
        while head.hasSuffix("429") {
          try socket.close()
          socket = try await server.send(LoopbackServer.request("POST", "/v1/completions", body: body))
          head = String(decoding: try await socket.read(bytes: 12), as: UTF8.self)
        }
        #expect(head == "HTTP/1.1 200")
        try socket.close()
      }
    }
  }

  @Test("two requests on one connection are answered in order")
  func keepAlive() async throws {
    try await withServer { server in
      let first = "GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n"
      let socket = try await server.send(first + LoopbackServer.request("GET", "/nowhere"))
      let response = try await LoopbackServer.response(on: socket)
      #expect(response.status == 200)
      #expect(response.body.contains("\"version\"") && response.body.contains("HTTP/1.1 404"))
    }
  }

  @Test("pages of other origins may call only when their origin is allowed")
  func origins() async throws {
    try await withRouter({ $0.allowedOrigins = ["http://one.example"] }) { server in
      let allowed = try await server.ask("GET", "/v1/models", headers: ["Origin: http://one.example"])
      #expect(allowed.head.lowercased().contains("access-control-allow-origin: http://one.example"))
      let other = try await server.ask("GET", "/v1/models", headers: ["Origin: http://two.example"])
      #expect(!other.head.lowercased().contains("access-control-allow-origin"))
    }
  }

  @Test(
    "a server on loopback answers to its own names, at any port, and to those that it was given",
    arguments: [
      ("localhost", 200), ("LOCALHOST:1", 200), ("127.0.0.1:8000", 200), ("[::1]:8000", 200), ("localhost.", 200),
      ("given.example:80", 200), ("evil.example", 403), ("localhost.evil.example", 403),
      ("127.0.0.1.evil.example", 403),
      ("given.example.evil", 403), ("[::1", 403),
    ])
  func hosts(host: String, status: Int) async throws {
    try await withServer({ $0.allowedHosts = ["Given.example"] }) { server in
      for path in ["/health", "/v1/models", "/", "/nowhere"] {
        let socket = try await server.send("GET \(path) HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n")
        let response = try await LoopbackServer.response(on: socket)
        #expect(response.status == (status == 200 && path == "/nowhere" ? 404 : status), "\(path)")
        if status == 403 { #expect(try response.json["error"]?["code"] == "host_not_allowed") }
      }
    }
  }

  @Test("without a name, or with any allowed, nobody is turned away")
  func anyHost() async throws {
    try await withServer({ $0.allowedHosts = ["*"] }) { server in
      let socket = try await server.send("GET /health HTTP/1.1\r\nHost: any.example\r\nConnection: close\r\n\r\n")
      #expect(try await LoopbackServer.response(on: socket).status == 200)
    }
    try await withServer { server in
      let socket = try await server.send("GET /health HTTP/1.0\r\nConnection: close\r\n\r\n")
      #expect(try await LoopbackServer.response(on: socket).status == 200)
    }
  }
}
