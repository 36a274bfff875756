import ChatTemplates
import JSON
import Testing

import foretoken

/// Conversations are kept in files that servers take too.
@Suite struct ConversationTests {
  private static let traits: ChatTemplateTraits = {
    let source = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"
    guard let template = try? ChatTemplate(source: source) else { preconditionFailure("the template is one") }
    return ChatTemplateTraits(of: template, source: source, context: [:])
  }()

  private func reading(_ text: String) throws(Conversation.FileError) -> Conversation {
    try Conversation(Array(text.utf8), for: Self.traits)
  }

  @Test("what is written is read again, the system message too")
  func roundTrip() throws {
    var conversation = Conversation(system: "Be brief.")
    conversation.say("Wie geht's?\n\"so\" \u{7} 日本語 👩‍👩‍👧")
    conversation.answer("")
    conversation.say("And now?")
    let text = conversation.text
    #expect(try reading(text) == conversation)
    let json = try JSONValue(parsing: text)
    guard case .array(let messages) = json["messages"] else {
      Issue.record("no messages")
      return
    }
    #expect(messages.first?["role"] == "system" && messages.last?["content"] == "And now?")
    var plain = Conversation()
    plain.say("Hi")
    #expect(try reading(plain.text) == plain)
    #expect(try reading(Conversation().text) == Conversation())
  }

  @Test("files of others are taken: an array alone, parts, calls, further keys")
  func others() throws {
    let found = try reading(
      """
      {"model": "x", "messages": [
       {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
       {"role": "assistant", "content": null,
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
       {"role": "tool", "tool_call_id": "1", "content": "5"}]}
      """)
    #expect(found.system == nil && found.messages.map(\.role) == ["user", "assistant", "tool"])
    #expect(found.messages[0].content == "a\nb")
    #expect(try reading(#"[{"role": "system", "content": "s"}]"#).system == "s")
  }

  @Test(
    "what is no conversation is refused with its place",
    arguments: [
      ("", "not JSON"), ("{", "not JSON"), ("5", "no messages"), ("{}", "no messages"),
      (#"{"messages": 5}"#, "no messages"),
      (#"[5]"#, "messages[0] is"), (#"[{"content": "x"}]"#, "messages[0].role"),
      (#"[{"role": "user", "content": "x"}, {"role": "king", "content": "x"}]"#, "messages[1].role is 'king'"),
      (#"[{"role": "user", "content": 5}]"#, "messages[0].content"),
      (#"[{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]"#, "image_url"),
    ])
  func refused(text: String, reason: String) {
    let error = #expect(throws: Conversation.FileError.self) { try reading(text) }
    #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
  }

  @Test("the last answer can be taken back, and a message that has none stays")
  func takingBack() {
    var conversation = Conversation()
    let nothing = conversation.takeBackAnswer()
    conversation.say("a")
    let open = conversation.takeBackAnswer()
    #expect(!nothing && open && conversation.messages.count == 1)
    conversation.answer("b")
    let answered = conversation.takeBackAnswer()
    #expect(answered && conversation.messages.map(\.content) == ["a"])
    conversation.takeBack()
    #expect(conversation.messages.isEmpty)
    conversation.takeBack()
  }
}
