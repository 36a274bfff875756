import Decoding
import TestSupport
import Testing
import Tokenization

@Suite struct AnswerTextTests {
  let tokenizer: Tokenizer

  init() throws { tokenizer = try Tokenizer(directory: Places.target) }

  /// The text until its end or a stop, token by token.
  func run(_ text: String, stops: [String]) -> (text: String, stop: String?) {
    var answer = AnswerText(tokenizer: tokenizer, stops: stops)
    var output = ""
    for token in tokenizer.encode(text) {
      let (piece, stop) = answer.append(token)
      output += piece
      if stop != nil { return (output, stop) }
    }
    let (rest, stop) = answer.finish()
    return (output + rest, stop)
  }

  @Test("a stop string across tokens ends the text before it, wherever it stands")
  func everyPlace() {
    let text = "The planets are Mercury, Venus and Earth; 🌍 is ours."
    let characters = Array(text)
    for start in characters.indices {
      for length in 1...6 where start + length <= characters.count {
        let stop = String(characters[start..<start + length])
        let found = run(text, stops: [stop, "never there"])
        #expect(found.stop == stop)
        let prefix = found.text
        #expect(text.hasPrefix(prefix + stop) && !prefix.contains(stop))
      }
    }
  }

  /// The text until its end or a stop, of an answer that may begin with a thought.
  private func run(_ text: String, stop: String, isOpen: Bool, includesStop: Bool = false) -> (String, String?) {
    var request = GenerationRequest(prompt: [])
    request.stopping.strings = [stop]
    request.stopping.includesStopString = includesStop
    request.stopping.thought = StopConditions.Thought(opening: "<think>", closing: "</think>", isOpen: isOpen)
    var answer = AnswerText(tokenizer: tokenizer, request: request)
    var output = ""
    for token in tokenizer.encode(text) {
      let (piece, found) = answer.append(token)
      output += piece
      if found != nil { return (output, found) }
    }
    let (rest, found) = answer.finish()
    return (output + rest, found)
  }

  @Test("a stop string counts after the thought only")
  func thoughts() {
    let thought = "<think>\nThe word HALT is here, </thin k> and HALT again.\n</think>"
    for (text, isOpen) in [
      ("\n" + thought, false), (String(thought.dropFirst(7)), true), (thought + "\n\nYes, ", false),
    ] {
      #expect(run(text, stop: "HALT", isOpen: isOpen) == (text, nil))
      #expect(run(text + "HALT there", stop: "HALT", isOpen: isOpen) == (text, "HALT"))
    }
    // No thought: text from the beginning on, also what only begins like one.
    for text in ["Go on, ", "  <think", "<thinking> ", " <"] {
      #expect(run(text + "HALT", stop: "HALT", isOpen: false) == (text, "HALT"))
      #expect(run(text, stop: "HALT", isOpen: false) == (text, nil))
    }
    // The tag's own letters are no stop string.
    #expect(run("<think>a</think>b", stop: "think>", isOpen: false) == ("<think>a</think>b", nil))
  }

  @Test("the text holds its stop string when it is to")
  func includedStop() {
    #expect(run("one, two, three", stop: "two", isOpen: false, includesStop: true) == ("one, two", "two"))
  }

  @Test("control tokens are text when they are to be, all or some")
  func controlTokens() throws {
    let end = try #require(tokenizer.id(of: "<|im_end|>"))
    let start = try #require(tokenizer.id(of: "<|im_start|>"))
    func text(_ change: (inout GenerationRequest) -> Void) -> String {
      var request = GenerationRequest(prompt: [])
      change(&request)
      var answer = AnswerText(tokenizer: tokenizer, request: request)
      return [start, end].map { answer.append($0).text }.joined()
    }
    #expect(text { _ in } == "")
    #expect(text { $0.skipsSpecialTokens = false } == "<|im_start|><|im_end|>")
    #expect(text { $0.visibleTokens = [end] } == "<|im_end|>")
  }

  @Test("text that only begins like a stop string is not lost")
  func nearMisses() {
    #expect(run("abcabcab", stops: ["abcd"]).text == "abcabcab")
    #expect(run("<end", stops: ["<end>"]).text == "<end")
    #expect(run("plain", stops: []).text == "plain")
  }

  @Test("whatever the stop strings, an answer ends where a plain search of each piece finds one")
  func plainSearch() throws {
    var generator = SeededGenerator(seed: 4)
    let letters = ["a", "b", "aa", "ab", "ba"].map { tokenizer.encode($0) }.filter { $0.count == 1 }.map { $0[0] }
    func word(_ length: Int) -> String { String((0..<length).map { _ in Bool.random(using: &generator) ? "a" : "b" }) }
    for _ in 0..<2_000 {
      let stops = (0..<Int.random(in: 1...5, using: &generator)).map { _ in
        word(Int.random(in: 1...7, using: &generator))
      }
      let minimum = Int.random(in: 0...6, using: &generator)
      var answer = AnswerText(tokenizer: tokenizer, stops: stops)
      var (output, found, all, exempt): (String, String?, [UInt8], Int) = ("", nil, [], 0)
      var expected: (text: String, stop: String)?
      for index in 0..<16 where found == nil {
        let token = letters[Int.random(in: 0..<letters.count, using: &generator)]
        let (piece, stop) = answer.append(token, honoursStops: index >= minimum)
        output += piece
        found = stop
        all += Array(tokenizer.decode([token]).utf8)
        if index < minimum { exempt = all.count }
        for start in all.indices where expected == nil {
          let match = stops.first { start + $0.utf8.count > exempt && all[start...].starts(with: $0.utf8) }
          if let match { expected = (String(decoding: all[..<start], as: UTF8.self), match) }
        }
        #expect(found == expected?.stop)
      }
      if found == nil { output += answer.finish().text }
      #expect(output == expected?.text ?? String(decoding: all, as: UTF8.self))
    }
  }

  @Test("stop strings that begin alike over and over do not keep an answer of the same from ending")
  func repetitiveStops() throws {
    let space = try #require(tokenizer.encode("  ").first)
    let stops = (0..<16).map { String(repeating: " ", count: 1_000) + String(repeating: "b", count: $0 + 1) }
    var answer = AnswerText(tokenizer: tokenizer, stops: stops)
    var output = ""
    for _ in 0..<20_000 { output += answer.append(space).text }
    #expect(output.allSatisfy { $0 == " " } && output.utf8.count >= 20_000 - 1_000)
  }

  @Test("a stop string counts where it ends after the least number of tokens", arguments: 0...12)
  func honoured(minimum: Int) throws {
    let text = "one, two, one, two, one, two."
    let tokens = tokenizer.encode(text)
    // Where the text of each token ends.
    let ends = tokens.indices.map { tokenizer.decode(Array(tokens[...$0])).utf8.count }
    for stop in ["two", "o, o", ", ", "one, t"] {
      var answer = AnswerText(tokenizer: tokenizer, stops: ["never", stop])
      var (output, found): (String, String?) = ("", nil)
      for (index, token) in tokens.enumerated() where found == nil {
        let (piece, stop) = answer.append(token, honoursStops: index + 1 > minimum)
        output += piece
        found = stop
      }
      if found == nil { output += answer.finish().text }
      let exempt = minimum == 0 ? 0 : ends[min(minimum, ends.count) - 1]
      let bytes = Array(text.utf8)
      let place = bytes.indices.first {
        bytes[$0...].starts(with: stop.utf8) && $0 + stop.utf8.count > exempt
      }
      #expect(output == place.map { String(decoding: bytes[..<$0], as: UTF8.self) } ?? text)
      #expect((found == nil) == (place == nil))
    }
  }
}
