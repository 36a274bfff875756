package import ChatTemplates
internal import JSON

/// What was said so far, and the system message before it.
package struct Conversation: Sendable, Equatable {
  /// `nil` for none.
  package var system: String?
  package private(set) var messages: [ChatMessage] = []

  package init(system: String? = nil) { self.system = system }

  package mutating func say(_ text: String) { messages.append(ChatMessage(role: "user", content: text)) }
  package mutating func answer(_ text: String) { messages.append(ChatMessage(role: "assistant", content: text)) }
  package mutating func clear() { messages = [] }

  /// Takes back the last message, whoever's it is.
  package mutating func takeBack() { if !messages.isEmpty { messages.removeLast() } }

  /// Takes back the last answer, if that is what was said last.
  ///
  /// - Returns: whether there is a message to answer now.
  package mutating func takeBackAnswer() -> Bool {
    if messages.last?.role == "assistant" { messages.removeLast() }
    return messages.last.map { $0.role != "assistant" } ?? false
  }

  // MARK: Files

  /// As the body of a request has it.
  package var text: String {
    let head = system.map { [ChatMessage(role: "system", content: $0)] } ?? []
    let all = (head + messages).map { JSONValue.object($0.fields) }
    return JSONValue.object(JSONObject([("messages", .array(all))]))
      .serialized(JSONStyle(itemSeparator: ",", indentation: "  ")) + "\n"
  }

  /// A file that is no conversation.
  package struct FileError: Error, Equatable, CustomStringConvertible {
    /// What was found and what was expected.
    package let description: String
  }

  /// Reads what `text` writes: an object with `messages`, or their array alone.
  ///
  /// - Throws: `FileError` that names the place and what is wrong there.
  package init(_ bytes: [UInt8], for traits: ChatTemplateTraits) throws(FileError) {
    let found: JSONValue
    do { found = try JSONValue(parsing: bytes) } catch { throw FileError(description: "it is not JSON: \(error)") }
    let list: [JSONValue]? = if case .array(let all) = found["messages"] ?? found { all } else { nil }
    guard let list else {
      throw FileError(description: "it has no messages; expected {\"messages\": [{\"role\": …, \"content\": …}]}")
    }
    for (index, value) in list.enumerated() {
      let message: ChatMessage
      do { message = try ChatMessage(client: value, at: "messages[\(index)]", for: traits) } catch {
        throw FileError(description: "\(error)")
      }
      guard ["system", "developer", "user", "assistant", "tool"].contains(message.role) else {
        throw FileError(
          description: "messages[\(index)].role is '\(message.role)'; expected system, user, assistant or tool")
      }
      if index == 0, message.role == "system", let content = message.content {
        system = content
      } else {
        messages.append(message)
      }
    }
  }
}
