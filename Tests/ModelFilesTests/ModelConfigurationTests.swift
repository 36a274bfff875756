import Foundation
import ModelFiles
import Tensor
import TestSupport
import Testing

/// What `config.json` and `generation_config.json` mean, in each of the forms that are about.
@Suite struct ModelConfigurationTests {
  static func configuration(_ change: [String: String]) throws -> ModelConfiguration {
    try ModelConfiguration(
      json: DamagedModelTests.json(DamagedModelTests.valid.merging(change) { $1 }), path: "config.json")
  }

  @Test("rotary frequencies are those of transformers, whichever way the file states them")
  func rotaryForms() throws {
    let text = try Data(contentsOf: Places.golden.appendingPathComponent("forward/rotary.json"))
    let references = try #require(try JSONSerialization.jsonObject(with: text) as? [[String: Any]])
    #expect(references.count == 18)
    for reference in references {
      let config = try JSONSerialization.data(withJSONObject: try #require(reference["config"]))
      let found = try ModelConfiguration(json: Array(config), path: "config.json").rotaryFrequencies()
      let wanted = try #require(reference["inverse_frequencies"] as? [Double])
      #expect(found.inverseFrequencies.count == wanted.count)
      for (value, wanted) in zip(found.inverseFrequencies, wanted) {
        #expect(abs(Double(value) - wanted) <= 2e-6 * wanted, "\(String(decoding: config, as: UTF8.self))")
      }
      let scale = try #require(reference["attention_scaling"] as? Double)
      #expect(abs(Double(found.attentionScale) - scale) < 1e-6)
    }
  }

  @Test("a scaling added to a file of the newer form prevails and keeps the file's base")
  func addedScaling() throws {
    let newer = ["rope_parameters": #"{"rope_theta":1000000.0,"rope_type":"default"}"#]
    let added = ["rope_scaling": #"{"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":32768}"#]
    let older = ["rope_theta": "1000000.0"]
    let found = try Self.configuration(newer.merging(added) { $1 })
    #expect(found.rotary == (try Self.configuration(older.merging(added) { $1 })).rotary)
    #expect(found.rotary.scaling != .none)
    #expect(found.rotary.base == 1_000_000)
  }

  @Test("a head size that the file leaves out is the family's")
  func headSize() throws {
    #expect(try Self.configuration(["head_dim": "null"]).headSize == 128)
    #expect(
      try Self.configuration(["head_dim": "null", "architectures": #"["LlamaForCausalLM"]"#]).headSize == 16)
  }

  static let windows: [(file: [String: String], windows: [Int?])] = [
    (["sliding_window": "4096"], []), (["use_sliding_window": "true"], []),
    (["use_sliding_window": "true", "sliding_window": "9", "max_window_layers": "1"], [nil, 9]),
    (["use_sliding_window": "true", "max_window_layers": "0"], [4096, 4096]),
    (["use_sliding_window": "true", "sliding_window": "null", "max_window_layers": "0"], []),
    (["use_sliding_window": "true", "sliding_window": "9", "max_window_layers": "2"], []),
    (
      [
        "use_sliding_window": "true", "sliding_window": "9", "max_window_layers": "0",
        "layer_types": #"["sliding_attention","full_attention"]"#,
      ], [9, nil]
    ),
    (["layer_types": #"["full_attention","full_attention"]"#, "use_sliding_window": "true"], []),
    (["architectures": #"["LlamaForCausalLM"]"#, "sliding_window": "9"], []),
    (["architectures": #"["MistralForCausalLM"]"#, "sliding_window": "9"], [9, 9]),
    (["architectures": #"["MistralForCausalLM"]"#, "sliding_window": "null"], []),
    (["architectures": #"["MistralForCausalLM"]"#], [4096, 4096]),
    (["architectures": #"["Gemma2ForCausalLM"]"#, "sliding_window": "9"], [9, nil]),
    (["architectures": #"["Gemma3ForCausalLM"]"#, "sliding_window": "9"], [9, 9]),
    (
      ["architectures": #"["Gemma3ForCausalLM"]"#, "sliding_window": "9", "sliding_window_pattern": "2"], [9, nil]
    ),
    (["architectures": #"["Gemma3ForCausalLM"]"#, "sliding_window_pattern": "1"], []),
    (
      ["architectures": #"["Gemma3ForCausalLM"]"#, "layer_types": #"["full_attention","sliding_attention"]"#],
      [nil, 4096]
    ),
  ]

  @Test("windows are those of transformers, whichever way the file states them", arguments: windows.indices)
  func slidingWindow(index: Int) throws {
    let (file, windows) = Self.windows[index]
    #expect(try Self.configuration(file).windows == windows, "\(file)")
  }

  @Test("what Gemma's files leave unsaid is what transformers takes")
  func gemma() throws {
    let silent = Dictionary(
      uniqueKeysWithValues: [
        "num_attention_heads", "num_key_value_heads", "head_dim", "vocab_size", "max_position_embeddings", "rope_theta",
        "tie_word_embeddings",
      ].map { ($0, "null") })
    let third = try Self.configuration(silent.merging(["architectures": #"["Gemma3ForCausalLM"]"#]) { $1 })
    #expect(third.headCount == 8 && third.kvHeadCount == 4 && third.headSize == 256 && third.tiesWordEmbeddings)
    #expect(third.vocabularySize == 262_208 && third.maximumPosition == 131_072)
    #expect(third.rotary.base == 1_000_000 && third.windowRotary?.base == 10_000)
    #expect(third.attentionScale == 1 / 16 && third.embeddingScale == 8 && third.activation == .geluTanh)
    #expect(third.attentionSoftCap == nil && third.logitSoftCap == nil)
    let second = try Self.configuration(silent.merging(["architectures": #"["Gemma2ForCausalLM"]"#]) { $1 })
    #expect(second.attentionSoftCap == 50 && second.logitSoftCap == 30 && second.windowRotary == nil)
    #expect(second.rotary.base == 10_000 && second.vocabularySize == 256_000)
    // √96 = 9.798, of which eight digits are left in bf16, eleven in half precision.
    for (type, scale) in [("bfloat16", 9.8125), ("float16", 9.796875), ("float32", 9.7979589711)] {
      let found = try Self.configuration([
        "architectures": #"["Gemma3ForCausalLM"]"#, "hidden_size": "96", "dtype": "\"\(type)\"",
      ])
      #expect(found.embeddingScale == Float(scale))
    }
  }

  static let generations: [(text: String, says: String?)] = [
    (#"{"eos_token_id":[1,2],"temperature":0.6,"top_k":20,"top_p":0.95}"#, nil), ("{}", nil),
    (#"{"eos_token_id":4294967297}"#, "eos_token_id is 4294967297"),
    (#"{"eos_token_id":[1,-1]}"#, "eos_token_id is -1"),
    (#"{"eos_token_id":"two"}"#, "eos_token_id"), (#"{"temperature":-1}"#, "temperature is -1"),
    (#"{"top_p":1.5}"#, "top_p is 1.5"), (#"{"top_k":-3}"#, "top_k is -3"),
    (#"{"repetition_penalty":0}"#, "repetition_penalty is 0"),
  ]

  @Test(
    "generation settings are taken when they make sense, and refused by name otherwise", arguments: generations.indices)
  func generation(index: Int) throws {
    let (text, says) = Self.generations[index]
    let directory = try TemporaryDirectory()
    try directory.write(Data(#"{"eos_token_id":7}"#.utf8), to: "config.json")
    try directory.write(Data(text.utf8), to: "generation_config.json")
    if let says {
      let error = #expect(throws: ModelFileError.self) { try GenerationConfiguration(directory: directory.path) }
      #expect(error?.path.hasSuffix("generation_config.json") == true)
      #expect(error?.reason.contains(says) == true, "\(error?.description ?? "no error")")
    } else {
      let found = try GenerationConfiguration(directory: directory.path)
      #expect(found.endOfTextTokens == (text == "{}" ? [7] : [1, 2, 7]))
    }
  }
}
