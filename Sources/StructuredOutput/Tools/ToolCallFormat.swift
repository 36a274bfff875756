internal import JSON

/// How a family of models writes calls of tools.
package enum ToolCallFormat: String, Sendable, Hashable, CaseIterable {
  /// `<tool_call>\n{"name": …, "arguments": …}\n</tool_call>`, any number of them, after text or without.
  case qwen
  /// `{"name": …, "parameters": …}` as the whole answer, perhaps after `<|python_tag|>`; further ones after `;`.
  case llama

  /// The format that a chat template asks the model for; `nil` when it names none of these.
  package init?(chatTemplate: String) {
    if chatTemplate.contains("<tool_call>") {
      self = .qwen
    } else if chatTemplate.contains("<|python_tag|>") || chatTemplate.contains("\"parameters\": dictionary") {
      self = .llama
    } else {
      return nil
    }
  }

  /// What marks a call within other text; empty where calls are the whole answer.
  var tag: String { self == .qwen ? "<tool_call>" : "" }

  /// The tags that calls stand between.
  package var tags: [String] { self == .qwen ? [tag, "</tool_call>"] : [] }

  /// A call of the tool `name` up to its arguments.
  func head(of name: String) -> String { #"{"name": "# + name.quotedAsJSON + #", ""# + argumentsKey + #"": "# }

  var opening: String { self == .qwen ? tag + "\n" : "" }
  var closing: String { self == .qwen ? "\n</tool_call>" : "" }
  var separator: String { self == .qwen ? "\n" : "; " }
  var argumentsKey: String { self == .qwen ? "arguments" : "parameters" }
}
