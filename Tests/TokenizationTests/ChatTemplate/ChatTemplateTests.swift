import Testing

import Tokenization

@Suite("Chat templates") struct ChatTemplateTests {
  @Test func `a template renders a conversation`() throws {
    let template = try ChatTemplate(source: "{% for m in messages %}<{{ m.role }}>{{ m['content'] }}\n{% endfor %}")
    #expect(try template.render(messages: [ChatMessage(role: "user", content: "hi")]) == "<user>hi\n")
  }
}
