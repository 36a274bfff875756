import ChatTemplates
import JSON
import Testing

/// Messages as clients send them, and what templates see of them.
@Suite struct `Messages of clients` {
  /// Writes text content, and refuses anything else.
  static let plain = "{%- for m in messages %}<{{ m.role }}>{{ m.content + '' }}{%- endfor %}"
  /// Joins parts itself.
  static let ofParts = """
    {%- for m in messages %}<{{ m.role }}>{%- if m.content is string %}{{ m.content }}{%- else -%}
    {%- for p in m.content %}[{{ p.text }}]{%- endfor %}{%- endif %}{%- endfor %}
    """
  static let withDeveloper = plain + "{#- developer #}"

  private func traits(_ source: String) throws -> ChatTemplateTraits {
    ChatTemplateTraits(of: try ChatTemplate(source: source), source: source, context: [:])
  }

  private func message(_ json: String, _ source: String = plain) throws -> ChatMessage {
    try ChatMessage(client: try JSONValue(parsing: json), at: "messages[0]", for: try traits(source))
  }

  @Test(arguments: [
    #"{"role": "assistant", "content": null}"#, #"{"role": "assistant"}"#, #"{"role": "assistant", "content": []}"#,
    #"{"role": "assistant", "content": "", "refusal": null, "audio": null, "tool_calls": [], "name": null}"#,
    #"{"role": "assistant", "tool_calls": null, "function_call": null}"#,
  ]) func `without content have empty text, and nothing of what is null`(json: String) throws {
    let found = try message(json)
    #expect(found.fields == JSONObject([("role", "assistant"), ("content", "")]))
  }

  @Test func `in parts are joined by the template where it does that, and else to lines`() throws {
    let json =
      #"{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "input_text", "text": "b"}, "c"]}"#
    #expect(try message(json)["content"] == "a\nb\nc")
    let parts: JSONValue = [
      ["type": "text", "text": "a"], ["type": "text", "text": "b"], ["type": "text", "text": "c"],
    ]
    #expect(try message(json, Self.ofParts)["content"] == parts)
    #expect(try message(#"{"role": "user", "content": "a"}"#, Self.ofParts)["content"] == "a")
  }

  @Test func `that refuse say so in their text`() throws {
    #expect(try message(#"{"role": "assistant", "content": null, "refusal": "No."}"#)["content"] == "No.")
    let part = #"{"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}"#
    #expect(try message(part)["content"] == "No.")
  }

  @Test(arguments: [
    (#"[{"type": "image_url", "image_url": {"url": "x"}}]"#, "messages[0].content[0]", "image_url"),
    (#"[{"type": "text", "text": "a"}, {"type": "input_audio"}]"#, "messages[0].content[1]", "input_audio"),
    (#"[{"type": "text"}]"#, "messages[0].content[0]", "text"), ("[3]", "messages[0].content[0]", "without a type"),
    ("7", "messages[0].content", "a number"),
  ]) func `with content that is no text are refused by its name`(content: String, path: String, part: String) throws {
    let error = #expect(throws: ChatMessageError.self) { try message(#"{"role": "user", "content": \#(content)}"#) }
    #expect(error?.path == path && error?.message.contains(part) == true)
  }

  @Test(arguments: ["", "\"arguments\": null", "\"arguments\": \"\"", "\"arguments\": \" \"", "\"arguments\": \"{}\""])
  func `that call without arguments call with an empty object`(arguments: String) throws {
    let function = #"{"name": "clock"\#(arguments.isEmpty ? "" : ", ")\#(arguments)}"#
    for json in [
      #"{"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function", "function": \#(function)}]}"#,
      #"{"role": "assistant", "content": null, "function_call": \#(function)}"#,
    ] {
      let call = try message(json)["tool_calls"]?.array?.first?["function"]
      #expect(call == ["name": "clock", "arguments": [:]])
    }
  }

  @Test func `keep arguments that are cut off or no object as they are written`() throws {
    for text in ["{\"a\": ", "[1]"] {
      let call = JSONValue.string(text).serialized()
      let json = #"{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": \#(call)}}]}"#
      #expect(try message(json)["tool_calls"]?.array?.first?["function"]?["arguments"] == .string(text))
    }
  }

  @Test func `of developers are the system's where the template knows no others`() throws {
    let json = #"{"role": "developer", "content": "a"}"#
    #expect(try message(json).role == "system")
    #expect(try message(json, Self.withDeveloper).role == "developer")
    #expect(try message(#"{"role": "function", "name": "f", "content": "1"}"#).role == "tool")
  }

  @Test(arguments: ["reasoning", "reasoning_content"])
  func `have thoughts under both names`(name: String) throws {
    let found = try message(#"{"role": "assistant", "content": "a", "\#(name)": "Hm."}"#)
    #expect(found["reasoning"] == "Hm." && found["reasoning_content"] == "Hm.")
  }

  @Test(arguments: [
    ("3", "messages[0]"), ("{}", "messages[0].role"), (#"{"role": 1}"#, "messages[0].role"),
    (#"{"role": "assistant", "tool_calls": {}}"#, "messages[0].tool_calls"),
    (#"{"role": "assistant", "tool_calls": [{"function": {}}]}"#, "messages[0].tool_calls[0].function"),
    (#"{"role": "assistant", "tool_calls": [{"type": "custom", "custom": {}}]}"#, "messages[0].tool_calls[0].type"),
    (#"{"role": "assistant", "audio": {"id": "a"}}"#, "messages[0].audio"),
  ]) func `that are none are refused with the place`(json: String, path: String) throws {
    let error = #expect(throws: ChatMessageError.self) { try message(json) }
    #expect(error?.path == path)
  }

  @Test func `are written by templates whose traits are found by trying`() throws {
    let tools = try traits("{{ tools }}{%- for m in messages %}{{ m.content }}<end> {%- endfor %}")
    #expect(tools.writesTools && tools.readsText && !tools.readsParts && tools.afterAnswer == "<end>")
    let none = try traits(Self.plain)
    #expect(!none.writesTools && none.thinkingSwitches.isEmpty && none.afterAnswer == "")
    #expect(try traits(Self.plain + "{% if enable_thinking %}x{% endif %}").thinkingSwitches == ["enable_thinking"])
    #expect(try traits("{{ raise_exception('never') }}").afterAnswer == nil)
    // Only lists of parts.
    let lists = try traits("{%- for m in messages %}{%- for p in m.content %}{{ p.text }}{%- endfor %}{%- endfor %}")
    #expect(lists.readsParts && !lists.readsText)
  }

  @Test func `have ids of nine letters and digits where the template insists`() throws {
    let mistral = try TemplateReferences.source("mistral-named-like")
    let template = try ChatTemplate(source: mistral)
    let found = try traits(mistral)
    #expect(found.needsShortCallIDs && !found.readsThinking && !found.refusesSystem)
    #expect(try !traits(TemplateReferences.source("qwen3-like")).needsShortCallIDs)
    let messages = [
      #"{"role": "user", "content": "Q"}"#,
      #"{"role": "assistant", "tool_calls": [{"id": "call_WithMore", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}"#,
      #"{"role": "tool", "tool_call_id": "call_WithMore", "content": "R"}"#,
      #"{"role": "assistant", "tool_calls": [{"id": "abcdefghi", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}"#,
    ]
    let conversation = try messages.map { try message($0, mistral) }
    let text = try template.render(messages: conversation, context: ["bos_token": "", "eos_token": ""])
    let ids = text.split(separator: "[CALL_ID]").dropFirst().map { String($0.prefix { $0 != "[" }) }
    #expect(ids.count == 2 && ids[0].count == 9 && ids[1] == "abcdefghi")
    #expect(text.contains("[TOOL_RESULTS]\(ids[0])[TOOL_CONTENT]R"))
  }

  @Test func `say what they thought in the field that the template reads`() throws {
    let source = try TemplateReferences.source("gpt-oss-like")
    let found = try traits(source)
    #expect(found.readsThinking && found.thinkingSwitches.isEmpty && !found.needsShortCallIDs)
    let json =
      #"{"role": "assistant", "content": "Let me see", "reasoning_content": "Hm", "tool_calls": [{"id": "1", "function": {"name": "f"}}]}"#
    let call = try message(json, source)
    #expect(call["thinking"] == "Hm" && call["content"] == "")
    let answer = try message(#"{"role": "assistant", "content": "Yes", "reasoning": "Hm"}"#, source)
    #expect(answer["thinking"] == "Hm" && answer["content"] == "Yes")
    #expect(try message(json)["thinking"] == nil)
  }

  @Test func `of the system go before the user's first where the template takes none`() throws {
    let refusing = try traits(TemplateReferences.source("gemma2-like"))
    let taking = try traits(TemplateReferences.source("gemma-like"))
    #expect(refusing.refusesSystem && !taking.refusesSystem)
    let messages = [
      ChatMessage(role: "system", content: "S"), ChatMessage(role: "user", content: "Q"),
      ChatMessage(role: "assistant", content: "A"),
    ]
    let folded = ChatMessage.conversation(messages, for: refusing)
    #expect(folded == [ChatMessage(role: "user", content: "S\n\nQ"), messages[2]])
    #expect(ChatMessage.conversation(messages, for: taking) == messages)
    #expect(ChatMessage.conversation(Array(messages.prefix(1)), for: refusing) == Array(messages.prefix(1)))
  }
}
