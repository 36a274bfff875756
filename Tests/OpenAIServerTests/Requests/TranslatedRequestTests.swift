import JSON
import OpenAIServer
import Testing

/// Requests of APIs that are read as chats: what is of the wrong type is refused by the name that it has there.
struct TranslatedRequestTests {
  private static let values: [(json: String, type: String)] = [
    ("true", "boolean"), ("7", "integer"), ("0.5", "number"), ("\"x\"", "string"), ("[]", "array"), ("[7]", "array"),
    ("[null]", "array"), ("[[]]", "array"), ("{}", "object"), ("{\"type\": 7}", "object"),
  ]

  private static let responses: [(field: String, types: Set<String>)] = [
    ("input", ["string"]), ("instructions", ["string"]), ("previous_response_id", []), ("store", ["boolean"]),
    ("tools", []), ("tool_choice", []), ("text", ["object"]), ("reasoning", ["object"]),
    ("max_output_tokens", ["integer"]), ("include", []), ("metadata", []), ("truncation", []),
    ("top_logprobs", ["integer"]), ("background", []), ("parallel_tool_calls", ["boolean"]), ("stream", ["boolean"]),
    ("temperature", ["integer", "number"]), ("top_p", ["number"]), ("seed", ["integer"]), ("speculative", []),
    ("model", []), ("text.format", []), ("reasoning.effort", []), ("reasoning.summary", ["string"]),
    ("text.verbosity", []), ("conversation", []), ("prompt", []),
  ]

  private static let messages: [(field: String, types: Set<String>)] = [
    ("messages", []), ("system", ["string"]), ("max_tokens", ["integer"]), ("stop_sequences", ["string"]),
    ("thinking", []), ("thinking.type", []), ("tools", []), ("tool_choice", []), ("tool_choice.type", []),
    ("output_config", ["object"]), ("output_config.effort", []), ("output_config.format", []),
    ("stream", ["boolean"]), ("temperature", ["integer", "number"]), ("top_p", ["number"]), ("top_k", ["integer"]),
    ("container", []), ("model", []),
  ]

  /// Every field with every type of JSON: 200 for those types that it has, and for empty lists and objects either.
  private func check(
    _ path: String, _ base: [(String, String)], _ fields: [(field: String, types: Set<String>)]
  ) async throws {
    try await withRouter { server in
      for (field, types) in fields {
        for value in Self.values {
          let steps = field.split(separator: ".")
          let inner = steps.count > 1 ? "{\"\(steps[1])\": \(value.json)}" : value.json
          let own = "\"\(steps[0])\": \(inner)"
          let others = base.filter { $0.0 != steps[0] }.map { "\"\($0.0)\": \($0.1)" }
          let body = "{\(([own] + others).joined(separator: ", "))}"
          let answer = try await server.ask("POST", path, body: body)
          let isEmpty = value.json == "[]" || value.json == "{}"
          if types.contains(value.type), !value.json.contains("type") {
            #expect(answer.status == 200, "\(path) \(body) \(answer.body)")
          } else if answer.status != 200 || !isEmpty && value.json != "{\"type\": 7}" {
            #expect((400...404).contains(answer.status), "\(path) \(body) \(answer.body)")
            let message = try answer.json["error"]?["message"]?.string ?? ""
            #expect(
              message.contains(steps[0]) || message.contains("served") || message.contains("not found"),
              "\(path) \(body) \(answer.body)")
          }
        }
      }
    }
  }

  @Test func `a field of a response takes its types alone`() async throws {
    try await check("/v1/responses", [("input", "\"a\""), ("max_output_tokens", "1")], Self.responses)
  }

  @Test func `a field of a message takes its types alone`() async throws {
    let messages = "[{\"role\": \"user\", \"content\": \"a\"}]"
    try await check("/v1/messages", [("messages", messages), ("max_tokens", "1")], Self.messages)
  }

  private static let parts = [
    "7", "null", "[]", "\"a\"", "{}", "{\"type\": 7}", "{\"type\": \"message\"}", "{\"role\": \"user\"}",
    "{\"role\": 7, \"content\": \"a\"}", "{\"role\": \"user\", \"content\": {}}",
    "{\"role\": \"user\", \"content\": [7]}",
    "{\"role\": \"user\", \"content\": [{\"type\": \"input_text\"}]}", "{\"type\": \"function_call\"}",
    "{\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": 7}]}",
    "{\"type\": \"function_call\", \"call_id\": 7, \"name\": \"f\", \"arguments\": \"\"}",
    "{\"type\": \"function_call_output\", \"call_id\": \"c\"}", "{\"type\": \"reasoning\", \"content\": 7}",
    "{\"type\": \"reasoning\", \"content\": [7]}", "{\"role\": \"assistant\", \"content\": [{\"type\": \"tool_use\"}]}",
    "{\"role\": \"user\", \"content\": [{\"type\": \"tool_result\", \"tool_use_id\": \"t\", \"content\": 7}]}",
    "{\"role\": \"assistant\", \"content\": [{\"type\": \"thinking\", \"thinking\": 7}]}",
  ]

  @Test(arguments: parts)
  func `a malformed item or message is refused by its place`(part: String) async throws {
    try await withRouter { server in
      for (path, body, place) in [
        ("/v1/responses", "{\"input\": [\(part)], \"max_output_tokens\": 1}", "input[0]"),
        ("/v1/messages", "{\"messages\": [\(part)], \"max_tokens\": 1}", "messages[0]"),
      ] {
        let answer = try await server.ask("POST", path, body: body)
        #expect(answer.status == 400, "\(path) \(part) \(answer.body)")
        let message = try answer.json["error"]?["message"]?.string
        #expect(message?.hasPrefix(place) == true, "\(path) \(part) \(answer.body)")
      }
    }
  }

  @Test func `errors of messages have their API's shape, those of all others OpenAI's`() async throws {
    try await withRouter({ $0.apiKeys = ["k"] }) { server in
      let message = try await server.ask("POST", "/v1/messages", body: "{}")
      let error = try message.json
      #expect(message.status == 401 && error["type"] == "error" && error["error"]?["type"] == "authentication_error")
      #expect(error["request_id"]?.string != nil)
      let response = try await server.ask("POST", "/v1/responses", body: "{}")
      #expect(try response.status == 401 && response.json["error"]?["code"] == "invalid_api_key")
      let keyed = try await server.ask("POST", "/v1/messages", body: "{}", headers: ["x-api-key: k"])
      #expect(try keyed.status == 400 && keyed.json["error"]?["message"]?.string?.contains("is missing") == true)
      let wrong = try await server.ask("GET", "/v1/models", headers: ["x-api-key: K"])
      #expect(wrong.status == 401)
    }
  }
}
