internal import JSON

/// How a family of models writes calls of tools.
package enum ToolCallFormat: String, Sendable, Hashable, CaseIterable {
  /// `<tool_call>\n{"name": …, "arguments": …}\n</tool_call>`, any number of them, after text or without.
  case qwen
  /// `<tool_call>` around `<function=NAME>` and `<parameter=KEY>` (Qwen3-Coder, Qwen3.5).
  case qwenCoder
  /// `{"name": …, "parameters": …}` as the whole answer, perhaps after `<|python_tag|>`; further ones after `;`.
  case llama
  /// `[TOOL_CALLS][{"name": …, "arguments": …}, …]` at the end of the answer (Mistral's tokenizers before v11).
  case mistral
  /// `[TOOL_CALLS]NAME[ARGS]{…}`, any number of them (Mistral's tokenizers since v11).
  case mistralNamed
  /// A message to `functions.NAME` (gpt-oss), one in an answer.
  case harmony

  /// The format that a chat template asks the model for; `nil` when it names none of these.
  package init?(chatTemplate: String) {
    if ReasoningFormat(chatTemplate: chatTemplate) == .harmony {
      self = .harmony
    } else if chatTemplate.contains(Self.mistral.tag) {
      self = chatTemplate.contains(Self.argumentsTag) ? .mistralNamed : .mistral
    } else if chatTemplate.contains(Self.qwen.tag) {
      self = chatTemplate.contains("<parameter=") ? .qwenCoder : .qwen
    } else if chatTemplate.contains("<|python_tag|>") || chatTemplate.contains("\"parameters\": dictionary") {
      self = .llama
    } else {
      return nil
    }
  }

  /// Stands between the name and the arguments in Mistral's newer format; the id may stand before it.
  static let argumentsTag = "[ARGS]"
  static let idTag = "[CALL_ID]"

  /// What marks a call within other text; empty where calls are the whole answer.
  var tag: String {
    switch self {
    case .qwen, .qwenCoder: "<tool_call>"
    case .llama: ""
    case .mistral, .mistralNamed: "[TOOL_CALLS]"
    case .harmony: HarmonyTag.channel + "commentary to=" + HarmonyTag.functions
    }
  }

  /// The tags that calls stand between.
  package var tags: [String] {
    switch self {
    case .qwen, .qwenCoder: [tag, "</tool_call>"]
    case .llama, .harmony: []
    case .mistral: [tag]
    case .mistralNamed: [tag, Self.argumentsTag, Self.idTag]
    }
  }

  /// A call of the tool `name` up to its arguments.
  func head(of name: String) -> String {
    switch self {
    case .qwen, .mistral: #"{"name": "# + name.quotedAsJSON + #", "arguments": "#
    case .llama: #"{"name": "# + name.quotedAsJSON + #", "parameters": "#
    case .qwenCoder: "<function=" + name + ">\n"
    case .mistralNamed: name + Self.argumentsTag
    case .harmony: name + " " + HarmonyTag.constrain + "json" + HarmonyTag.message
    }
  }

  /// What follows the arguments.
  var tail: String {
    switch self {
    case .qwen: "}\n</tool_call>"
    case .qwenCoder: "</function>\n</tool_call>"
    case .llama, .mistral: "}"
    case .mistralNamed, .harmony: ""
    }
  }

  /// What stands before each call, the tag included.
  var opening: String {
    switch self {
    case .qwen, .qwenCoder: tag + "\n"
    case .llama, .mistral: ""
    case .mistralNamed, .harmony: tag
    }
  }

  var separator: String {
    switch self {
    case .qwen, .qwenCoder: "\n"
    case .llama: "; "
    case .mistral: ", "
    case .mistralNamed, .harmony: ""
    }
  }

  /// What stands around all calls of an answer.
  var list: (opening: String, closing: String)? {
    switch self {
    case .mistral: (tag + "[", "]")
    case .qwen, .qwenCoder, .llama, .mistralNamed, .harmony: nil
    }
  }

  /// Whether one answer may call more than once.
  var callsSeveral: Bool {
    switch self {
    case .qwen, .qwenCoder, .llama, .mistral, .mistralNamed: true
    case .harmony: false
    }
  }

  /// Whether answers can be kept to calls of this format: those whose arguments are JSON.
  package var isKept: Bool {
    switch self {
    case .qwen, .llama, .mistral, .mistralNamed, .harmony: true
    case .qwenCoder: false
    }
  }

  /// A new id of a call, as the family's templates take them: `call_` and 24 letters and digits; 9 for Mistral.
  package func randomID() -> String {
    switch self {
    case .qwen, .qwenCoder, .llama, .harmony: ToolCallParser.randomID()
    case .mistral, .mistralNamed: String(ToolCallParser.randomID().suffix(9))
    }
  }
}
