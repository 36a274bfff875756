internal import JSON

/// The turns of a conversation as Anthropic's API has them, and the messages of a chat that they are.
struct MessagesInput {
  private(set) var messages: [JSONValue] = []
  /// Whether the answer goes on with the last message.
  private(set) var continuesLast = false

  init(_ fields: JSONFields) throws(APIError) {
    if let system = fields.value("system") {
      messages.append(["role": "system", "content": try Self.texts(system, at: "system")])
    }
    guard let turns = try fields.array("messages") else { throw fields.missing("messages", "an array of messages") }
    guard !turns.isEmpty else { throw fields.wrong("messages", [], "at least one message") }
    for (index, turn) in turns.enumerated() {
      let path = "messages[\(index)]"
      guard case .object(let object) = turn else { throw Self.wrong(path, turn, "an object") }
      let content = object["content"] ?? .null
      switch object["role"] ?? .null {
      case "user": try add(user: content, at: path + ".content")
      case "assistant": try add(assistant: content, at: path + ".content")
      case "system":
        messages.append(["role": "system", "content": try Self.texts(content, at: path + ".content")])
      case let role: throw Self.wrong(path + ".role", role, "\"user\" or \"assistant\"")
      }
    }
    continuesLast = turns.last?["role"] == "assistant"
  }

  /// Results of tools are messages of their own, before what the user says.
  private mutating func add(user content: JSONValue, at path: String) throws(APIError) {
    var texts: [JSONValue] = []
    for (block, place) in try Self.blocks(content, at: path) {
      switch block["type"] ?? .null {
      case "text": texts.append(try Self.text(block, at: place))
      case "tool_result":
        guard let id = block["tool_use_id"]?.string else {
          throw Self.wrong(place + ".tool_use_id", block["tool_use_id"] ?? .null, "the id of a tool_use block")
        }
        let result = block["content"].flatMap { $0 == .null ? nil : $0 } ?? ""
        messages.append([
          "role": "tool", "tool_call_id": .string(id), "content": try Self.texts(result, at: place + ".content"),
          "is_error": block["is_error"] == true ? true : .null,
        ])
      case let type: throw Self.wrong(type, at: place, "text or tool_result")
      }
    }
    if !texts.isEmpty { add(JSONObject([("role", "user"), ("content", .array(texts))])) }
  }

  private mutating func add(assistant content: JSONValue, at path: String) throws(APIError) {
    var (texts, thoughts, calls): ([JSONValue], [String], [JSONValue]) = ([], [], [])
    for (block, place) in try Self.blocks(content, at: path) {
      switch block["type"] ?? .null {
      case "text": texts.append(try Self.text(block, at: place))
      case "thinking":
        guard let thought = block["thinking"]?.string else {
          throw Self.wrong(place + ".thinking", block["thinking"] ?? .null, "a string")
        }
        if !thought.isEmpty { thoughts.append(thought) }
      // Nobody but its maker can read it.
      case "redacted_thinking": continue
      case "tool_use":
        guard let id = block["id"]?.string else { throw Self.wrong(place + ".id", block["id"] ?? .null, "a string") }
        guard let name = block["name"]?.string else {
          throw Self.wrong(place + ".name", block["name"] ?? .null, "a string")
        }
        guard let input = block["input"], case .object = input else {
          throw Self.wrong(place + ".input", block["input"] ?? .null, "an object")
        }
        let function: JSONValue = ["name": .string(name), "arguments": input]
        calls.append(["id": .string(id), "type": "function", "function": function])
      case let type: throw Self.wrong(type, at: place, "text, thinking or tool_use")
      }
    }
    var message = JSONObject([("role", "assistant"), ("content", .array(texts))])
    if !thoughts.isEmpty { message["reasoning_content"] = .string(thoughts.joined(separator: "\n")) }
    if !calls.isEmpty { message["tool_calls"] = .array(calls) }
    add(message)
  }

  /// Adds a message; one of the same role as the last one is a part of it.
  private mutating func add(_ message: JSONObject) {
    guard case .object(var last)? = messages.last, last["role"] == message["role"], last["tool_calls"] == nil,
      message["reasoning_content"] == nil
    else { return messages.append(.object(message)) }
    last["content"] = .array((last["content"]?.array ?? []) + (message["content"]?.array ?? []))
    if let calls = message["tool_calls"] { last["tool_calls"] = calls }
    messages[messages.count - 1] = .object(last)
  }

  // MARK: Blocks

  /// The blocks of a content, with their places.
  private static func blocks(
    _ content: JSONValue, at path: String
  ) throws(APIError) -> [(block: JSONObject, place: String)] {
    switch content {
    case .string(let text): return [(JSONObject([("type", "text"), ("text", .string(text))]), path)]
    case .array(let values):
      var blocks: [(block: JSONObject, place: String)] = []
      for (index, value) in values.enumerated() {
        guard case .object(let block) = value else { throw wrong("\(path)[\(index)]", value, "an object") }
        blocks.append((block, "\(path)[\(index)]"))
      }
      return blocks
    default: throw wrong(path, content, "a string or an array of content blocks")
    }
  }

  /// Content that is nothing but text, as parts of a chat's message.
  private static func texts(_ content: JSONValue, at path: String) throws(APIError) -> JSONValue {
    var texts: [JSONValue] = []
    for (block, place) in try blocks(content, at: path) {
      guard block["type"] == "text" else { throw wrong(block["type"] ?? .null, at: place, "text") }
      texts.append(try text(block, at: place))
    }
    return .array(texts)
  }

  private static func text(_ block: JSONObject, at place: String) throws(APIError) -> JSONValue {
    guard let text = block["text"]?.string else { throw wrong(place + ".text", block["text"] ?? .null, "a string") }
    return ["type": "text", "text": .string(text)]
  }

  private static func wrong(_ path: String, _ value: JSONValue, _ expected: String) -> APIError {
    let found = value == .null ? "missing" : JSONFields.shown(value)
    return .badRequest("\(path) is \(found); expected \(expected)", parameter: path, reason: "expected \(expected)")
  }

  private static func wrong(_ type: JSONValue, at place: String, _ expected: String) -> APIError {
    guard let type = type.string else { return wrong(place + ".type", type, expected) }
    return .badRequest(
      "\(place) is a block of type '\(type.prefix(60))'; expected \(expected): the model reads text only",
      parameter: place, reason: "a block of another type")
  }
}
