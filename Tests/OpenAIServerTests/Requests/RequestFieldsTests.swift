import HTTPTypes
import JSON
import OpenAIServer
import StructuredOutput
import Testing

/// How the fields of a request are read: by JSON's types, and refused by their names.
struct RequestFieldsTests {
  private static let values: [(json: String, type: String)] = [
    ("true", "boolean"), ("false", "boolean"), ("0", "integer"), ("-7", "integer"), ("3.0", "integer"),
    ("9007199254740993", "integer"), ("0.5", "number"), ("-1e-3", "number"), ("18446744073709551616", "number"),
    ("\"\"", "string"), ("\"true\"", "string"), ("\"3\"", "string"), ("[]", "array"), ("[\"a\", \"b\"]", "array"),
    ("{}", "object"), ("{\"a\": 1}", "object"),
  ]

  /// A field, and the types of JSON that its reader takes.
  private static let readers: [(types: Set<String>, read: @Sendable (JSONFields) throws -> Bool)] = [
    (["boolean"], { try $0.bool("field") != nil }), (["integer"], { try $0.integer("field") != nil }),
    (["integer", "number"], { try $0.number("field") != nil }), (["string"], { try $0.string("field") != nil }),
    (["array"], { try $0.array("field") != nil }), (["object"], { try $0.fields("field") != nil }),
    (["string", "array"], { try $0.strings("field") != nil }),
  ]

  private func fields(_ text: String) throws -> JSONFields {
    JSONFields(try #require(try JSONValue(parsing: text).object))
  }

  @Test(arguments: values, readers.indices)
  func `a reader takes values of its types, and names the field, the value and what was expected of others`(
    value: (json: String, type: String), reader: Int
  ) throws {
    let fields = try fields("{\"other\": 1, \"field\": \(value.json)}")
    let (types, read) = Self.readers[reader]
    guard !types.contains(value.type) else {
      #expect(try read(fields))
      return
    }
    let error = #expect(throws: APIError.self) { try read(fields) }
    #expect(error?.status.code == 400 && error?.kind == "invalid_request_error" && error?.parameter == "field")
    #expect(error?.message.hasPrefix("field is ") == true && error?.message.contains("; expected ") == true)
  }

  @Test(arguments: readers.indices)
  func `null is as if the field were not there`(reader: Int) throws {
    #expect(try !Self.readers[reader].read(fields("{\"field\": null}")))
    #expect(try !Self.readers[reader].read(fields("{\"Field\": true}")))
  }

  @Test(arguments: [1...128, 0...0, 0 ... .max, -2...2])
  func `a whole number's bounds are part of its range`(range: ClosedRange<Int>) throws {
    func read(_ number: Int) throws -> Int? { try fields("{\"n\": \(number)}").integer("n", in: range) }
    #expect(try read(range.lowerBound) == range.lowerBound && read(range.upperBound) == range.upperBound)
    var outside = [range.lowerBound - 1]
    if range.upperBound < .max { outside.append(range.upperBound + 1) }
    for number in outside {
      let error = #expect(throws: APIError.self) { try read(number) }
      #expect(error?.message.contains("n is \(number); expected a whole number from \(range.lowerBound) ") == true)
    }
  }

  @Test(arguments: [
    ("{\"tokens\": [1, \"a\"]}", "tokens"), ("{\"tokens\": [1.5]}", "tokens"), ("{\"tokens\": [2147483648]}", "tokens"),
    ("{\"tokens\": [null]}", "tokens"), ("{\"stop\": [\"a\", 1]}", "stop"), ("{\"stop\": [null]}", "stop"),
    ("{\"stream_options\": {\"include_usage\": 1}}", "stream_options.include_usage"),
  ])
  func `an element or a field within is refused by its field's whole name`(body: String, name: String) throws {
    let fields = try fields(body)
    let error = #expect(throws: APIError.self) {
      _ = try (fields.tokens("tokens"), fields.strings("stop"))
      _ = try fields.fields("stream_options")?.bool("include_usage")
    }
    #expect(error?.parameter == name && error?.message.hasPrefix(name + " is ") == true)
  }

  @Test func `one string is a list of one, and numbers that are whole are token ids`() throws {
    #expect(try fields("{\"stop\": \"a\"}").strings("stop") == ["a"])
    #expect(try fields("{\"stop\": [\"a\", \"\"]}").strings("stop") == ["a", ""])
    #expect(try fields("{\"tokens\": [0, 2147483647, 3.0]}").tokens("tokens") == [0, 2_147_483_647, 3])
  }

  @Test func `what clients write is cut short in messages, and is not in the log's reason`() throws {
    let secret = String(repeating: "my diary ", count: 1000)
    for value in ["\"\(secret)\"", "[\(Array(repeating: "\"\(secret)\"", count: 9).joined(separator: ","))]"] {
      let fields = try fields("{\"n\": \(value)}")
      let error = #expect(throws: APIError.self) { try fields.integer("n") }
      #expect(error.map { $0.message.utf8.count < 200 && !$0.reason.contains("diary") } == true)
    }
  }

  // MARK: Parameters that there are not

  /// Parameters of OpenAI's and vLLM's APIs that would change an answer, with their documented defaults.
  private static let refused: [(name: String, defaults: [String])] = [
    ("functions", ["[]"]), ("function_call", ["\"none\""]), ("modalities", ["[\"text\"]"]), ("audio", []),
    ("verbosity", ["\"medium\""]), ("web_search_options", []), ("use_beam_search", ["false"]),
    ("length_penalty", ["1.0", "1"]), ("early_stopping", ["false"]), ("prompt_embeds", []),
    ("kv_transfer_params", []), ("mm_processor_kwargs", ["{}"]),
  ]

  @Test(arguments: refused, [true, false])
  func `a parameter that there is not passes with its default alone`(
    parameter: (name: String, defaults: [String]), inChat: Bool
  ) throws {
    for value in parameter.defaults + ["null"] {
      try UnsupportedFields.refuse(fields("{\"\(parameter.name)\": \(value)}"), inChat: inChat)
    }
    for value in ["{\"type\": \"x\"}", "[\"audio\"]", "\"low\"", "0.5"] {
      let fields = try fields("{\"model\": \"m\", \"\(parameter.name)\": \(value)}")
      let error = #expect(throws: APIError.self) { try UnsupportedFields.refuse(fields, inChat: inChat) }
      #expect(error?.parameter == parameter.name && error?.message.contains("not supported") == true)
    }
  }

  @Test func `what changes no answer passes, and echo is refused for chats alone`() throws {
    let neutral =
      "{\"user\": \"u\", \"metadata\": {\"a\": \"b\"}, \"store\": true, \"service_tier\": \"flex\", \"prompt_cache_key\": \"k\", \"safety_identifier\": \"s\"}"
    for inChat in [true, false] { try UnsupportedFields.refuse(fields(neutral), inChat: inChat) }
    let echo = try fields("{\"echo\": true}")
    try UnsupportedFields.refuse(echo, inChat: false)
    #expect(throws: APIError.self) { try UnsupportedFields.refuse(echo, inChat: true) }
  }

  // MARK: Tools

  private static let tools = """
    "tools": [{"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}, \
    {"type": "function", "function": {"name": "buy", "strict": true}}]
    """

  @Test(arguments: [
    ("", ToolChoice.auto, ["find", "buy"]), (", \"tool_choice\": null", .auto, ["find", "buy"]),
    (", \"tool_choice\": \"auto\"", .auto, ["find", "buy"]), (", \"tool_choice\": \"none\"", .none, []),
    (", \"tool_choice\": \"required\"", .required, ["find", "buy"]),
    (
      ", \"tool_choice\": {\"type\": \"function\", \"function\": {\"name\": \"buy\"}}", .named("buy"), ["find", "buy"]
    ),
    (
      ", \"tool_choice\": {\"type\": \"allowed_tools\", \"allowed_tools\": {\"mode\": \"required\", \"tools\": [{\"type\": \"function\", \"function\": {\"name\": \"find\"}}]}}",
      .required, ["find"]
    ),
  ])
  func `tool_choice says which tools there are and whether one must be called`(
    more: String, choice: ToolChoice, names: [String]
  ) throws {
    let found = try ToolFields(fields("{\(Self.tools)\(more)}"))
    #expect(found.choice == choice && found.definitions.map(\.name) == names)
    #expect(found.descriptions?.count == (names.isEmpty ? nil : 2) && found.allowsSeveralCalls)
  }

  @Test func `without tools there is no choice, and several calls can be excluded`() throws {
    for body in ["{}", "{\"tools\": null}", "{\"tools\": []}", "{\"tool_choice\": \"none\"}"] {
      let found = try ToolFields(fields(body))
      #expect(found.choice == .none && found.descriptions == nil && found.definitions.isEmpty)
    }
    #expect(try !ToolFields(fields("{\(Self.tools), \"parallel_tool_calls\": false}")).allowsSeveralCalls)
  }

  @Test(arguments: [
    ("{\"tools\": {}}", "tools"), ("{\"tools\": [{\"type\": \"function\"}]}", "tools"),
    ("{\"tools\": [{\"type\": \"web_search\"}]}", "tools"),
    ("{\"tools\": [{\"function\": {\"name\": \"a\"}}, {\"function\": {\"name\": \"a\"}}]}", "tools"),
    ("{\"tools\": [{\"function\": {\"name\": \"a\", \"parameters\": \"none\"}}]}", "tools"),
    ("{\"tool_choice\": \"required\"}", "tool_choice"), ("{\(tools), \"tool_choice\": \"always\"}", "tool_choice"),
    ("{\(tools), \"tool_choice\": true}", "tool_choice"),
    ("{\(tools), \"tool_choice\": {\"type\": \"function\", \"function\": {\"name\": \"sell\"}}}", "tool_choice"),
    ("{\(tools), \"parallel_tool_calls\": \"no\"}", "parallel_tool_calls"),
  ])
  func `tools that are not as they should be are refused by their field`(body: String, name: String) throws {
    let fields = try fields(body)
    let error = #expect(throws: APIError.self) { try ToolFields(fields) }
    #expect(error?.status.code == 400 && error?.parameter == name)
  }

  // MARK: Fields of both ways to generate

  @Test func `chats and completions refuse the same values of the fields that they share`() async throws {
    let refused = [
      ("temperature", "\"hot\""), ("temperature", "-0.1"), ("top_p", "1.5"), ("top_p", "true"), ("top_k", "-2"),
      ("min_p", "1.1"), ("n", "0"), ("n", "129"), ("n", "1.5"), ("n", "\"1\""), ("stream", "\"yes\""),
      ("stop", "3"), ("stop", "[1]"), ("stop_token_ids", "[\"a\"]"), ("seed", "0.5"), ("min_tokens", "-1"),
      ("max_tokens", "-1"), ("max_tokens", "\"8\""), ("logit_bias", "[]"), ("logit_bias", "{\"x\": 1}"),
      ("logit_bias", "{\"1\": \"a\"}"), ("ignore_eos", "1"), ("model", "\"another\""), ("model", "7"),
      ("priority", "1"), ("presence_penalty", "\"1\""), ("speculative", "true"),
      ("speculative.num_speculative_tokens", "-1"), ("stream_options.include_usage", "\"yes\""),
    ]
    let prompts = [
      ("/v1/completions", "\"prompt\": \"a\""),
      ("/v1/chat/completions", "\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]"),
    ]
    try await withRouter { server in
      for (path, prompt) in prompts {
        for (name, value) in refused {
          let steps = name.split(separator: ".")
          let field = steps.count > 1 ? "\"\(steps[0])\": {\"\(steps[1])\": \(value)}" : "\"\(name)\": \(value)"
          let answer = try await server.ask("POST", path, body: "{\(prompt), \(field)}")
          #expect(answer.status == (value == "\"another\"" ? 404 : 400), "\(path) \(field) \(answer.body)")
          #expect(try answer.json["error"]?["param"]?.string == name, "\(path) \(field) \(answer.body)")
        }
      }
    }
  }
}
