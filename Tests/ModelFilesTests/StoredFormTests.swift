import Foundation
import ModelFiles
import Tensor
import TestSupport
import Testing

/// What a `config.json` alone tells of a quantised checkpoint's size, held against checkpoints that are here.
@Suite struct StoredFormTests {
  static let folder = Places.golden.appendingPathComponent("quantized")
  /// Written by the packages that publish the layouts; `ct-packed4-order` does not say in words that it has an order.
  static let checkpoints = [
    "awq", "ct-float-block", "ct-float-channel", "ct-float-tensor", "ct-int8-channel", "ct-int8-tensor", "ct-mxfp4",
    "ct-packed3", "ct-packed4", "ct-packed4-zeros", "ct-packed8", "fp8-blocks", "fp8-one-scale", "fp8-rows", "gptq",
    "gptq-3", "gptq-8", "gptq-8-zeros", "gptq-order", "gptq-symmetric", "gptq-v2",
  ]

  @Test("packed weights are those of the files, and stored bytes come near", arguments: checkpoints)
  func sizes(name: String) throws {
    let path = Self.folder.appendingPathComponent(name).path
    let configuration = try ModelConfiguration(directory: path)
    let tensors = DecoderTensors(configuration)
    let checkpoint = try Checkpoint(directory: path)
    for quantization in Quantization.allCases {
      #expect(
        tensors.packedByteCount(quantization, type: configuration.storedType)
          == checkpoint.packedByteCount(configuration: configuration, quantization: quantization))
    }
    let stored = tensors.all.reduce(0) { $0 + configuration.storedByteCount(of: $1) }
    let found = try Self.byteCount(path + "/model.safetensors")
    // Matrices of 32 rows have lists of groups that are large beside them.
    #expect(abs(Double(stored) / Double(found) - 1) < 0.2, "\(stored) and \(found)")
    #expect(stored < 2 * tensors.all.reduce(0) { $0 + $1.count })
  }

  /// Bytes of a file's tensors, without the one that is no part of the model.
  private static func byteCount(_ path: String) throws -> Int {
    let file = try Data(contentsOf: URL(fileURLWithPath: path))
    let length = file.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    let header = try JSONSerialization.jsonObject(with: file.dropFirst(8).prefix(length)) as? [String: Any]
    return try #require(header).reduce(0) { sum, entry in
      guard !entry.key.hasPrefix("extra."), let tensor = entry.value as? [String: Any],
        let range = tensor["data_offsets"] as? [Int]
      else { return sum }
      return sum + range[1] - range[0]
    }
  }

  private static func configuration(_ quantization: String, experts: Bool = false) throws -> ModelConfiguration {
    let more = experts ? #","num_experts":4,"num_experts_per_tok":2,"moe_intermediate_size":64"# : ""
    let json = """
      {"architectures":["Qwen3\(experts ? "Moe" : "")ForCausalLM"],"hidden_size":64,"num_hidden_layers":2,
       "num_attention_heads":2,"num_key_value_heads":1,"head_dim":32,"intermediate_size":128,"vocab_size":64,
       "max_position_embeddings":64\(more),"quantization_config":\(quantization)}
      """
    return try ModelConfiguration(json: Array(json.utf8), path: "config.json")
  }

  private static func types(_ configuration: ModelConfiguration) -> [String: ElementType] {
    Dictionary(
      uniqueKeysWithValues: DecoderTensors(configuration).all.filter(\.isMatrix).map {
        ($0.name.huggingFace, configuration.storedType(of: $0))
      })
  }

  @Test(
    "modules that are left out stay bf16: by name, by beginning, by end, by pattern",
    arguments: [
      (#""modules_to_not_convert":["model.layers.0.mlp.down_proj"]"#, ["model.layers.0.mlp.down_proj.weight"]),
      (#""modules_to_not_convert":["layers.1.self_attn.q_proj"]"#, ["model.layers.1.self_attn.q_proj.weight"]),
      (
        #""modules_to_not_convert":["model.language_model.layers.1.self_attn"]"#,
        ["q_proj", "k_proj", "v_proj", "o_proj"].map { "model.layers.1.self_attn.\($0).weight" }
      ),
      (
        #""modules_to_not_convert":["down_proj"]"#,
        ["model.layers.0.mlp.down_proj.weight", "model.layers.1.mlp.down_proj.weight"]
      ),
      (
        #""modules_to_not_convert":["model.layers.*.mlp.up_proj"]"#,
        ["model.layers.0.mlp.up_proj.weight", "model.layers.1.mlp.up_proj.weight"]
      ),
      (
        #""ignore":["re:.*layers\\.0\\..*(gate|up)_proj$"]"#,
        // What a group of words stands for is not read.
        ["gate_proj", "up_proj", "down_proj"].map { "model.layers.0.mlp.\($0).weight" }
          + ["q_proj", "k_proj", "v_proj", "o_proj"].map { "model.layers.0.self_attn.\($0).weight" }
      ),
      (#""ignore":["re:.*layers.1.*k_proj$","mlp"]"#, nil),
      (#""ignore":["gate"]"#, []), (#""ignore":["re:"]"#, nil), (#""ignore":7"#, []),
    ] as [(String, [String]?)])
  func modules(listed: String, expected: [String]?) throws {
    let found = Self.types(try Self.configuration(#"{"quant_method":"fp8",\#(listed)}"#)).filter {
      $0.value == .bfloat16 && $0.key.hasPrefix("model.layers")
    }
    guard let expected else { return #expect(!found.isEmpty) }
    #expect(found.keys.sorted() == expected.sorted())
  }

  @Test("a list that was written to take long counts everything as it was") func hostile() throws {
    let pattern = "re:" + String(repeating: ".*a", count: 4000)
    let types = Self.types(try Self.configuration(#"{"quant_method":"fp8","ignore":["\#(pattern)"]}"#))
    #expect(types.values.allSatisfy { $0 == .bfloat16 })
  }

  @Test("routers are left alone, and MXFP4 is for experts") func experts() throws {
    let floats = Self.types(try Self.configuration(#"{"quant_method":"fp8"}"#, experts: true))
    #expect(floats["model.layers.0.mlp.gate.weight"] == .bfloat16)
    #expect(floats["model.layers.0.mlp.experts.3.down_proj.weight"] == .float8)
    #expect(floats["model.layers.0.self_attn.q_proj.weight"] == .float8)
    #expect(floats["lm_head.weight"] == .bfloat16 && floats["model.embed_tokens.weight"] == .bfloat16)
    let fours = Self.types(try Self.configuration(#"{"quant_method":"mxfp4"}"#, experts: true))
    #expect(fours["model.layers.0.mlp.experts.3.down_proj.weight"] == .mxfp4)
    #expect(fours["model.layers.0.self_attn.q_proj.weight"] == .bfloat16)
  }

  @Test("columns in any order are said to be so") func order() throws {
    let packed = #"{"num_bits":4,"group_size":32,"actorder":"group"}"#
    let ordered =
      #"{"quant_method":"compressed-tensors","format":"pack-quantized","config_groups":{"g":{"weights":\#(packed)}}}"#
    #expect(Self.types(try Self.configuration(ordered))["model.layers.0.mlp.up_proj.weight"] == .scattered)
    let plain = ordered.replacing(#""group""#, with: "false")
    #expect(Self.types(try Self.configuration(plain))["model.layers.0.mlp.up_proj.weight"] == .int4)
  }
}
