internal import JSON

/// A conversation as Ollama's clients write it, as messages of OpenAI's API.
struct OllamaConversation {
  let messages: [JSONValue]

  /// `messages` of `/api/chat`.
  init(chat request: JSONFields) throws(APIError) {
    guard let values = try request.array("messages") else {
      throw request.missing("messages", "an array of messages")
    }
    var messages: [JSONValue] = []
    for (index, value) in values.enumerated() {
      guard case .object(let object) = value else { throw request.wrong("messages", value, "an array of objects") }
      let fields = JSONFields(object, path: "messages[\(index)].")
      try OllamaFields.refuseImages(fields)
      let renamed: [String: String] = ["thinking": "reasoning_content", "tool_name": "name"]
      messages.append(
        .object(
          JSONObject(object.pairs.filter { $0.key != "images" }.map { (renamed[$0.key] ?? $0.key, $0.value) })))
    }
    self.messages = messages
  }

  /// `system` and `prompt` of `/api/generate`.
  init(generate request: JSONFields) throws(APIError) {
    var messages: [JSONValue] = []
    if let system = try request.string("system"), !system.isEmpty {
      messages.append(["role": "system", "content": .string(system)])
    }
    guard let prompt = try request.string("prompt") else { throw request.missing("prompt", "a string") }
    messages.append(["role": "user", "content": .string(prompt)])
    self.messages = messages
  }
}
