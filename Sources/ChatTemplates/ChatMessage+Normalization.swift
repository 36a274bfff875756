package import JSON

/// A message of a client that cannot be put into a conversation.
package struct ChatMessageError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Where the fault is, such as `messages[1].content[0]`.
  package let path: String
  /// What was found there and what was expected.
  package let message: String

  package var description: String { "\(path) \(message)" }
}

extension ChatMessage {
  /// A message as clients of OpenAI's API write it, in the one shape that templates are written for.
  ///
  /// - Content that is `null` or missing is empty text; parts are a list where the template joins them itself and
  ///   otherwise lines of one text. A `refusal` is what the assistant said.
  /// - Without calls there is no `tool_calls`; arguments, which the API carries as text, are the object in it, and an
  ///   empty one when there are none. The older `function_call` is a call, the role `function` is `tool`.
  /// - `developer` is `system` where the template does not know it.
  /// - A thought is there as `reasoning` and as `reasoning_content`.
  /// - Other fields stay as they are; those that are `null` count as absent.
  ///
  /// - Parameters:
  ///   - path: where the message stands in what the client sent, for messages.
  ///   - traits: of the template that is to write it.
  /// - Throws: `ChatMessageError` for what is no message, and for content that is not text.
  package init(
    client value: JSONValue, at path: String, for traits: ChatTemplateTraits
  ) throws(ChatMessageError) {
    guard case .object(let object) = value else {
      throw ChatMessageError(path: path, message: "is \(value.typeName); expected an object")
    }
    let roles = "\"system\", \"user\", \"assistant\" or \"tool\""
    switch object["role"] {
    case .string(let role)?:
      let known = role == "developer" && !traits.knowsDeveloper ? "system" : role == "function" ? "tool" : role
      self.init(role: known, content: "")
    case nil, .null?: throw ChatMessageError(path: path + ".role", message: "is missing; expected \(roles)")
    case let other?: throw ChatMessageError(path: path + ".role", message: "is \(other.typeName); expected \(roles)")
    }
    self["content"] = try Self.content(of: object, at: path, for: traits)
    let own: Set = [
      "role", "content", "refusal", "audio", "tool_calls", "function_call", "reasoning", "reasoning_content",
    ]
    for (key, value) in object.pairs where value != .null && !own.contains(key) { self[key] = value }
    if let audio = object["audio"], audio != .null {
      throw ChatMessageError(path: path + ".audio", message: "is there; expected no audio: the model reads text only")
    }
    let thought = object["reasoning_content"]?.string ?? object["reasoning"]?.string
    if let thought {
      self["reasoning_content"] = .string(thought)
      self["reasoning"] = .string(thought)
    }
    let calls = try Self.calls(of: object, at: path, shortensIDs: traits.needsShortCallIDs)
    if !calls.isEmpty { self["tool_calls"] = .array(calls) }
    if traits.needsShortCallIDs, let id = object["tool_call_id"]?.string {
      self["tool_call_id"] = .string(Self.shortID(id))
    }
    if traits.readsThinking, let thought, !thought.isEmpty {
      self["thinking"] = .string(thought)
      // Of the three that such a template cannot write together, content says least.
      if !calls.isEmpty { self["content"] = "" }
    }
  }

  /// The messages with a system message at their beginning made part of the user's first, where the template takes none.
  package static func conversation(_ messages: [ChatMessage], for traits: ChatTemplateTraits) -> [ChatMessage] {
    guard traits.refusesSystem, messages.count > 1, messages[0].role == "system", messages[1].role == "user",
      let system = messages[0].content, let question = messages[1].content
    else { return messages }
    var first = messages[1]
    first["content"] = .string(system + "\n\n" + question)
    return [first] + messages[2...]
  }

  /// An id of nine letters and digits for any id: itself where it is one.
  private static func shortID(_ id: String) -> String {
    let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
    if id.utf8.count == 9, id.allSatisfy(letters.contains) { return id }
    // FNV-1a.
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in id.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return String(
      (0..<9).map { _ in
        defer { hash /= UInt64(letters.count) }
        return letters[Int(hash % UInt64(letters.count))]
      })
  }

  // MARK: Content

  private static func content(
    of object: JSONObject, at path: String, for traits: ChatTemplateTraits
  ) throws(ChatMessageError) -> JSONValue {
    var texts: [String]
    switch object["content"] {
    case nil, .null?: texts = []
    case .string(let text)?: texts = [text]
    case .array(let parts)?: texts = try self.texts(of: parts, at: path + ".content")
    case let other?:
      throw ChatMessageError(
        path: path + ".content", message: "is \(other.typeName); expected a string or an array of text parts")
    }
    if texts.allSatisfy(\.isEmpty), let refusal = object["refusal"]?.string { texts = [refusal] }
    let isList = if case .array? = object["content"] { true } else { false }
    guard traits.readsParts, isList || !traits.readsText else { return .string(texts.joined(separator: "\n")) }
    return .array(texts.map { ["type": "text", "text": .string($0)] })
  }

  private static func texts(of parts: [JSONValue], at path: String) throws(ChatMessageError) -> [String] {
    var texts: [String] = []
    for (index, part) in parts.enumerated() {
      let type = part["type"]?.string
      let text: String?
      switch type {
      case "text", "input_text", "output_text": text = part["text"]?.string
      case "refusal": text = part["refusal"]?.string
      case nil: text = part.string ?? part["text"]?.string
      default: text = nil
      }
      guard let text else {
        let found = type.map { "of type '\($0)'" } ?? "without a type"
        throw ChatMessageError(
          path: "\(path)[\(index)]",
          message: "is a part \(found); expected {\"type\": \"text\", \"text\": …}: the model reads text only")
      }
      texts.append(text)
    }
    return texts
  }

  // MARK: Calls

  private static func calls(
    of object: JSONObject, at path: String, shortensIDs: Bool
  ) throws(ChatMessageError) -> [JSONValue] {
    var calls: [JSONValue] = []
    switch object["tool_calls"] {
    case nil, .null?: break
    case .array(let elements)?:
      for (index, element) in elements.enumerated() {
        calls.append(try call(element, at: "\(path).tool_calls[\(index)]", shortensID: shortensIDs))
      }
    case let other?:
      throw ChatMessageError(path: path + ".tool_calls", message: "is \(other.typeName); expected an array of calls")
    }
    if calls.isEmpty, let function = object["function_call"], function != .null {
      let place = path + ".function_call"
      calls = [["type": "function", "function": try self.function(function, at: place)]]
    }
    return calls
  }

  private static func call(
    _ value: JSONValue, at path: String, shortensID: Bool
  ) throws(ChatMessageError) -> JSONValue {
    guard case .object(var call) = value else {
      throw ChatMessageError(path: path, message: "is \(value.typeName); expected an object")
    }
    if let type = call["type"]?.string, type != "function" {
      throw ChatMessageError(path: path + ".type", message: "is '\(type)'; expected \"function\"")
    }
    call["function"] = try function(call["function"] ?? .null, at: path + ".function")
    if shortensID, let id = call["id"]?.string { call["id"] = .string(shortID(id)) }
    return .object(call)
  }

  private static func function(_ value: JSONValue, at path: String) throws(ChatMessageError) -> JSONValue {
    guard case .object(var function) = value, function["name"]?.string != nil else {
      throw ChatMessageError(path: path, message: "has no name; expected {\"name\": …, \"arguments\": …}")
    }
    switch function["arguments"] {
    case nil, .null?: function["arguments"] = .object(JSONObject())
    case .string(let text)? where text.allSatisfy(\.isWhitespace): function["arguments"] = .object(JSONObject())
    case .string(let text)?:
      // What was cut off, or never was an object, stays the text that it is.
      if let parsed = try? JSONValue(parsing: text), case .object = parsed { function["arguments"] = parsed }
    default: break
    }
    return .object(function)
  }
}
