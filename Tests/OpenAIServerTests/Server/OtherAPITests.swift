import Foundation
import JSON
import OpenAIServer
import TestSupport
import Testing

/// Requests of Ollama's API, llama.cpp's, and for embeddings: fields that do not fit get 400 and are named.
@Suite struct OtherAPITests {
  /// An endpoint, the body of a request that it answers, and fields with values that do not fit.
  struct Example: Sendable, CustomTestStringConvertible {
    let path: String
    let body: String
    let wrong: [(field: String, values: [String])]

    var testDescription: String { path }
  }

  private static let notTexts = ["1", "true", "{}"]
  private static let notNumbers = ["\"1\"", "true", "[]", "{}"]

  private static let generating = [
    Example(
      path: "/api/chat", body: #"{"messages": [{"role": "user", "content": "a"}], "options": {"num_predict": 1}}"#,
      wrong: [
        ("model", notTexts + ["[]"]), ("messages", ["1", "{}", "[1]", "\"a\""]), ("stream", ["1", "\"no\""]),
        ("options", ["1", "[]"]), ("format", ["1", "\"xml\"", "[]", "{\"type\": 3}"]),
        ("think", ["1", "\"much\"", "{}"]),
        ("tools", ["1", "{}", "[1]"]), ("logprobs", ["1"]),
      ]),
    Example(
      path: "/api/generate", body: #"{"prompt": "a", "options": {"num_predict": 1}}"#,
      wrong: [
        ("prompt", notTexts), ("system", notTexts + ["[1]"]), ("raw", ["1"]), ("images", ["1", "[\"x\"]"]),
        ("suffix", ["\"a\"", "1"]), ("context", ["[1]"]), ("template", ["\"a\""]),
      ]),
    Example(path: "/api/show", body: #"{"model": "pair"}"#, wrong: [("model", ["1", "[]", "null"])]),
    Example(
      path: "/completion", body: #"{"prompt": "a", "n_predict": 1}"#,
      wrong: [
        ("prompt", ["1", "{}", "[]", "[[{}]]", "[true]", "[1e30]"]), ("n_predict", notNumbers + ["0.5"]),
        ("n_probs", notNumbers + ["-1", "21"]), ("temperature", notNumbers), ("top_k", notNumbers + ["0.5"]),
        ("seed", notNumbers), ("logit_bias", ["1", "[1]", "[[1]]", "[[1, \"a\"]]", "[[null, 1]]"]),
        ("return_tokens", ["1"]), ("response_fields", ["1", "[1]"]), ("grammar", ["\"root\"", "1"]), ("stream", ["1"]),
      ]),
    Example(
      path: "/apply-template", body: #"{"messages": [{"role": "user", "content": "a"}]}"#,
      wrong: [("messages", ["1", "[]"]), ("tools", ["1", "{}"]), ("add_generation_prompt", ["1"]), ("model", ["1"])]),
    Example(
      path: "/tokenize", body: #"{"content": "a"}"#,
      wrong: [("content", notTexts + ["[]"]), ("with_pieces", ["1"]), ("add_special", ["1"])]),
  ]

  private static let embedding = [
    Example(
      path: "/v1/embeddings", body: #"{"input": "a"}"#,
      wrong: [
        ("input", ["1", "{}", "[]", "[null]", "[[\"a\"]]", "null"]), ("dimensions", notNumbers + ["0", "65"]),
        ("encoding_format", ["1", "\"int8\""]), ("model", ["1"]), ("truncate_prompt_tokens", ["0", "-2", "\"a\""]),
        ("priority", ["1", "\"a\""]),
      ]),
    Example(
      path: "/api/embed", body: #"{"input": ["a"]}"#,
      wrong: [("input", ["1", "{}", "[]", "[1]", "null"]), ("truncate", ["1"]), ("dimensions", ["0"])]),
    Example(path: "/api/embeddings", body: #"{"prompt": "a"}"#, wrong: [("prompt", notTexts + ["[]", "null"])]),
  ]

  private static let reranking = [
    Example(
      path: "/v1/rerank", body: #"{"query": "a", "documents": ["b"]}"#,
      wrong: [
        ("query", notTexts + ["[]", "null"]), ("documents", ["1", "{}", "[]", "[1]", "[{\"text\": 1}]", "null"]),
        ("top_n", notNumbers + ["-1"]), ("return_documents", ["1"]), ("instruction", notTexts),
      ]),
    Example(
      path: "/v1/score", body: #"{"text_1": "a", "text_2": ["b"]}"#,
      wrong: [
        ("text_1", notTexts + ["[]", "[1]", "null", "[\"a\", \"b\"]"]), ("text_2", notTexts + ["[]", "[1]", "null"]),
        ("parse_special", ["1"]),
      ]),
  ]

  private func check(_ examples: [Example], on server: RouterClient) async throws {
    for example in examples {
      let answer = try await server.ask("POST", example.path, body: example.body)
      #expect(answer.status == 200, "\(example.path): \(answer.body)")
      let body = try #require(try JSONValue(parsing: example.body).object)
      for (field, values) in example.wrong {
        for value in values {
          var body = body
          body[field] = try JSONValue(parsing: value)
          let answer = try await server.ask("POST", example.path, body: JSONValue.object(body).serialized())
          let error = try answer.json["error"]
          let message = error?["message"]?.string ?? error?.string
          #expect(answer.status == 400, "\(example.path) \(field) \(value): \(answer.body)")
          #expect(message?.contains(field) == true, "\(example.path) \(field) \(value): \(answer.body)")
          #expect((error?.string != nil) == example.path.hasPrefix("/api/"))
        }
      }
    }
  }

  @Test func `fields of other APIs that generate`() async throws {
    try await withRouter { try await check(Self.generating, on: $0) }
  }

  @Test func `fields of embeddings`() async throws {
    let model = Places.golden.appendingPathComponent("embeddings/lasttoken").path
    try await withRouter(of: model, named: "lasttoken") { try await check(Self.embedding, on: $0) }
  }

  @Test func `fields of rankings`() async throws {
    let model = Places.golden.appendingPathComponent("embeddings/tiny-reranker").path
    try await withRouter(of: model, named: "tiny-reranker") { try await check(Self.reranking, on: $0) }
  }

  @Test func `options of Ollama are named where they do not fit`() async throws {
    try await withRouter { server in
      for (option, value) in [
        ("num_predict", "0.5"), ("num_predict", "-3"), ("temperature", "\"hot\""), ("top_k", "1.5"), ("stop", "[1]"),
        ("mirostat", "1"), ("seed", "{}"),
      ] {
        let answer = try await server.ask(
          "POST", "/api/chat",
          body: "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}], \"options\": {\"\(option)\": \(value)}}")
        #expect(answer.status == 400)
        #expect(try answer.json["error"]?.string?.contains(option) == true, "\(answer.body)")
      }
    }
  }

  @Test func `models cannot be changed, and paths say which methods they take`() async throws {
    try await withRouter { server in
      for path in ["/api/pull", "/api/push", "/api/create", "/api/copy", "/api/blobs/sha256:00"] {
        let answer = try await server.ask("POST", path, body: "{}")
        #expect(answer.status == 400)
        #expect(try answer.json["error"]?.string?.contains(path) == true)
      }
      #expect(try await server.ask("DELETE", "/api/delete", body: "{}").status == 400)
      #expect(try await server.ask("GET", "/api/chat").status == 405)
      #expect(try await server.ask("POST", "/props", body: "{}").status == 405)
      #expect(try await server.ask("GET", "/api/nothing").json["error"]?.string != nil)
    }
  }
}
