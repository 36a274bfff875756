import FlyingSocks
import Foundation
import JSON
import OpenAIServer
import Testing

/// Requests that cause more work than others, as many at a time as there are threads to do it on.
@Suite(.serialized) struct HostileRequestTests {
  private static let atOnce = max(4, ProcessInfo.processInfo.activeProcessorCount)

  private static func text(_ value: JSONValue) -> String { value.serialized() }

  private static func guided(_ schema: JSONValue) -> String {
    text(["prompt": "x", "max_tokens": 2, "guided_json": schema])
  }

  private static func names(_ count: Int) -> JSONValue { .array((0..<count).map { .string("n\($0)") }) }

  private static func properties(_ count: Int) -> JSONValue {
    .object(JSONObject((0..<count).map { ("n\($0)", ["type": "null"]) }))
  }

  static let bodies: [(name: String, body: @Sendable () -> String)] = [
    (
      "allOf",
      {
        var definitions = JSONObject()
        for level in 0..<45 {
          let next: JSONValue = ["$ref": .string("#/$defs/d\(level + 1)")]
          definitions["d\(level)"] = ["allOf": [next, next]]
        }
        definitions["d45"] = ["type": "string"]
        return guided(["$ref": "#/$defs/d0", "$defs": .object(definitions)])
      }
    ),
    ("marks", { text(["prompt": .string("a" + String(repeating: "\u{316}\u{301}", count: 400_000))]) }),
    ("spaces", { text(["prompt": .string(String(repeating: " ", count: 7_900_000))]) }),
    ("enum", { guided(["enum": .array((0..<40_000).map { .integer($0) })]) }),
    (
      "propertyNames",
      { guided(["type": "object", "properties": properties(40_000), "propertyNames": ["enum": names(40_000)]]) }
    ),
    ("required", { guided(["type": "object", "properties": properties(40_000), "required": names(40_000)]) }),
    (
      "oneOf",
      {
        guided([
          "oneOf": .array(
            (0..<500).map { index in
              [
                "type": "object", "required": [.string("a\(index % 7)"), "kind"],
                "properties": ["kind": ["type": "integer", "minimum": .integer(index)]],
              ]
            })
        ])
      }
    ),
    (
      "ambiguous",
      {
        guided([
          "anyOf": .array(
            (1...20).map { ["type": "array", "items": ["$ref": "#"], "maxItems": .integer($0)] })
        ])
      }
    ),
    (
      "stop",
      {
        text([
          "prompt": "hi", "max_tokens": 50,
          "stop": .array((0..<16).map { .string(String(repeating: " ", count: 35_000 + $0)) }),
        ])
      }
    ),
    ("nesting", { "{\"prompt\": " + String(repeating: "[", count: 1_000_000) }),
    ("digits", { "{\"prompt\": [" + String(repeating: "9", count: 4_000_000) + "]}" }),
  ]

  @Test("as many hostile requests as there are threads are all answered", arguments: bodies.indices)
  func answered(index: Int) async throws {
    let body = Self.bodies[index].body()
    try await withRouter { server in
      try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<Self.atOnce {
          group.addTask { try await server.ask("POST", "/v1/completions", body: body).status }
        }
        let health = try await server.ask("GET", "/health")
        #expect(health.status == 200)
        for try await status in group { #expect([200, 400, 429].contains(status), "\(Self.bodies[index].name)") }
      }
      #expect(try await server.ask("POST", "/v1/completions", body: "{\"prompt\": \"a\"}").status == 200)
    }
  }

  @Test("health and metrics are answered while every thread for requests is taken")
  func healthBesideWork() async throws {
    // Forty thousand names take the request threads a while; none of them serves connections.
    let body = Self.bodies[4].body()
    try await withServer { server in
      try await withThrowingTaskGroup(of: Bool.self) { group in
        for _ in 0..<Self.atOnce {
          group.addTask { try await server.ask("POST", "/v1/completions", body: body).status > 0 }
        }
        // One of them is done last, and until then there are answers.
        group.addTask {
          for _ in 0..<10 {
            let health = try await server.ask("GET", "/health")
            let metrics = try await server.ask("GET", "/metrics")
            guard health.status == 200, metrics.status == 200 else { return false }
          }
          return true
        }
        for try await isAnswered in group { #expect(isAnswered) }
      }
    }
  }

  @Test("work for a client that has gone ends, and the next one's is done")
  func departure() async throws {
    let body = Self.bodies[4].body()
    try await withServer { server in
      for _ in 0..<8 {
        let socket = try await server.send(LoopbackServer.request("POST", "/v1/completions", body: body))
        try socket.close()
      }
      #expect(try await server.ask("POST", "/v1/completions", body: "{\"prompt\": \"a\"}").status == 200)
    }
  }

  @Test("echoes with log-probabilities of many answers to a long prompt are refused by what they would hold")
  func echoes() async throws {
    try await withRouter { server in
      let prompt = String(repeating: "one two three ", count: 160)
      let many = try await server.ask(
        "POST", "/v1/completions",
        body: Self.text([
          "prompt": .string(prompt), "echo": true, "logprobs": 20, "n": 128, "max_tokens": 1,
        ]))
      #expect(many.status == 400)
      let parameter = try many.json["error"]?["param"]?.string
      #expect(parameter == "n")
      let few = try await server.ask(
        "POST", "/v1/completions",
        body: Self.text(["prompt": .string(prompt), "echo": true, "logprobs": 1, "n": 2, "max_tokens": 1, "seed": 1]))
      #expect(few.status == 200)
      let lists = try few.json["choices"]?.array?.map { $0["logprobs"]?["token_logprobs"]?.array?.dropLast() }
      #expect(lists?.count == 2 && lists?.first == lists?.last && lists?.first??.count ?? 0 > 100)
    }
  }

  @Test(
    "malformed chunks and a missing or second Host are the client's fault",
    arguments: [
      ("Host: localhost\r\nTransfer-Encoding: chunked", "zz\r\nabc\r\n0\r\n\r\n", 400),
      ("Host: localhost\r\nTransfer-Encoding: chunked", "-1\r\nabc", 400),
      ("Host: localhost\r\nTransfer-Encoding: chunked", "fffffffffffffffffff\r\nabc", 400),
      ("Host: localhost\r\nTransfer-Encoding: chunked", "3\r\nabcd\r\n0\r\n\r\n", 400),
      ("Content-Length: 2", "{}", 400), ("Host:\r\nContent-Length: 2", "{}", 400),
      ("Host: localhost\r\nHost: localhost\r\nContent-Length: 2", "{}", 400),
      ("Host: localhost\r\nhOST: example.com\r\nContent-Length: 2", "{}", 400),
    ])
  func malformedRequests(head: String, body: String, status: Int) async throws {
    try await withServer { server in
      let text =
        "POST /v1/completions HTTP/1.1\r\nContent-Type: application/json\r\nConnection: close\r\n\(head)\r\n\r\n\(body)"
      let response = try await LoopbackServer.response(on: try await server.send(text))
      #expect(response.status == status)
      let health = try await server.send("GET /health HTTP/1.0\r\nConnection: close\r\n\r\n")
      let old = try await LoopbackServer.response(on: health)
      #expect(old.status == 200, "HTTP/1.0 need not name a host")
    }
  }

  @Test("a priority is taken where the server was told to, and refused by name elsewhere")
  func priority() async throws {
    let body = "{\"prompt\": \"a\", \"max_tokens\": 1, \"priority\": 3}"
    try await withRouter { server in
      let refused = try await server.ask("POST", "/v1/completions", body: body)
      #expect(refused.status == 400)
      let parameter = try refused.json["error"]?["param"]?.string
      #expect(parameter == "priority")
      let plain = try await server.ask("POST", "/v1/completions", body: "{\"prompt\": \"a\", \"priority\": 0}")
      #expect(plain.status == 200)
    }
    try await withRouter({ $0.allowsPriority = true }) { server in
      let taken = try await server.ask("POST", "/v1/completions", body: body)
      #expect(taken.status == 200)
    }
  }
}
