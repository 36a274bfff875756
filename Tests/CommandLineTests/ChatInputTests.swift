import Testing

import foretoken

/// What is typed to `foretoken chat` becomes messages and commands.
@Suite struct ChatInputTests {
  private func messages(_ entries: [String]) -> [String] {
    var input = MessageInput()
    return entries.compactMap { input.add($0) }
  }

  @Test("a line is a message, and so are lines that were pasted together")
  func lines() {
    #expect(messages(["one", "two"]) == ["one", "two"])
    #expect(messages(["one\ntwo\\\nthree"]) == ["one\ntwo\\\nthree"])
  }

  @Test("a backslash at the end of a line goes on in the next")
  func backslash() {
    var input = MessageInput()
    let (half, isUnfinished) = (input.add("one\\"), input.isUnfinished)
    let (whole, remains) = (input.add(""), input.isUnfinished)
    #expect(half == nil && isUnfinished && whole == "one\n" && !remains)
    #expect(messages(["a\\", "b\\", "c"]) == ["a\nb\nc"])
  }

  @Test(
    "what stands between quotes is one message, with the line breaks and backslashes in it",
    arguments: [
      (["\"\"\"", "one", "two\\", "", "\"\"\""], "one\ntwo\\\n"), (["\"\"\"hello\"\"\""], "hello"),
      (["  \"\"\"one", "two\"\"\"  "], "one\ntwo"), (["\"\"\"\none\n\"\"\""], "one"), (["\"\"\"\"\"\""], ""),
    ])
  func quotes(entries: [String], message: String) { #expect(messages(entries) == [message]) }

  @Test("what is dropped is forgotten")
  func drop() {
    var input = MessageInput()
    let half = input.add("\"\"\"half")
    #expect(half == nil && input.isUnfinished)
    input.drop()
    let next = input.add("next")
    #expect(next == "next")
  }

  @Test("commands are a slash and a word; paths, fractions and switches of models are messages")
  func commands() throws {
    #expect(try ChatCommand("/clear") == .clear && (try ChatCommand("/new")) == .clear)
    #expect(try ChatCommand("/exit") == .exit && (try ChatCommand("/quit")) == .exit)
    #expect(try ChatCommand("/HELP") == .help && (try ChatCommand("/?")) == .help)
    #expect(try ChatCommand("/regenerate") == .regenerate)
    #expect(try ChatCommand("/system Be brief.\nAnd kind. ") == .system("Be brief.\nAnd kind."))
    #expect(try ChatCommand("/system") == .system(nil) && (try ChatCommand("/system \"\"")) == .system(""))
    #expect(try ChatCommand("/save my talk.json") == .save("my talk.json"))
    #expect(try ChatCommand("/load x") == .load("x"))
    #expect(try ChatCommand("/speculation off") == .speculation("off"))
    #expect(try ChatCommand("/stats") == .stats(nil) && (try ChatCommand("/stats on")) == .stats(true))
    for message in ["hello", "/etc/passwd is a file", "/no_think What is 2+2?", " /exit", "/", "1/2", "/3"] {
      #expect(try ChatCommand(message) == nil, "\(message)")
    }
  }

  @Test("every command that the help lists is one")
  func help() throws {
    for command in ChatCommand.all {
      let argument = command.argument == "on|off" ? "on" : command.argument
      #expect(try ChatCommand("/\(command.name) \(argument)") != nil)
    }
  }

  @Test("what is no command, or lacks something, is said")
  func mistakes() {
    func mistake(_ message: String) -> String {
      let error = #expect(throws: ChatCommand.Mistake.self) { try ChatCommand(message) }
      return error.map { "\($0)" } ?? ""
    }
    #expect(mistake("/regenrate").contains("Did you mean /regenerate?"))
    #expect(mistake("/nothing at all").contains("no command /nothing"))
    #expect(mistake("/save").contains("name of a file") && mistake("/load  ").contains("name of a file"))
    #expect(mistake("/stats maybe").contains("'maybe'"))
  }
}
