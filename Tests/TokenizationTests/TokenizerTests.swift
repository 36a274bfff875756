import Foundation
import Testing
import Tokenization

@Suite struct TokenizerTests {
  @Test func `the template's tokens are added on request only`() throws {
    let tokenizer = try GoldenFiles.tokenizer("llama")
    let begin = try #require(tokenizer.id(of: "<|begin_of_text|>"))
    #expect(tokenizer.encode("for", addsSpecialTokens: true) == [begin] + tokenizer.encode("for"))
    #expect(tokenizer.encode("", addsSpecialTokens: true) == [begin])
  }

  @Test func `a run of a million characters is encoded and comes back`() throws {
    for name in ["qwen", "gpt2", "llama2", "mistral", "gemma"] {
      let tokenizer = try GoldenFiles.tokenizer(name)
      for character in ["a", " ", "字", "-", "\n"] {
        let text = String(repeating: character, count: 1_000_000)
        let back = tokenizer.decode(tokenizer.encode(text))
        // Of spaces at the beginning, decoders of pieces leave out the one that encoders put before texts.
        #expect(
          back == text || character == " " && (back == text.dropLast() || back == text + " "), "\(name) \(character)")
      }
    }
  }

  @Test func `a pattern that backtracks without end gives tokens all the same`() throws {
    let level = #"{"type":"ByteLevel","add_prefix_space":false}"#
    let split = #"{"type":"Split","pattern":{"Regex":"(a+)+$|(?:a|aa)+c"},"behavior":"Isolated"}"#
    let tokenizer = try TokenizerFileTests.load(
      TokenizerFileTests.good.replacingOccurrences(
        of: level, with: #"{"type":"Sequence","pretokenizers":[\#(split),\#(level)]}"#))
    let text = String(repeating: "a", count: 60) + "b"
    #expect(tokenizer.decode(tokenizer.encode(text)) == text)
  }

  @Test func `threads share a tokenizer and get the same tokens`() async throws {
    let tokenizer = try GoldenFiles.tokenizer("qwen")
    let rows = Array(try GoldenFiles.encodings("qwen").prefix(400))
    let wrong = await withTaskGroup(of: Int.self) { group in
      for _ in 0..<4 { group.addTask { rows.count { tokenizer.encode($0.text) != $0.tokens } } }
      return await group.reduce(0, +)
    }
    #expect(wrong == 0)
  }

  @Test func `the configuration gives the chat template, the first and last token and later tokens`() throws {
    let configuration = """
      {"bos_token": null, "eos_token": {"content": "<e>", "special": true},
       "chat_template": [{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}],
       "added_tokens_decoder": {"3": {"content": "<renamed>"}, "7": {"content": "<x>", "special": true}}, "other": [1, {}]}
      """
    let tokenizer = try Tokenizer(
      tokenizer: Array(TokenizerFileTests.good.utf8), file: "tokenizer.json", configuration: Array(configuration.utf8),
      configurationFile: "tokenizer_config.json")
    #expect(tokenizer.chatTemplate == "D" && tokenizer.chatTemplates == ["tool_use": "T", "default": "D"])
    #expect(tokenizer.beginOfTextToken == nil && tokenizer.endOfTextToken == "<e>")
    #expect(tokenizer.encode("a<x>") == [0, 7])
    #expect(tokenizer.text(of: 3) == "<e>" && tokenizer.text(of: 6) == nil && tokenizer.vocabularySize == 8)
    #expect(tokenizer.decode([0, 7, 6], skipsSpecialTokens: true) == "a")
    let error = try #require(throws: TokenizerError.self) {
      try Tokenizer(
        tokenizer: Array(TokenizerFileTests.good.utf8), file: "tokenizer.json",
        configuration: Array(#"{"added_tokens_decoder": {"x": {}}}"#.utf8),
        configurationFile: "dir/tokenizer_config.json")
    }
    #expect("\(error)".contains("dir/tokenizer_config.json") && "\(error)".contains("'x'"))
  }

  @Test func `a template file goes before the configuration`() throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("tokenizer-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    try Data(TokenizerFileTests.good.utf8).write(to: directory.appendingPathComponent("tokenizer.json"))
    #expect(try Tokenizer(directory: directory.path).chatTemplate == nil)
    try Data(#"{"chat_template": "C"}"#.utf8).write(to: directory.appendingPathComponent("tokenizer_config.json"))
    #expect(try Tokenizer(directory: directory.path).chatTemplate == "C")
    try Data("J".utf8).write(to: directory.appendingPathComponent("chat_template.jinja"))
    #expect(try Tokenizer(directory: directory.path).chatTemplate == "J")
    let folder = directory.appendingPathComponent("additional_chat_templates")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try Data("T".utf8).write(to: folder.appendingPathComponent("tool_use.jinja"))
    #expect(try Tokenizer(directory: directory.path).chatTemplates == ["default": "J", "tool_use": "T"])
  }
}

@Suite struct VocabularyDifferenceTests {
  @Test func `equal vocabularies do not differ`() throws {
    for name in GoldenFiles.names {
      #expect(try GoldenFiles.tokenizer(name).differences(from: GoldenFiles.tokenizer(name), limit: 5).isEmpty)
    }
  }

  @Test func `the reference pair has one vocabulary`() throws {
    let models = GoldenFiles.repository.appendingPathComponent("Models")
    let draft = try Tokenizer(directory: models.appendingPathComponent("foretoken-reference-draft").path)
    #expect(try GoldenFiles.tokenizer(GoldenFiles.reference).differences(from: draft, limit: 1).isEmpty)
    #expect(try !GoldenFiles.tokenizer("qwen").differences(from: draft, limit: 1).isEmpty)
  }

  @Test func `differences name the id and both texts`() throws {
    let target = try TokenizerFileTests.load(TokenizerFileTests.good)
    let draft = try TokenizerFileTests.load(
      TokenizerFileTests.good.replacingOccurrences(of: #""id":3,"content":"<e>""#, with: #""id":5,"content":"<f>""#))
    let differences = target.differences(from: draft, limit: 10).map(\.description)
    #expect(differences == ["id 3: target '<e>', draft none", "id 5: target none, draft '<f>'"])
    #expect(target.differences(from: draft, limit: 1).count == 1)
    #expect(target.differences(from: draft, limit: 0).isEmpty)
    let renamed = try TokenizerFileTests.load(TokenizerFileTests.good.replacingOccurrences(of: "<e>", with: "<g>"))
    #expect(target.differences(from: renamed, limit: 10).map(\.description) == ["id 3: target '<e>', draft '<g>'"])
  }
}
