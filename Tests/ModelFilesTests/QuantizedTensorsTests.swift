import Foundation
import ModelFiles
import Tensor
import TestSupport
import Testing

/// Quantised checkpoints whose description or parts are not as they should be: each gives an error that names the key or
/// the tensor, what was found, and what was expected.
@Suite struct QuantizedTensorsTests {
  typealias Part = (name: String, type: String, shape: [Int])

  /// A directory whose tensors are zeros.
  func directory(_ quantization: String, _ parts: [Part]) throws -> TemporaryDirectory {
    let widths = ["I64": 8, "I32": 4, "F32": 4, "F16": 2, "BF16": 2]
    var (entries, end): ([String], Int) = ([], 0)
    for part in parts {
      let size = part.shape.reduce(widths[part.type] ?? 1, *)
      entries.append(
        DamagedModelTests.entry(part.name, end, end + size, type: part.type, shape: "\(part.shape)"))
      end += size
    }
    let directory = try TemporaryDirectory()
    try directory.write(
      DamagedModelTests.file("{\(entries.joined(separator: ","))}", bytes: end), to: "model.safetensors")
    try directory.write(Data(#"{"quantization_config":\#(quantization)}"#.utf8), to: "config.json")
    return directory
  }

  func reason(_ quantization: String, _ parts: [Part]) throws -> String {
    let directory = try directory(quantization, parts)
    return #expect(throws: ModelFileError.self) { try Checkpoint(directory: directory.path) }?.description ?? "no error"
  }

  static let gptq = #"{"quant_method":"gptq","bits":4,"group_size":32,"sym":false}"#
  static let awq = #"{"quant_method":"awq","bits":4,"group_size":32,"version":"gemm"}"#
  static let fp8 = #"{"quant_method":"fp8","weight_block_size":[128,128]}"#

  static func packed(_ weights: String = #"{"num_bits":4,"group_size":32}"#, more: String = "") -> String {
    #"{"quant_method":"compressed-tensors","format":"pack-quantized","config_groups":{"g":{"weights":\#(weights)}}\#(more)}"#
  }

  static let descriptions: [(json: String, says: String)] = [
    (
      #"{"quant_method":"bitsandbytes","bits":"four"}"#,
      "quantised by 'bitsandbytes' (quantization_config.quant_method)"
    ),
    (#"{"bits":4}"#, "by no method named"),
    (#"{"quant_method":7}"#, "quant_method"),
    (#"{"quant_method":"gptq","bits":4,"group_size":0}"#, "group_size is 0; expected -1, or 1 to 65536"),
    (#"{"quant_method":"gptq","bits":4,"group_size":-9223372036854775808}"#, "group_size is -9223372036854775808"),
    (#"{"quant_method":"gptq","bits":99,"group_size":32}"#, "bits is 99; expected 2 to 8"),
    (#"{"quant_method":"gptq","group_size":32}"#, "bits is missing"),
    (#"{"quant_method":"gptq","bits":4,"checkpoint_format":"marlin"}"#, "checkpoint_format 'marlin'"),
    (#"{"quant_method":"awq","bits":4,"version":"gemv"}"#, "version 'gemv' of AWQ; only gemm"),
    (#"{"quant_method":"awq","bits":8}"#, "bits 8 of AWQ; only 4"),
    (#"{"quant_method":"fp8","weight_block_size":[128,0]}"#, "weight_block_size is [128, 0]; expected two numbers"),
    (#"{"quant_method":"fp8","weight_block_size":[128]}"#, "weight_block_size is [128]"),
    (
      #"{"quant_method":"compressed-tensors","format":"nvfp4-pack-quantized"}"#,
      "format 'nvfp4-pack-quantized'; supported are dense, pack-quantized"
    ),
    (packed(#"{"num_bits":0}"#), "num_bits is 0; expected 1 to 8"),
    (packed(#"{"num_bits":4,"group_size":0}"#), "weights.group_size is 0"),
    (packed(#"{"num_bits":8,"block_structure":[0,1]}"#), "block_structure is [0, 1]"),
    (packed(more: #","sparsity_config":{"format":"sparse-24-bitmask"}"#), "sparsity_config.format 'sparse-24-bitmask'"),
    (packed(more: #","transform_config":{"config_groups":{"u":{}}}"#), "transform_config: rotations"),
  ]

  @Test("a description that is unsupported or makes no sense is refused by name", arguments: descriptions.indices)
  func description(index: Int) throws {
    let (json, says) = Self.descriptions[index]
    let reason = try reason(json, [("a", "BF16", [2])])
    #expect(reason.contains("config.json") && reason.contains(says), "\(reason)")
    // The model's shape says the same.
    let directory = try directory(json, [])
    let configuration = #"{"architectures":["Qwen3ForCausalLM"],"quantization_config":\#(json)}"#
    try directory.write(Data(configuration.utf8), to: "config.json")
    let error = #expect(throws: ModelFileError.self) { try ModelConfiguration(directory: directory.path) }
    #expect(error?.reason.contains(says) == true, "\(error?.reason ?? "")")
  }

  static let weight: Part = ("x.qweight", "I32", [8, 16])
  static let parts: [(json: String, parts: [Part], says: String)] = [
    (gptq, [weight], "'x.scales' is missing, which goes with 'x.qweight'"),
    (gptq, [weight, ("x.scales", "I32", [2, 16])], "'x.scales' is I32; expected F16 or BF16 or F32"),
    (gptq, [weight, ("x.scales", "F16", [3, 16])], "'x.scales' has shape [3, 16]; expected [2, 16]"),
    (gptq, [weight, ("x.scales", "F16", [2, 16])], "'x.qzeros' is missing"),
    (
      gptq, [weight, ("x.scales", "F16", [2, 16]), ("x.qzeros", "I32", [2, 1])],
      "'x.qzeros' has shape [2, 1]; expected [2, 2]"
    ),
    (
      gptq, [weight, ("x.scales", "F16", [2, 16]), ("x.qzeros", "I32", [2, 2]), ("x.g_idx", "I32", [63])],
      "'x.g_idx' has shape [63]; expected [64]"
    ),
    (gptq, [("x.qweight", "F32", [8, 16])], "'x.qweight' is F32; expected I32"),
    (gptq, [("x.qweight", "I32", [8])], "'x.qweight' has shape [8]; expected a matrix"),
    (gptq, [("x.qweight", "I32", [0, 16])], "'x.qweight' has shape [0, 16]; expected a matrix"),
    (
      #"{"quant_method":"gptq","bits":3,"group_size":32,"sym":true}"#, [("x.qweight", "I32", [8, 16])],
      "expected whole columns of 3 bits"
    ),
    (awq, [("x.qweight", "I32", [64, 2])], "'x.scales' is missing"),
    (
      awq, [("x.qweight", "I32", [64, 2]), ("x.scales", "F16", [2, 16]), ("x.qzeros", "I32", [2, 3])],
      "'x.qzeros' has shape [2, 3]; expected [2, 2]"
    ),
    (fp8, [("x.weight", "F8_E4M3", [256, 128])], "'x.weight_scale' is missing"),
    (
      fp8, [("x.weight", "F8_E4M3", [256, 128]), ("x.weight_scale_inv", "F32", [2, 2])],
      "'x.weight_scale_inv' has shape [2, 2]; expected one scale, [256, 1], or one for each block of 128 x 128"
    ),
    (
      fp8, [("x.weight", "F8_E4M3", [4]), ("x.weight_scale", "F32", [1])], "'x.weight' has shape [4]; expected a matrix"
    ),
    (packed(), [("x.weight_packed", "I32", [4, 8])], "'x.weight_shape' is missing"),
    (
      packed(), [("x.weight_packed", "I32", [4, 8]), ("x.weight_shape", "I64", [2])],
      "says [0, 0], and 'x.weight_packed'"
    ),
    (packed(), [("x.weight_packed", "I32", [4, 8]), ("x.weight_shape", "F32", [2])], "expected I64 or I32"),
    (packed(), [("x.weight", "I8", [4, 32]), ("x.weight_scale", "F32", [4, 3])], "groups of [32] columns"),
    (
      packed(), [("x.weight", "I8", [4, 32]), ("x.weight_zero_point", "I8", [4, 1])],
      "unsupported: tensor 'x.weight_zero_point' beside integers of eight bits"
    ),
    (
      packed(), [("x.weight_packed", "U8", [4, 16]), ("x.weight_scale", "F8_E4M3", [4, 2])],
      "'x.weight_scale' is F8_E4M3"
    ),
    (
      #"{"quant_method":"mxfp4"}"#, [("x_blocks", "U8", [2, 4, 3, 8]), ("x_scales", "U8", [2, 4, 3])],
      "'x_blocks' has shape [2, 4, 3, 8]; expected [experts, rows, groups, 16]"
    ),
    (#"{"quant_method":"mxfp4"}"#, [("x_blocks", "U8", [2, 4, 3, 16])], "'x_scales' is missing"),
  ]

  @Test("a part that is missing, or of another type or shape, is named", arguments: parts.indices)
  func part(index: Int) throws {
    let (json, parts, says) = Self.parts[index]
    let reason = try reason(json, parts)
    #expect(reason.contains("model.safetensors") && reason.contains(says), "\(reason)")
  }

  @Test("groups of columns that there are not are refused")
  func groups() throws {
    let parts: [Part] = [
      ("x.g_idx", "I32", [64]), Self.weight, ("x.scales", "F16", [2, 16]), ("x.qzeros", "I32", [2, 2]),
    ]
    // All columns in group 0 is an order of its own.
    let directory = try directory(Self.gptq, parts)
    #expect(
      try Checkpoint(directory: directory.path).tensor("x.weight", shape: [16, 64]).elementType.rawValue == "SCATTERED")
    var data = try Data(contentsOf: URL(fileURLWithPath: directory.path + "/model.safetensors"))
    let start = 8 + Int(data[0]) + 256 * Int(data[1])
    data[start + 4 * 40 + 3] = 0x80
    try directory.write(data, to: "model.safetensors")
    let error = #expect(throws: ModelFileError.self) { try Checkpoint(directory: directory.path) }
    #expect(error?.reason.contains("'x.g_idx' names the group -2147483648 of 2") == true, "\(error?.reason ?? "")")
  }

  @Test("tensors that are not quantised stay as they are, and eight-bit floats without a method are refused by name")
  func others() throws {
    let plain = try directory(Self.gptq, [("lm_head.weight", "BF16", [4, 8]), ("x.bias", "F32", [4])])
    #expect(try Checkpoint(directory: plain.path).tensorNames == ["lm_head.weight", "x.bias"])
    let floats = try directory("null", [("x.weight", "F8_E4M3", [4, 8])])
    let error = #expect(throws: ModelFileError.self) {
      try Checkpoint(directory: floats.path).tensor("x.weight", shape: [4, 8])
    }
    #expect(error?.reason.contains("'x.weight' is F8_E4M3; supported are F32") == true)
    #expect(error?.reason.contains("SCATTERED") == false)
  }
}
