package import JSON

/// What a chat template makes of a conversation, found out by rendering small ones: which roles and fields it writes.
///
/// Templates differ in what they take, and none says so; what they leave out they leave out silently.
package struct ChatTemplateTraits: Sendable, Equatable {
  /// Whether content may be a list of parts, which the template joins itself.
  package let readsParts: Bool
  /// Whether content may be plain text.
  package let readsText: Bool
  /// Whether descriptions of tools come into the prompt.
  package let writesTools: Bool
  /// Whether the template has something to say about the role `developer`.
  package let knowsDeveloper: Bool
  /// Variables that switch a model's thinking off when they are false.
  package let thinkingSwitches: [String]
  /// Whether a message's thought is written from the field `thinking`, which cannot stand beside both content and calls.
  package let readsThinking: Bool
  /// Whether ids of calls must have nine letters and digits.
  package let needsShortCallIDs: Bool
  /// Whether a system message is refused, and would not be as a part of the user's first.
  package let refusesSystem: Bool
  /// What the template writes right after an assistant's message; `nil` when nothing does.
  package let afterAnswer: String?

  /// Names that templates have for such variables.
  package static let thinkingVariables = ["enable_thinking", "thinking"]

  private static let first = "qprobeonez"
  private static let second = "qprobetwoz"

  /// Renders conversations of one or two messages with `template`.
  ///
  /// - Parameters:
  ///   - source: the template's text.
  ///   - context: the variables that it gets with every conversation.
  package init(of template: ChatTemplate, source: String, context: [String: JSONValue]) {
    func text(_ messages: [ChatMessage], tools: [JSONValue]? = nil) -> String? {
      try? template.render(messages: messages, tools: tools, addGenerationPrompt: false, context: context)
    }
    func user(_ content: JSONValue) -> ChatMessage {
      var message = ChatMessage(role: "user", content: "")
      message["content"] = content
      return message
    }
    let parts: JSONValue = [
      ["type": "text", "text": .string(Self.first)], ["type": "text", "text": .string(Self.second)],
    ]
    let ofParts = text([user(parts)])
    readsParts =
      ofParts.map { text in
        text.contains(Self.first) && text.contains(Self.second) && !text.contains("'type'")
          && !text.contains("\"type\"")
      } ?? false
    let ofText = text([user(.string(Self.first))])
    readsText = !readsParts || ofText?.contains(Self.first) ?? true
    let tool: JSONValue = [
      "type": "function",
      "function": [
        "name": .string(Self.second), "description": .string(Self.second),
        "parameters": ["type": "object", "properties": [:]],
      ],
    ]
    // A template that cannot do without more than this is believed to write them.
    let question = user(.string(Self.first))
    writesTools = text([question], tools: [tool]).map { $0.contains(Self.second) } ?? true
    knowsDeveloper = source.contains("developer")
    func calling(_ id: String, thinking: String? = nil) -> [ChatMessage] {
      var call = ChatMessage(role: "assistant", content: "")
      let function: JSONValue = ["name": .string(Self.second), "arguments": ["x": 1]]
      call["tool_calls"] = [["id": .string(id), "type": "function", "function": function]]
      if let thinking { call["thinking"] = .string(thinking) }
      var result = ChatMessage(role: "tool", content: "1")
      result["tool_call_id"] = .string(id)
      return [question, call, result]
    }
    let thought = Self.first + Self.second
    readsThinking = text(calling("abcdefghi", thinking: thought)).map { $0.contains(thought) } ?? false
    // Where messages have a field of that name, it is no variable.
    let words = Set(source.split { !($0.isLetter || $0.isNumber || $0 == "_") })
    let names = readsThinking ? Self.thinkingVariables.filter { $0 != "thinking" } : Self.thinkingVariables
    thinkingSwitches = names.filter { words.contains($0[...]) }
    needsShortCallIDs = text(calling("call_abcdefghi")) == nil && text(calling("abcdefghi")) != nil
    refusesSystem =
      text([ChatMessage(role: "system", content: Self.second), question]) == nil && ofText != nil
    let answered = text([question, ChatMessage(role: "assistant", content: Self.second)])
    afterAnswer = answered.flatMap { text in
      text.ranges(of: Self.second).last.map { String(text[$0.upperBound...].drop(while: \.isWhitespace)) }
    }
  }
}
