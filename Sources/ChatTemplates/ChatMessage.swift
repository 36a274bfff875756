package import JSON

/// One message of a conversation as a chat template sees it.
package struct ChatMessage: Sendable, Hashable {
  /// Everything that the message holds, in order: `role`, `content` and whatever else templates may read
  /// (`tool_calls`, `tool_call_id`, `name`, `reasoning_content`, …).
  package private(set) var fields: JSONObject

  /// A message of plain text; without `content` the field is `null`.
  package init(role: String, content: String?) {
    fields = JSONObject([("role", .string(role)), ("content", content.map(JSONValue.string) ?? .null)])
  }

  /// The message that `json` describes: an object with at least a `role`, which is a string.
  ///
  /// - Throws: `ChatTemplateError` that names what is missing or of the wrong type.
  package init(json: JSONValue) throws(ChatTemplateError) {
    guard case .object(let fields) = json else {
      throw .evaluation("a message is not a JSON object")
    }
    guard let role = fields["role"] else { throw .evaluation("a message has no 'role'") }
    guard case .string = role else { throw .evaluation("the 'role' of a message is not a string") }
    self.fields = fields
  }

  /// Who speaks: `system`, `user`, `assistant`, `tool`.
  package var role: String { fields["role"]?.string ?? "" }

  /// The text when the content is plain text.
  package var content: String? { fields["content"]?.string }

  /// A field by name. Setting replaces it in place or appends it; setting `nil` changes nothing.
  package subscript(field: String) -> JSONValue? {
    get { fields[field] }
    set { fields[field] = newValue }
  }
}
