import Decoding
import JSON
import StructuredOutput
import TestSupport
import Testing
import Tokenization

/// Calls of tools and thoughts in an assistant's text, whole and in pieces.
@Suite struct ToolCallTests {
  /// What a client would have after all events.
  struct Answer: Equatable {
    struct Call: Equatable {
      var name: String
      var arguments = ""
    }
    var content = ""
    var calls: [Call] = []

    init(_ content: String = "", _ calls: [(String, String)] = []) {
      self.content = content
      self.calls = calls.map { Call(name: $0.0, arguments: $0.1) }
    }

    mutating func add(_ events: [ToolCallParser.Event]) {
      for event in events {
        switch event {
        case .content(let text): content += text
        case .call(let index, let id, let name):
          #expect(index == calls.count && id == "id\(index)")
          calls.append(Call(name: name))
        case .arguments(let index, let text):
          #expect(index == calls.count - 1)
          if calls.indices.contains(index) { calls[index].arguments += text }
        }
      }
    }
  }

  /// The formats that answers can be kept to.
  static let kept = ToolCallFormat.allCases.filter(\.isKept)

  static func parse(_ text: String, _ format: ToolCallFormat, names: Set<String>? = nil, pieces: Int) -> Answer {
    if format == .harmony { return HarmonyTests.parse(text, names: names, pieces: pieces).answer }
    var parser = ToolCallParser(format: format, names: names) { "id\($0)" }
    var answer = Answer()
    var rest = Array(text)[...]
    while !rest.isEmpty {
      answer.add(parser.append(String(rest.prefix(pieces))))
      rest = rest.dropFirst(pieces)
    }
    answer.add(parser.finish())
    return answer
  }

  @Test(
    "calls in Qwen's format are found however the text is cut",
    arguments: [
      ("Hello there", Answer("Hello there")),
      ("<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>", Answer("", [("f", "{\"a\": 1}")])),
      (
        "Let me see.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"s\": \"}</tool_call>\\\"\"}}\n</tool_call>\n<tool_call>\n{\"name\": \"g\", \"arguments\": {}}\n</tool_call>\n",
        Answer("Let me see.", [("f", "{\"s\": \"}</tool_call>\\\"\"}"), ("g", "{}")])
      ),
      (
        "<tool_call>{\"arguments\": {\"b\": [1, {}]}, \"name\": \"f\"}</tool_call>",
        Answer("", [("f", "{\"b\": [1, {}]}")])
      ),
      ("<tool_call>{\"name\": \"f\"}</tool_call>", Answer("", [("f", "{}")])),
      (
        "<tool_call>{\"name\": \"f\", \"arguments\": \"{\\\"a\\\": 1}\"}</tool_call>", Answer("", [("f", "{\"a\": 1}")])
      ),
      (
        "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"é😀\"}}}\n</tool_call>",
        Answer("", [("f", "{\"a\": \"é😀\"}")])
      ),
      // Broken: content, or arguments that break off.
      ("<tool_call>\nnonsense\n</tool_call>", Answer("<tool_call>\nnonsense\n</tool_call>")),
      ("a < b and <tool", Answer("a < b and <tool")),
      ("<tool_call>{\"nam", Answer("<tool_call>{\"nam")),
      ("<tool_call>{\"name\": 3}</tool_call> x", Answer("<tool_call>{\"name\": 3}</tool_call> x")),
      ("<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1", Answer("", [("f", "{\"a\": 1")])),
      ("<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1\n</tool_call>ok", Answer("ok", [("f", "{\"a\": 1\n")])),
      ("<tool_call><tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>", Answer("<tool_call>", [("f", "{}")])),
      (
        "<tool_call>{\"name\": \"h\", \"arguments\": {}}</tool_call>",
        Answer("<tool_call>{\"name\": \"h\", \"arguments\": {}}</tool_call>")
      ),
    ])
  func qwen(text: String, expected: Answer) {
    for pieces in [1, 2, 3, 7, 1_000] {
      #expect(Self.parse(text, .qwen, names: ["f", "g"], pieces: pieces) == expected, "\(pieces)")
    }
  }

  @Test(
    "calls in Llama's format are found however the text is cut",
    arguments: [
      ("Hello {there}", Answer("Hello {there}")),
      ("{\"name\": \"f\", \"parameters\": {\"a\": 1}}", Answer("", [("f", "{\"a\": 1}")])),
      ("\n<|python_tag|>{\"name\": \"f\", \"parameters\": {}}", Answer("", [("f", "{}")])),
      (
        "{\"name\": \"f\", \"parameters\": {\"a\": 1}}; {\"name\": \"g\", \"parameters\": {\"b\": 2}}",
        Answer("", [("f", "{\"a\": 1}"), ("g", "{\"b\": 2}")])
      ),
      ("{\"answer\": 42}", Answer("{\"answer\": 42}")),
      ("{not json", Answer("{not json")),
      ("<|python_tag|>print(1)", Answer("<|python_tag|>print(1)")),
    ])
  func llama(text: String, expected: Answer) {
    for pieces in [1, 2, 3, 7, 1_000] {
      #expect(Self.parse(text, .llama, pieces: pieces) == expected, "\(pieces)")
    }
  }

  @Test("arguments stream as they come, after the call's name")
  func streams() {
    var parser = ToolCallParser(format: .qwen) { "id\($0)" }
    #expect(parser.append("Hi <tool_call>{\"name\": \"f\", ") == [.content("Hi")])
    #expect(
      parser.append("\"arguments\": {\"ci") == [
        .call(index: 0, id: "id0", name: "f"), .arguments(index: 0, text: "{\"ci"),
      ])
    #expect(parser.append("ty\"") == [.arguments(index: 0, text: "ty\"")])
    #expect(parser.append(": 1}}") == [.arguments(index: 0, text: ": 1}")])
    #expect(parser.append("</tool_call>").isEmpty)
    #expect(parser.finish().isEmpty && parser.callCount == 1)
  }

  @Test("no text makes the parser lose its way", arguments: ToolCallFormat.allCases)
  func fuzz(format: ToolCallFormat) {
    var generator = SeededGenerator(seed: 8)
    let parts = [
      "<tool_call>", "</tool_call>", "{", "}", "\"name\"", "\"arguments\"", "\"parameters\"", ":", ",", "\"f\"", "[",
      "]", "\\", "\"",
      " ", "\n", "1", "é", "<", "<|python_tag|>", ";", "[TOOL_CALLS]", "[ARGS]", "f", "<function=", ">",
      "<parameter=", "</parameter>", "</function>",
    ]
    for _ in 0..<2_000 {
      let text = (0..<Int.random(in: 1...14, using: &generator)).map { _ in parts.randomElement(using: &generator) ?? ""
      }
      .joined()
      let whole = Self.parse(text, format, pieces: 1_000)
      #expect(Self.parse(text, format, pieces: 1) == whole, "\(text)")
      // What holds no call stays as it is.
      if whole.calls.isEmpty, !text.contains("</tool_call>") { #expect(whole.content == text) }
    }
  }

  @Test("required calls are calls of the tools with valid arguments", arguments: kept)
  func requiredCalls(format: ToolCallFormat) throws {
    let writer = try RandomWriter()
    let tools = try ToolDefinition.list(
      JSONValue(
        parsing: #"""
          [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object",
            "properties": {"city": {"type": "string", "maxLength": 8}, "days": {"type": "integer", "minimum": 1, "maximum": 7}},
            "required": ["city", "days"]}}},
           {"type": "function", "function": {"name": "now"}}]
          """#))
    let constraint = try writer.compiler.toolCalls(tools, format: format)
    let validator = PlainValidator(root: try #require(tools[0].parameters))
    var count = 0
    for seed in 0..<20 {
      guard let text = try writer.write(constraint, seed: UInt64(seed)) else { continue }
      let answer = Self.parse(text, format, names: ["get_weather", "now"], pieces: 5)
      #expect(answer.content == "" && !answer.calls.isEmpty, "\(text) \(answer)")
      for call in answer.calls where call.name == "get_weather" {
        count += 1
        #expect(validator.isValid(try JSONValue(parsing: call.arguments)), "\(call.arguments)")
      }
    }
    #expect(count > 0)
    let choice = try ToolChoice(["type": "function", "function": ["name": "now"]], tools: tools)
    #expect(choice == .named("now"))
    #expect(throws: ConstraintError.self) {
      try ToolChoice(["type": "function", "function": ["name": "never"]], tools: tools)
    }
  }

  private static let offered = try? ToolDefinition.list(
    JSONValue(
      parsing: #"""
        [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object",
          "properties": {"city": {"type": "string"}, "days": {"type": "integer", "maximum": 7}},
          "required": ["city", "days"]}}},
         {"type": "function", "function": {"name": "search", "parameters": {"type": "object",
          "properties": {"words": {"not": {"type": "null"}}}}}}]
        """#))

  @Test(
    "text is free until a call begins, and the call is kept to its tool",
    arguments: [
      // Format, text, whether all of it is allowed, whether any token may follow.
      (.qwen, "Any text at all, <tool and {\"name\": \"get_weather\"} too", true, true),
      (.qwen, "Let me see. <tool_call>", true, false),
      (.qwen, "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Bonn\", \"days\": 7", true, false),
      (.qwen, "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Bonn\", \"days\": 9", false, true),
      (.qwen, "<tool_call>\n{\"name\": \"other\"", false, true),
      (
        .qwen,
        "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Bonn\", \"days\": 7}}\n</tool_call> and",
        true, true
      ),
      // A schema that cannot be kept to leaves any object.
      (.qwen, "<tool_call>\n{\"name\": \"search\", \"arguments\": {\"words\": null}}\n</tool_call>", true, true),
      (.llama, "Hello", true, true), (.llama, "{\"name\": \"John\", \"age\": 3}", true, true),
      (.llama, "{\"name\": \"get_weather\", \"parameters\": {\"city\": \"B", true, false),
      (.llama, "{\"name\": \"get_weather\", \"parameters\": {\"days\": 1", false, true),
      (.mistral, "Hello [TOOL_", true, false), (.mistral, "[TOOL_CALLS][{\"name\": \"get_weather\"", true, false),
      (.mistral, "[TOOL_CALLS]get_weather", false, true),
      (.mistralNamed, "[TOOL_CALLS]get_weather[ARGS]{\"city\": \"B", true, false),
      (.mistralNamed, "[TOOL_CALLS]get_weather[ARGS]{\"city\": \"B\", \"days\": 7} and", true, true),
      (.mistralNamed, "[TOOL_CALLS]other[ARGS]", false, true),
      (.harmony, "<|channel|>analysis<|message|>to=functions.x<|end|><|start|>assistant<|channel|>comm", true, false),
      (.harmony, "<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{\"city", true, false),
      (.harmony, "<|channel|>commentary to=functions.other", false, true),
    ] as [(ToolCallFormat, String, Bool, Bool)])
  func offeredCalls(format: ToolCallFormat, text: String, isAllowed: Bool, isFree: Bool) throws {
    let writer = try RandomWriter()
    var constraint = try writer.compiler.textOrToolCalls(try #require(Self.offered), format: format)
    let wasAllowed = constraint.advance(byText: text)
    #expect(wasAllowed == isAllowed)
    #expect((constraint.mask == nil) == isFree)
  }

  /// What stands before and after the arguments of a call of `get_weather`.
  private static func marks(of format: ToolCallFormat) -> (head: String, tail: String) {
    switch format {
    case .qwen: ("<tool_call>\n{\"name\": \"get_weather\", \"arguments\": ", "}\n</tool_call>")
    case .qwenCoder: ("<tool_call>\n<function=get_weather>\n", "</function>\n</tool_call>")
    case .llama: ("{\"name\": \"get_weather\", \"parameters\": ", "}")
    case .mistral: ("[TOOL_CALLS][{\"name\": \"get_weather\", \"arguments\": ", "}]")
    case .mistralNamed: ("[TOOL_CALLS]get_weather[ARGS]", "")
    case .harmony: ("<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>", "")
    }
  }

  @Test("beside a form of the answer there is a call or the form, and nothing else", arguments: kept)
  func callOrForm(format: ToolCallFormat) throws {
    let writer = try RandomWriter()
    let form = ResponseFormat.jsonSchema(
      ["type": "object", "properties": ["ok": ["type": "boolean"]], "required": ["ok"], "additionalProperties": false],
      path: "/response_format/json_schema/schema")
    let constraint = try writer.compiler.toolCalls(try #require(Self.offered), orElse: form, format: format)
    let (head, tail) = Self.marks(of: format)
    for (text, isWhole) in [
      ("{\"ok\": true}", true), (head + "{\"city\": \"Bonn\", \"days\": 7}" + tail, true),
      (head + "{\"city\": \"Bonn\", \"days\": 9}" + tail, false), ("Hello", false), ("{\"ok\": 1}", false),
    ] {
      var state = constraint
      let isAllowed = state.advance(byText: text)
      #expect((isAllowed && state.isComplete) == isWhole, "\(text)")
    }
    #expect(constraint.mask != nil)
  }

  @Test("a control token may come where text may, and not within a call", arguments: kept)
  func controlTokens(format: ToolCallFormat) throws {
    let writer = try RandomWriter()
    let control = try #require(writer.tokenizer.id(of: "<|im_start|>"))
    var constraint = try writer.compiler.textOrToolCalls(try #require(Self.offered), format: format)
    #expect(constraint.mask?.contains(control) ?? true)
    constraint.advance(by: control)
    let head = Self.marks(of: format).head + "{"
    var partial = constraint
    let begins = partial.advance(byText: String(head.prefix(format == .llama ? 9 : 5)))
    #expect(begins && partial.mask?.contains(control) ?? true)
    let calls = constraint.advance(byText: head)
    #expect(calls && constraint.mask?.contains(control) == false)
  }

  @Test("a tag that is a control token is text when it is told to be")
  func taggedByControlToken() throws {
    let tokenizer = try Tokenizer(directory: Places.target)
    let tag = try #require(tokenizer.id(of: "<|im_start|>"))
    let compiler = try ConstraintCompiler(tokenizer, endTokens: [8191, 8189], textTokens: [tag])
    var constraint = try compiler.choice(["<|im_start|>yes"])
    #expect(constraint.mask?.contains(tag) == true)
    constraint.advance(by: tag)
    let ends = constraint.advance(byText: "yes")
    #expect(ends && constraint.isComplete)
    let plain = try ConstraintCompiler(tokenizer, endTokens: [8191, 8189]).choice(["<|im_start|>yes"])
    #expect(plain.mask?.contains(tag) == false)
  }

  @Test(
    "arguments are an object whatever the schema says",
    arguments: [
      "{}", "{\"properties\": {\"a\": {}}}", "{\"type\": [\"object\", \"null\"]}", "{\"description\": \"none\"}",
      "null",
    ])
  func argumentsAreObjects(parameters: String) throws {
    let writer = try RandomWriter()
    let tools = try ToolDefinition.list(
      JSONValue(parsing: #"[{"type": "function", "function": {"name": "f", "parameters": \#(parameters)}}]"#))
    for choice in ["required", "auto"] {
      for (arguments, isAllowed) in [("{}", true), ("3", false), ("null", false), ("\"a\"", false), ("[]", false)] {
        var constraint =
          choice == "auto"
          ? try writer.compiler.textOrToolCalls(tools, format: .qwen)
          : try writer.compiler.toolCalls(tools, format: .qwen)
        let goesOn = constraint.advance(
          byText: "<tool_call>\n{\"name\": \"f\", \"arguments\": \(arguments)}\n</tool_call>")
        #expect(goesOn == isAllowed, "\(choice) \(arguments)")
      }
    }
    let wrong = [ToolDefinition(name: "f", parameters: ["type": "string"])]
    #expect(throws: ConstraintError.self) { try writer.compiler.toolCalls(wrong, format: .qwen) }
  }

  @Test("allowed tools are those that are named, in either API's form, and others are refused")
  func allowedTools() throws {
    let tools = [ToolDefinition(name: "a"), ToolDefinition(name: "b")]
    for json in [
      #"{"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "b"}}]}}"#,
      #"{"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "b"}]}"#,
    ] {
      let found = try #require(try ToolChoice.allowed(JSONValue(parsing: json), of: tools))
      #expect(found.choice == .required && found.tools.map(\.name) == ["b"])
    }
    #expect(try ToolChoice.allowed("auto", of: tools) == nil)
    for json in [
      #"{"type": "allowed_tools", "allowed_tools": {"tools": [{"function": {"name": "c"}}]}}"#,
      #"{"type": "allowed_tools", "allowed_tools": {"tools": []}}"#,
      #"{"type": "allowed_tools", "allowed_tools": {"mode": "never", "tools": [{"name": "a"}]}}"#,
    ] {
      #expect(throws: ConstraintError.self) { try ToolChoice.allowed(JSONValue(parsing: json), of: tools) }
    }
  }

  @Test(
    "a call that is cut off leaves no markup in the content",
    arguments: [
      (.qwen, "Well.<tool", "Well."), (.qwen, "<tool_call>", ""), (.qwen, "<tool_call>\n{\"na", ""),
      (.qwen, "Well. <tool_call>\n{\"name\": \"f\", \"argum", "Well."), (.qwen, "a <", "a <"),
      (.llama, "{\"name\": \"f", ""), (.llama, "{\"na", ""), (.llama, "<|python_t", ""),
      (.llama, "{\"answer\": 4", "{\"answer\": 4"), (.llama, "{\"name\": \"John", "{\"name\": \"John"),
      (.mistral, "Well.[TOOL_CALLS][{\"na", "Well."), (.mistralNamed, "[TOOL_CALLS]f[AR", ""),
    ] as [(ToolCallFormat, String, String)])
  func cutCalls(format: ToolCallFormat, text: String, content: String) {
    for size in [1, 3, 100] {
      var parser = ToolCallParser(format: format, names: ["f"]) { "id\($0)" }
      var answer = Answer()
      var rest = Array(text)[...]
      while !rest.isEmpty {
        answer.add(parser.append(String(rest.prefix(size))))
        rest = rest.dropFirst(size)
      }
      answer.add(parser.finish(isCut: true))
      #expect(answer.content == content && answer.calls.isEmpty, "\(size)")
    }
  }

  @Test("in a thought a call is text; after it, a call", arguments: [ReasoningPrefix.open(.think), .allowed(.think)])
  func callsAndThoughts(reasoning: ReasoningPrefix) throws {
    let writer = try RandomWriter()
    var constraint = try writer.compiler.textOrToolCalls(
      try #require(Self.offered), format: .qwen, reasoning: reasoning)
    let thinks = constraint.advance(
      byText: (reasoning == .open(.think) ? "" : "<think>") + "I might write <tool_call>[nothing] here")
    #expect(thinks && constraint.mask == nil)
    let calls = constraint.advance(byText: "</think>\n\n<tool_call>")
    #expect(calls && constraint.mask != nil)
    #expect(constraint.forcedContinuation(maximum: 3).isEmpty == false)
  }

  @Test("a single call is all, and a strict tool's schema is kept to or refused")
  func singleAndStrict() throws {
    let writer = try RandomWriter()
    let end = writer.compiler.vocabulary.endTokens
    var constraint = try writer.compiler.textOrToolCalls(
      [ToolDefinition(name: "now")], format: .qwen, severalCalls: false)
    let calls = constraint.advance(byText: "<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>")
    #expect(calls && constraint.isComplete)
    let mask = try #require(constraint.mask)
    #expect(mask.count == 1 && end.contains { mask.contains($0) })
    let strict = ToolDefinition(name: "f", parameters: ["not": ["type": "null"]], isStrict: true)
    #expect(throws: ConstraintError.self) { try writer.compiler.textOrToolCalls([strict], format: .qwen) }
  }

  @Test("errors in a tool's schema name its path in the request")
  func errorPaths() throws {
    let writer = try RandomWriter()
    let tools = try ToolDefinition.list(
      JSONValue(
        parsing:
          ##"[{"type":"function","function":{"name":"f","parameters":{"properties":{"x":{"not":{"type":"null"}}}}}}]"##)
    )
    let error = #expect(throws: ConstraintError.self) { try writer.compiler.toolCalls(tools, format: .qwen) }
    #expect(error?.path == "/tools/0/function/parameters/properties/x/not")
  }

  @Test(
    "a thought is told from the answer however the text is cut",
    arguments: [
      ("<think>\nHm.\n</think>\n\nYes.", false, "Hm.\n", "Yes."), ("Yes. <think>", false, "", "Yes. <think>"),
      ("Hm.</think>Yes.", true, "Hm.", "Yes."), ("<think></think>\n\nYes.", false, "", "Yes."),
      ("<think>on and on </thi", false, "on and on </thi", ""), ("  <thi", false, "", "  <thi"),
    ])
  func reasoning(text: String, startsInside: Bool, thought: String, content: String) {
    for size in [1, 2, 5, 100] {
      var splitter = ReasoningSplitter(startsInside: startsInside)
      var (gotThought, gotContent) = ("", "")
      var rest = Array(text)[...]
      var pieces: [ReasoningSplitter.Piece] = []
      while !rest.isEmpty {
        pieces += splitter.append(String(rest.prefix(size)))
        rest = rest.dropFirst(size)
      }
      for piece in pieces + splitter.finish() {
        switch piece {
        case .reasoning(let text): gotThought += text
        case .content(let text): gotContent += text
        }
      }
      #expect(gotThought == thought && gotContent == content, "\(size)")
    }
    #expect(ReasoningSplitter.startsInside(prompt: "assistant\n<think>\n"))
  }
}
