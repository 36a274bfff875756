import Foundation
import ModelFiles
import TestSupport
import Testing

@Suite struct DecoderTensorsTests {
  @Test(
    "a model's list is what its checkpoint holds",
    arguments: ForwardCase.random + ForwardCase.windowed + ForwardCase.pair)
  func complete(example: ForwardCase) throws {
    let tensors = DecoderTensors(try ModelConfiguration(directory: example.directory)).all
    let checkpoint = try Checkpoint(directory: example.directory)
    #expect(tensors.map(\.name.huggingFace).sorted() == checkpoint.tensorNames)
    for tensor in tensors { #expect(checkpoint.shape(of: tensor.name.huggingFace) == tensor.shape) }
  }

  @Test("a GGUF file has the same list, whatever it calls it", arguments: ForwardCase.random + ForwardCase.windowed)
  func containers(example: ForwardCase) throws {
    let directory = try TemporaryDirectory()
    try directory.write(try GGUFModel.writer(of: example.directory, as: .float32).data, to: "m.gguf")
    let container = try openContainer(at: directory.path + "/m.gguf")
    #expect(try container.checkpoint().tensorNames == Checkpoint(directory: example.directory).tensorNames)
    #expect(container.keys?.isEmpty == false)
    #expect(try openContainer(at: example.directory).keys == nil)
  }

  /// Parameters as the models' makers count them.
  static let known: [(config: String, parameters: Int)] = [
    (
      """
      {"architectures": ["Qwen3ForCausalLM"], "hidden_size": 1024, "num_hidden_layers": 28, "num_attention_heads": 16,
       "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 3072, "vocab_size": 151936,
       "max_position_embeddings": 40960, "tie_word_embeddings": true}
      """, 596_049_920
    ),
    (
      """
      {"architectures": ["Qwen2ForCausalLM"], "hidden_size": 896, "num_hidden_layers": 24, "num_attention_heads": 14,
       "num_key_value_heads": 2, "intermediate_size": 4864, "vocab_size": 151936, "max_position_embeddings": 32768,
       "tie_word_embeddings": true}
      """, 494_032_768
    ),
    (
      """
      {"architectures": ["LlamaForCausalLM"], "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
       "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256, "max_position_embeddings": 131072}
      """, 8_030_261_248
    ),
  ]

  @Test("parameters are counted to the last one", arguments: known.indices)
  func parameters(index: Int) throws {
    let (config, parameters) = Self.known[index]
    let tensors = DecoderTensors(try ModelConfiguration(json: Array(config.utf8), path: "config.json"))
    #expect(tensors.all.reduce(0) { $0 + $1.count } == parameters)
  }

  @Test("devices share what a projection writes, or what it reads, and biases as the rows they are added to")
  func split() throws {
    let configuration = try ModelConfiguration(directory: ForwardReference.folder.path + "/llama-biases")
    let splits = DecoderTensors(configuration).layers[0].all.reduce(into: [String: Int?]()) {
      $0[$1.name.huggingFace.replacing("model.layers.0.", with: "")] = $1.split
    }
    for name in ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "mlp.gate_proj", "mlp.up_proj"] {
      #expect(splits["\(name).weight"] == 0 && splits["\(name).bias"] == 0)
    }
    for name in ["self_attn.o_proj", "mlp.down_proj"] {
      #expect(splits["\(name).weight"] == 1 && splits["\(name).bias"] == .some(nil))
    }
    #expect(splits["input_layernorm.weight"] == .some(nil))
  }
}
