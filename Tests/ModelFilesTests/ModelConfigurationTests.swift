import Foundation
import ModelFiles
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

  @Test("a sliding window counts only where a layer has one")
  func slidingWindow() throws {
    let window = ["use_sliding_window": "true", "sliding_window": "4096"]
    #expect(throws: Never.self) { try Self.configuration(window.merging(["max_window_layers": "2"]) { $1 }) }
    #expect(throws: ModelFileError.self) { try Self.configuration(window.merging(["max_window_layers": "1"]) { $1 }) }
    #expect(throws: ModelFileError.self) {
      try Self.configuration(["layer_types": #"["full_attention","sliding_attention"]"#])
    }
    #expect(throws: Never.self) { try Self.configuration(["sliding_window": "4096"]) }
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
