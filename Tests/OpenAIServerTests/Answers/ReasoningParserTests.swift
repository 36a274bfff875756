import OpenAIServer
import Testing

@Suite struct ReasoningParserTests {
  /// What comes out for `pieces`, thoughts and content each joined.
  static func parse(_ pieces: [String], prompt: String = "") -> (reasoning: String, content: String) {
    var parser = ReasoningParser(prompt: prompt)
    var (reasoning, content) = ("", "")
    for part in pieces.flatMap({ parser.consume($0) }) + parser.finish() {
      switch part {
      case .reasoning(let text): reasoning += text
      case .content(let text): content += text
      case .toolCall: Issue.record("no call was made")
      }
    }
    return (reasoning, content)
  }

  @Test(
    "thoughts and answer are told apart however the text is cut",
    arguments: [
      ("<think>\nhm\n</think>\n\nYes.", "", "\nhm\n", "Yes."),
      ("  <think></think>Yes.", "", "", "Yes."),
      ("hm</think>\nYes.", "user: ?\n<think>\n", "hm", "Yes."),
      ("Yes.", "<think>\n\n</think>\n\n", "", "Yes."),
      ("Use <think> tags.", "", "", "Use <think> tags."),
      ("<thin ice", "", "", "<thin ice"),
      ("<think>never ends </thin", "", "never ends </thin", ""),
      ("a </think> b", "", "", "a </think> b"),
      (" \n", "", "", " \n"),
      ("<think>a<b</think>c", "", "a<b", "c"),
    ])
  func cuts(text: String, prompt: String, reasoning: String, content: String) {
    let characters = text.map(String.init)
    for size in 1...max(1, characters.count) {
      let pieces = stride(from: 0, to: characters.count, by: size).map {
        characters[$0..<min($0 + size, characters.count)].joined()
      }
      let result = Self.parse(pieces, prompt: prompt)
      #expect(result.reasoning == reasoning && result.content == content, "in pieces of \(size)")
    }
  }

  @Test("content is handed out at once, not held until the end")
  func immediacy() {
    var parser = ReasoningParser(prompt: "")
    #expect(parser.consume("He") == [.content("He")])
    #expect(parser.consume("llo") == [.content("llo")])
    var thinking = ReasoningParser(prompt: "<think>")
    #expect(thinking.consume("first <") == [.reasoning("first ")])
    #expect(thinking.consume("b>") == [.reasoning("<b>")])
  }
}
