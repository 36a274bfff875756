internal import JSON

/// The items that a response answers, and the messages of a chat that they are.
///
/// A thought, a text and calls that follow each other are one message of the assistant, as they were when it wrote them.
struct ResponseInput {
  /// In the one form in which they are kept and given out.
  private(set) var items: [JSONValue] = []
  private var written: [JSONObject] = []
  /// What ids of items end with that come without one.
  private let suffix: String

  var messages: [JSONValue] { written.map { .object($0) } }

  /// - Parameter suffix: tells ids of this request from others.
  init(suffix: String) { self.suffix = suffix }

  /// Adds `input` of a request: a text that the user says, or items.
  mutating func add(_ fields: JSONFields) throws(APIError) {
    switch fields.value("input") {
    case nil: return
    case .string(let text)?: try add(message: JSONObject([("role", "user"), ("content", .string(text))]), at: "input")
    case .array(let items)?: for (index, item) in items.enumerated() { try add(item, at: "input[\(index)]") }
    case let other?: throw fields.wrong("input", other, "a string or an array of items")
    }
  }

  /// Adds items that were kept, which have been read before.
  mutating func add(kept items: [JSONValue]) throws(APIError) {
    for item in items { try add(item, at: "previous_response_id") }
  }

  /// What the conversation is preceded by.
  mutating func add(instructions text: String) {
    written.insert(JSONObject([("role", "system"), ("content", .string(text))]), at: 0)
  }

  /// Leaves out `count` messages after the instructions.
  mutating func drop(messages count: Int) {
    written.removeSubrange(instructionCount..<min(written.count, instructionCount + count))
  }

  /// How many messages can be left out there, so that a user's message comes first.
  var droppableCounts: [Int] {
    let start = instructionCount
    return written.indices.dropFirst(start + 1).filter { written[$0]["role"] == "user" }.map { $0 - start }
  }

  /// Messages at the beginning that say how to answer.
  private var instructionCount: Int { written.prefix { $0["role"] == "system" || $0["role"] == "developer" }.count }

  private mutating func add(_ item: JSONValue, at path: String) throws(APIError) {
    guard case .object(let object) = item else { throw Self.wrong(path, item, "an object") }
    switch object["type"] ?? .null {
    case .null where object["role"] != nil, "message": try add(message: object, at: path)
    case "function_call": try add(call: object, at: path)
    case "function_call_output": try add(output: object, at: path)
    case "reasoning": try add(thought: object, at: path)
    case "item_reference":
      throw .badRequest(
        "\(path) is a reference to an item; expected the item itself, or previous_response_id", parameter: path)
    case .string(let type):
      throw .badRequest(
        "\(path) is an item of type '\(type.prefix(60))'; expected message, function_call, function_call_output or reasoning",
        parameter: path, reason: "an item of another type")
    case let type: throw Self.wrong(path + ".type", type, "the type of an item")
    }
  }

  // MARK: Kinds of items

  private mutating func add(message object: JSONObject, at path: String) throws(APIError) {
    let role = try Self.string(object, "role", at: path)
    guard ["user", "assistant", "system", "developer"].contains(role) else {
      throw Self.wrong(path + ".role", .string(role), "\"user\", \"assistant\", \"system\" or \"developer\"")
    }
    let isAnswer = role == "assistant"
    let content = try Self.parts(object["content"] ?? .null, isAnswer: isAnswer, at: path + ".content")
    keep(object, as: "msg", [("type", "message"), ("role", .string(role)), ("content", content)])
    if isAnswer, let last = written.last, last["role"] == "assistant", last["content"] == nil,
      last["tool_calls"] == nil
    {
      written[written.count - 1]["content"] = content
    } else {
      written.append(JSONObject([("role", .string(role)), ("content", content)]))
    }
  }

  private mutating func add(call object: JSONObject, at path: String) throws(APIError) {
    let id = try Self.string(object, "call_id", at: path)
    let name = try Self.string(object, "name", at: path)
    let arguments = try Self.string(object, "arguments", at: path)
    keep(
      object, as: "fc",
      [
        ("type", "function_call"), ("call_id", .string(id)), ("name", .string(name)),
        ("arguments", .string(arguments)),
      ])
    let function: JSONValue = ["name": .string(name), "arguments": .string(arguments)]
    let call: JSONValue = ["id": .string(id), "type": "function", "function": function]
    if written.last?["role"] != "assistant" { written.append(JSONObject([("role", "assistant")])) }
    let calls = written[written.count - 1]["tool_calls"]?.array ?? []
    written[written.count - 1]["tool_calls"] = .array(calls + [call])
  }

  private mutating func add(output object: JSONObject, at path: String) throws(APIError) {
    let id = try Self.string(object, "call_id", at: path)
    let value = object["output"] ?? .null
    let output: JSONValue
    switch value {
    case .string: output = value
    case .array: output = try Self.parts(value, isAnswer: false, at: path + ".output")
    default: throw Self.wrong(path + ".output", value, "a string or an array of input_text parts")
    }
    keep(object, as: "fco", [("type", "function_call_output"), ("call_id", .string(id)), ("output", output)])
    written.append(JSONObject([("role", "tool"), ("tool_call_id", .string(id)), ("content", output)]))
  }

  private mutating func add(thought object: JSONObject, at path: String) throws(APIError) {
    var texts: [String] = []
    // The thought itself, or else what there is of it.
    for key in ["content", "summary"] where texts.isEmpty {
      switch object[key] ?? .null {
      case .null: continue
      case .array(let parts):
        for (index, part) in parts.enumerated() {
          guard let text = part["text"]?.string else {
            throw Self.wrong("\(path).\(key)[\(index)]", part, "{\"type\": \"reasoning_text\", \"text\": …}")
          }
          texts.append(text)
        }
      case let other: throw Self.wrong("\(path).\(key)", other, "an array of parts")
      }
    }
    keep(
      object, as: "rs",
      [("type", "reasoning"), ("summary", object["summary"] ?? []), ("content", object["content"] ?? [])])
    guard !texts.isEmpty else { return }
    let text = JSONValue.string(texts.joined(separator: "\n"))
    written.append(JSONObject([("role", "assistant"), ("reasoning_content", text)]))
  }

  // MARK: Parts of items

  /// Content as a list of parts.
  private static func parts(_ content: JSONValue, isAnswer: Bool, at path: String) throws(APIError) -> JSONValue {
    let own = isAnswer ? "output_text" : "input_text"
    func part(_ text: String) -> JSONValue {
      isAnswer
        ? ["type": "output_text", "text": .string(text), "annotations": []]
        : ["type": "input_text", "text": .string(text)]
    }
    switch content {
    case .string(let text): return [part(text)]
    case .array(let values):
      var parts: [JSONValue] = []
      for (index, value) in values.enumerated() {
        let place = "\(path)[\(index)]"
        guard case .object(let object) = value else { throw wrong(place, value, "an object") }
        switch object["type"] {
        case "input_text", "output_text", "text": parts.append(part(try string(object, "text", at: place)))
        case "refusal": parts.append(part(try string(object, "refusal", at: place)))
        case .string(let type)?:
          throw .badRequest(
            "\(place) is a part of type '\(type.prefix(60))'; expected \(own): the model reads text only",
            parameter: place, reason: "a part of another type")
        case let type: throw wrong(place + ".type", type ?? .null, "\"\(own)\"")
        }
      }
      return .array(parts)
    default: throw wrong(path, content, "a string or an array of \(own) parts")
    }
  }

  private mutating func keep(_ object: JSONObject, as prefix: String, _ fields: [(String, JSONValue)]) {
    let id = object["id"]?.string ?? "\(prefix)_\(suffix)\(items.count)"
    items.append(.object(JSONObject([("id", .string(id))] + fields + [("status", "completed")])))
  }

  private static func string(_ object: JSONObject, _ key: String, at path: String) throws(APIError) -> String {
    guard let text = object[key]?.string else { throw wrong("\(path).\(key)", object[key] ?? .null, "a string") }
    return text
  }

  private static func wrong(_ path: String, _ value: JSONValue, _ expected: String) -> APIError {
    let found = value == .null ? "missing" : JSONFields.shown(value)
    return .badRequest("\(path) is \(found); expected \(expected)", parameter: path, reason: "expected \(expected)")
  }
}
