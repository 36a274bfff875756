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

  @Test("text that only begins like a stop string is not lost")
  func nearMisses() {
    #expect(run("abcabcab", stops: ["abcd"]).text == "abcabcab")
    #expect(run("<end", stops: ["<end>"]).text == "<end")
    #expect(run("plain", stops: []).text == "plain")
  }
}
