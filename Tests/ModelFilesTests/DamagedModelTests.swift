import Foundation
import ModelFiles
import Tensor
import TestSupport
import Testing

/// Model directories that are not as they should be: each gives an error that names the file and the fact.
@Suite struct DamagedModelTests {
  /// A safetensors file of a header and some bytes.
  static func file(_ header: String, bytes: Int, claims: Int? = nil) -> Data {
    var data = Data()
    let length = UInt64(claims ?? header.utf8.count)
    for shift in 0..<8 { data.append(UInt8(truncatingIfNeeded: length >> UInt64(8 * shift))) }
    return data + Data(header.utf8) + Data(count: bytes)
  }

  static func entry(_ name: String, _ begin: Int, _ end: Int, type: String = "BF16", shape: String = "[2]") -> String {
    #""\#(name)":{"dtype":"\#(type)","shape":\#(shape),"data_offsets":[\#(begin),\#(end)]}"#
  }

  static let headers: [(what: String, data: Data, says: String)] = [
    ("nothing", Data(), "begins with 8"),
    ("a header longer than the file", file("{}", bytes: 0, claims: 5_000), "truncated"),
    ("an enormous header", file("{}", bytes: 0, claims: 1 << 60), "at most"),
    ("no JSON", file("hello, world", bytes: 0), "not valid JSON"),
    ("a list", file("[1, 2]", bytes: 0), "expected type"),
    ("nesting without end", file(String(repeating: "[", count: 100_000), bytes: 0), "JSON"),
    ("an unknown dtype", file("{\(entry("a", 0, 4, type: "Q9"))}", bytes: 4), "unknown dtype 'Q9'"),
    ("offsets past the end", file("{\(entry("a", 0, 400))}", bytes: 4), "data_offsets [0, 400]"),
    ("offsets backwards", file("{\(entry("a", 4, 0))}", bytes: 4), "data_offsets [4, 0]"),
    ("negative offsets", file("{\(entry("a", -4, 0))}", bytes: 4), "data_offsets [-4, 0]"),
    ("a shape that does not fit", file("{\(entry("a", 0, 4, shape: "[3]"))}", bytes: 4), "needs 6 bytes"),
    (
      "a shape that overflows",
      file("{\(entry("a", 0, 4, shape: "[9223372036854775807,9223372036854775807]"))}", bytes: 4), "impossible shape"
    ),
    ("overlapping tensors", file("{\(entry("a", 0, 4)),\(entry("b", 2, 6))}", bytes: 6), "overlap"),
    ("a hole", file("{\(entry("a", 0, 4)),\(entry("b", 6, 10))}", bytes: 10), "belong to no tensor"),
    ("bytes left over", file("{\(entry("a", 0, 4))}", bytes: 12), "follow the last tensor"),
    ("a name that stands twice", file("{\(entry("a", 0, 4)),\(entry("a", 0, 4))}", bytes: 4), "of which only 1 differ"),
    (
      "a name that stands twice, written in two ways",
      file(#"{\#(entry("a", 0, 4)),\#(entry(#"\u0061"#, 0, 4))}"#, bytes: 4), "of which only 1 differ"
    ),
    ("a missing key", file(#"{"a":{"dtype":"BF16","shape":[2]}}"#, bytes: 4), "data_offsets"),
  ]

  @Test("a damaged safetensors file is named with what is wrong", arguments: headers.indices)
  func safetensors(index: Int) throws {
    let example = Self.headers[index]
    let directory = try TemporaryDirectory()
    try directory.write(example.data, to: "model.safetensors")
    let error = #expect(throws: ModelFileError.self, "\(example.what)") { try Checkpoint(directory: directory.path) }
    #expect(error?.path.hasSuffix("model.safetensors") == true)
    #expect(error?.reason.contains(example.says) == true, "\(example.what): \(error?.description ?? "no error")")
  }

  @Test("a missing tensor, a wrong shape and a wrong dtype are named when they are asked for")
  func tensors() throws {
    let directory = try TemporaryDirectory()
    let header = "{\(Self.entry("a", 0, 4)),\(Self.entry("b", 4, 20, type: "I64"))}"
    try directory.write(Self.file(header, bytes: 20), to: "model.safetensors")
    let checkpoint = try Checkpoint(directory: directory.path)
    func reason(_ name: String, _ shape: [Int]) -> String {
      #expect(throws: ModelFileError.self) { try checkpoint.tensor(name, shape: shape) }?.description ?? ""
    }
    #expect(reason("c", [2]).contains("'c' is missing"))
    #expect(reason("a", [3]).contains("shape [2]; the configuration asks for [3]"))
    #expect(reason("b", [2]).contains("is I64; supported are F32, F16, BF16"))
    #expect(try checkpoint.tensor("a", shape: [2]).floats() == [0, 0])
  }

  @Test("where a single file and an index are, the single file counts; names may hold any character")
  func singleFile() throws {
    let directory = try TemporaryDirectory()
    try directory.write(Data("not read".utf8), to: "model.safetensors.index.json")
    let name = #"a\":{,[\\"#
    try directory.write(Self.file("{\(Self.entry(name, 0, 4))}", bytes: 4), to: "model.safetensors")
    #expect(try Checkpoint(directory: directory.path).tensorNames == [#"a":{,[\"#])
  }

  @Test("a shard index that lies is named")
  func shards() throws {
    let directory = try TemporaryDirectory()
    func reason(_ index: String) throws -> String {
      try directory.write(Data(index.utf8), to: "model.safetensors.index.json")
      return #expect(throws: ModelFileError.self) { try Checkpoint(directory: directory.path) }?.description ?? ""
    }
    try directory.write(Self.file("{\(Self.entry("a", 0, 4))}", bytes: 4), to: "one.safetensors")
    #expect(try reason(#"{"weight_map":{"a":"../one.safetensors"}}"#).contains("in the same directory"))
    #expect(try reason(#"{"weight_map":{"a":"two.safetensors"}}"#).contains("two.safetensors"))
    #expect(try reason(#"{"weight_map":{"b":"one.safetensors"}}"#).contains("lacks the tensor 'b'"))
    #expect(try reason(#"{"weights":{}}"#).contains("weight_map"))
    #expect(try reason("").contains("not valid JSON"))
  }

  static let configurations: [(change: [String: String], says: String)] = [
    (["architectures": #"["GPT2LMHeadModel"]"#], "architecture GPT2LMHeadModel"),
    (["architectures": "[]"], "none named"),
    (["hidden_size": "0"], "hidden_size is 0"), (["hidden_size": "null"], "lacks the key 'hidden_size'"),
    (["hidden_size": "\"wide\""], "'hidden_size' is not of the expected type"),
    (["num_key_value_heads": "3"], "is not a multiple"), (["head_dim": "7"], "expected an even number"),
    (["vocab_size": "99999999999"], "vocab_size is 99999999999"), (["hidden_act": "\"gelu\""], "hidden_act gelu"),
    (["rope_scaling": #"{"rope_type":"spiral"}"#], "rope scaling 'spiral'"),
    (["rope_scaling": #"{"rope_type":"yarn"}"#], "lacks 'factor'"), (["rope_theta": "-1"], "rope_theta is -1"),
    (["quantization_config": "{}"], "no method named (quantization_config.quant_method)"),
    (
      ["layer_types": #"["full_attention","sliding_attention"]"#], "sliding_attention without use_sliding_window"
    ),
    (["layer_types": #"["chunked_attention"]"#], "layers of type chunked_attention"),
    (
      ["use_sliding_window": "true", "max_window_layers": "0", "sliding_window": "0"],
      "sliding_window is 0; expected 1 to 16777216"
    ),
    (
      ["use_sliding_window": "true", "layer_types": #"["sliding_attention"]"#],
      "layer_types has 1 entries for num_hidden_layers 2"
    ),
    (
      ["architectures": #"["LlamaForCausalLM"]"#, "layer_types": #"["sliding_attention","sliding_attention"]"#],
      "layers of type sliding_attention in models of this family"
    ),
    (
      ["architectures": #"["MistralForCausalLM"]"#, "layer_types": #"["sliding_attention","full_attention"]"#],
      "layer_types that are not all sliding_attention"
    ),
    (
      ["rope_parameters": #"{"full_attention":{"rope_theta":10000}}"#],
      "rope_parameters by type of layer"
    ),
    (
      ["architectures": #"["Gemma3ForCausalLM"]"#, "use_bidirectional_attention": "true"],
      "attention to later positions (use_bidirectional_attention)"
    ),
    (["architectures": #"["Gemma3ForCausalLM"]"#, "attn_logit_softcapping": "50"], "attn_logit_softcapping in models"),
    (["architectures": #"["Gemma3ForCausalLM"]"#, "query_pre_attn_scalar": "0"], "query_pre_attn_scalar is 0.0"),
    (["architectures": #"["Gemma3ForCausalLM"]"#, "hidden_activation": "\"gelu\""], "hidden_activation gelu"),
    (["architectures": #"["Gemma2ForCausalLM"]"#, "final_logit_softcapping": "1e9"], "final_logit_softcapping is 1"),
    (["architectures": #"["Gemma3ForCausalLM"]"#, "dtype": "\"int8\""], "dtype int8"),
    (["num_hidden_layers": "1e400"], "config.json"), (["partial_rotary_factor": "0.5"], "partial_rotary_factor 0.5"),
    (["rope_theta": "1e300"], "rope_theta is 1e+300"),
    (["rope_scaling": #"{"rope_type":"linear","factor":1e-320}"#], "factor is 1e-320"),
  ]
  static let valid = [
    "architectures": #"["Qwen3ForCausalLM"]"#, "hidden_size": "64", "num_hidden_layers": "2",
    "num_attention_heads": "4",
    "num_key_value_heads": "2", "head_dim": "16", "intermediate_size": "96", "vocab_size": "100",
    "max_position_embeddings": "512",
  ]

  static func json(_ members: [String: String]) -> [UInt8] {
    Array("{\(members.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ","))}".utf8)
  }

  @Test("a configuration that cannot be run says why", arguments: configurations.indices)
  func configuration(index: Int) throws {
    #expect(throws: Never.self) { try ModelConfiguration(json: Self.json(Self.valid), path: "config.json") }
    let (change, says) = Self.configurations[index]
    let json = Self.json(Self.valid.merging(change) { $1 })
    let error = #expect(throws: ModelFileError.self) { try ModelConfiguration(json: json, path: "config.json") }
    #expect(error?.description.contains(says) == true, "\(error?.description ?? "no error")")
  }

  @Test("thousands of random mutations of every file crash nothing")
  func fuzz() throws {
    var generator = SeededGenerator(seed: 12)
    let golden = Places.golden.appendingPathComponent("forward/qwen3-bias-sharded").path
    let files = [
      "config.json", "generation_config.json", "model.safetensors.index.json", "model-00001-of-00004.safetensors",
    ]
    let directory = try TemporaryDirectory()
    let names = try FileManager.default.contentsOfDirectory(atPath: golden)
    for name in names {
      try FileManager.default.copyItem(atPath: golden + "/" + name, toPath: directory.path + "/" + name)
    }
    for name in files {
      let original = try Data(contentsOf: URL(fileURLWithPath: golden + "/" + name))
      // Only the head of a weight file has a structure to damage.
      let reach = name.hasSuffix("safetensors") ? min(original.count, 1_200) : original.count
      var outcomes = (accepted: 0, refused: 0)
      for _ in 0..<1_000 {
        var damaged = original
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
          let place = Int.random(in: 0..<min(reach, damaged.count), using: &generator)
          switch Int.random(in: 0..<5, using: &generator) {
          case 0: damaged[place] = UInt8.random(in: 0...255, using: &generator)
          case 1: damaged[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
          case 2: damaged.remove(at: place)
          case 3: damaged.insert(contentsOf: Array("99999999999999999999".utf8), at: place)
          default: damaged = damaged.prefix(max(place, 1))
          }
        }
        try directory.write(damaged, to: name)
        do {
          switch name {
          case "config.json": _ = try ModelConfiguration(directory: directory.path)
          case "generation_config.json": _ = try GenerationConfiguration(directory: directory.path)
          default:
            let checkpoint = try Checkpoint(directory: directory.path)
            for name in checkpoint.tensorNames {
              _ = try checkpoint.tensor(name, shape: checkpoint.shape(of: name) ?? [])
            }
          }
          outcomes.accepted += 1
        } catch {
          outcomes.refused += 1
        }
      }
      #expect(outcomes.refused > 0, "\(name): nothing was noticed")
      try directory.write(original, to: name)
    }
  }
}
