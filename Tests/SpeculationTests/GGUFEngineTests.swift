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
    #expect(try reason { $0.add("tokenizer.ggml.model", .string("llama")) }.contains("is 'llama'; only 'gpt2'"))
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
    #expect(try lists("dbrx").contains("'dbrx'; supported: deepseek-r1-qwen, gpt-2, llama-bpe"))
    #expect(try lists("qwen2", types: [9]).contains("token_type holds 9"))
    #expect(try lists("qwen2", types: [1, 1]).contains("2 types of 1 tokens"))
    #expect(try lists("qwen2") == "no error")
  }
}
