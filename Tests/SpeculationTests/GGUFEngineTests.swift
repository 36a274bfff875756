import Decoding
import Foundation
import Inference
import ModelFiles
import Tensor
import TestSupport
import Testing
import Tokenization

/// The shipped pair as GGUF files, from opening to speculation.
@Suite struct GGUFEngineTests {
  func write(
    _ model: String, as kind: GGUFWriter.Kind, to directory: TemporaryDirectory, _ name: String
  ) throws
    -> String
  {
    try directory.write(try GGUFModel.writer(of: model, as: kind).data, to: name)
    return directory.path + "/" + name
  }

  /// Greedy tokens of a prompt.
  func tokens(_ model: String, draft: String? = nil, quantization: Quantization = .file) throws -> [TokenID] {
    var configuration = EngineConfiguration(model: model)
    configuration.quantization = quantization
    configuration.maximumLength = 256
    configuration.threads = 2
    configuration.speculation = try draft.map {
      try SpeculativeConfiguration(method: .draftModel, model: $0, window: 4)
    }
    let parts = try EngineAssembly(configuration)
    let prompt = try ModelSource.tokenizer(of: model).encode("<|im_start|>user\nList the months.<|im_end|>\n")
    var request = GenerationRequest(prompt: prompt)
    request.stopping.maximumTokens = 48
    return try parts.makeLoop().outcome(of: request).tokens
  }

  @Test("a GGUF file is the directory that it was made from: tokenizer, template, ends, and tokens")
  func parity() throws {
    let directory = try TemporaryDirectory()
    let path = try write(Places.target, as: .bfloat16, to: directory, "target.gguf")
    let (file, original) = (try ModelSource(path), try ModelSource(Places.target))
    #expect(file.tokenizer.differences(from: original.tokenizer, limit: 1).isEmpty)
    #expect(file.endOfTextTokens == original.endOfTextTokens)
    #expect(file.tokenizer.chatTemplate == original.tokenizer.chatTemplate)
    #expect(file.tokenizer.endOfTextToken == original.tokenizer.endOfTextToken)
    let text = "Grüße, 12345 words—don't split\n\n\tthem <|im_end|> wrongly 🦙"
    #expect(file.tokenizer.encode(text) == original.tokenizer.encode(text))
    #expect(try tokens(path) == tokens(Places.target))
    let half = try write(Places.target, as: .float16, to: directory, "half.gguf")
    #expect(try tokens(half) == tokens(Places.target))
  }

  @Test("a quantised draft proposes for a quantised target, and the tokens are the target's own")
  func speculation() throws {
    let directory = try TemporaryDirectory()
    let target = try write(Places.target, as: .q4_0, to: directory, "target.gguf")
    let draft = try write(Places.draft, as: .q8_0, to: directory, "draft.gguf")
    let plain = try tokens(target)
    #expect(plain.count > 8)
    #expect(try tokens(target, draft: draft) == plain)
    // Four-bit blocks stay what they are where four bits are asked for, and where eight are.
    #expect(try tokens(target, quantization: .int4) == plain)
    #expect(try tokens(target, quantization: .int8) == plain)
  }

  @Test("tokenizers that cannot be read say so")
  func tokenizers() throws {
    func reason(_ build: (inout GGUFWriter) -> Void) throws -> String {
      var writer = GGUFWriter()
      build(&writer)
      let directory = try TemporaryDirectory()
      try directory.write(writer.data, to: "m.gguf")
      do {
        _ = try ModelSource.tokenizer(of: directory.path + "/m.gguf")
        return "no error"
      } catch {
        #expect("\(error)".contains("m.gguf"))
        return "\(error)"
      }
    }
    #expect(try reason { _ in }.contains("tokenizer.ggml.model is missing"))
    #expect(try reason { $0.add("tokenizer.ggml.model", .string("bert")) }.contains("is 'bert'; only 'gpt2'"))
    #expect(try reason { $0.add("tokenizer.ggml.model", .string("llama")) }.contains("'tokenizer.ggml.scores'"))
    #expect(try reason { $0.add("tokenizer.ggml.model", .string("gemma4")) }.contains("'tokenizer.ggml.tokens'"))
    #expect(try reason { $0.add("tokenizer.ggml.model", .string("gpt2")) }.contains("'tokenizer.ggml.pre'"))
    func lists(_ pre: String, types: [Int32] = [1]) throws -> String {
      try reason {
        $0.add("tokenizer.ggml.model", .string("gpt2"))
        $0.add("tokenizer.ggml.pre", .string(pre))
        $0.add("tokenizer.ggml.tokens", .strings(["a"]))
        $0.add("tokenizer.ggml.token_type", .int32s(types))
        $0.add("tokenizer.ggml.merges", .strings([]))
      }
    }
    #expect(try lists("klingon").contains("'klingon'; supported: dbrx, deepseek-r1-qwen, falcon3, gpt-2, gpt-4o"))
    #expect(try lists("qwen2", types: [9]).contains("token_type holds 9"))
    #expect(try lists("qwen2", types: [1, 1]).contains("2 types of 1 tokens"))
    #expect(try lists("qwen2") == "no error")
  }

  @Test(
    "a file of pieces with scores is SentencePiece's tokenizer, one of Gemma 4's has merges",
    arguments: ["llama", "gemma4"])
  func pieces(model: String) throws {
    let byteTokens = (0..<256).map { "<0x" + ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) + ">" }
    let words = ["▁", "a", "b", "▁a", "▁ab", "ab", "\n", "\n\n"]
    let tokens = ["<unk>", "<s>", "</s>"] + byteTokens + words
    var writer = GGUFWriter()
    writer.add("general.name", .string("Phi-3 small"))
    writer.add("tokenizer.ggml.model", .string(model))
    writer.add("tokenizer.ggml.tokens", .strings(tokens))
    writer.add("tokenizer.ggml.scores", .float32s(tokens.map { -Float($0.count) }))
    writer.add(
      "tokenizer.ggml.token_type",
      .int32s([2, 3, 3] + byteTokens.map { _ in 6 } + words.map { _ in 1 }))
    writer.add("tokenizer.ggml.merges", .strings(["▁ a", "a b", "▁a b"]))
    writer.add("tokenizer.ggml.bos_token_id", .uint32(1))
    let directory = try TemporaryDirectory()
    try directory.write(writer.data, to: "m.gguf")
    let tokenizer = try ModelSource.tokenizer(of: directory.path + "/m.gguf")
    func ids(_ texts: String...) throws -> [TokenID] { try texts.map { try #require(tokenizer.id(of: $0)) } }
    let isScored = model == "llama"
    // By scores the shorter pieces come first, by merges the first of the list does.
    #expect(try tokenizer.encode("ab") == (isScored ? ids("▁ab") : ids("ab")))
    #expect(try tokenizer.encode("a\n\n", addsSpecialTokens: true) == ids("<s>", isScored ? "▁a" : "a", "\n\n"))
    #expect(try tokenizer.encode("é") == (isScored ? ids("▁") : []) + ids("<0xC3>", "<0xA9>"))
    // Phi-3's control tokens take what follows them.
    #expect(try tokenizer.encode("</s> \n b") == ids("</s>") + (isScored ? ids("▁", "b") : ids("b")))
    for text in ["", " a  b", "é\n\n\n字 ab"] { #expect(tokenizer.decode(tokenizer.encode(text)) == text) }
  }
}
