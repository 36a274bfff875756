internal import Foundation
internal import ModelFiles
internal import Tensor

/// Model directories as GGUF files, in the way that llama.cpp's converter writes them.
public enum GGUFModel {
  private static let families = [
    "Qwen3ForCausalLM": "qwen3", "Qwen3MoeForCausalLM": "qwen3moe", "Qwen2ForCausalLM": "qwen2",
    "LlamaForCausalLM": "llama", "MistralForCausalLM": "llama", "Gemma2ForCausalLM": "gemma2",
    "Gemma3ForCausalLM": "gemma3", "GptOssForCausalLM": "gpt-oss",
  ]
  private static let outer = ["model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"]
  private static let inner = [
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm", "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "mlp.gate": "ffn_gate_inp",
    "self_attn.sinks": "attn_sinks", "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
  ]

  /// The model in `directory`, its matrices in `kind`, with its tokenizer if it has one.
  public static func writer(of directory: String, as kind: GGUFWriter.Kind) throws -> GGUFWriter {
    let configuration = try ModelConfiguration(directory: directory)
    let checkpoint = try Checkpoint(directory: directory)
    var writer = GGUFWriter()
    try addKeys(of: configuration, to: &writer)
    if FileManager.default.fileExists(atPath: directory + "/tokenizer.json") {
      try addTokenizer(in: directory, size: configuration.vocabularySize, to: &writer)
    }
    for name in checkpoint.tensorNames where !name.contains(".experts.") {
      let shape = checkpoint.shape(of: name) ?? []
      let values = try checkpoint.tensor(name, shape: shape).floats()
      var parts = name.split(separator: ".").map(String.init)
      // Vectors without an ending of their own.
      if name.hasSuffix(".sinks") { parts.append("weight") }
      let stem = parts.dropLast().joined(separator: ".")
      var target = outer[stem] ?? ""
      if target.isEmpty {
        target = "blk.\(parts[2])." + (inner[parts.dropFirst(3).dropLast().joined(separator: ".")] ?? "unknown")
      }
      let isNamedAfterAttention = configuration.hasPostNorms || configuration.architecture == .gptOss
      if isNamedAfterAttention, stem.hasSuffix("post_attention_layernorm") {
        target = "blk.\(parts[2]).post_attention_norm"
      }
      let isTurned =
        ["attn_q", "attn_k"].contains { target.hasSuffix($0) }
        && [.llama, .mistral].contains(configuration.architecture)
      let addend = stem.hasSuffix("norm") ? configuration.normAddend : 0
      let rows =
        isTurned ? paired(values, rows: shape[0], headSize: configuration.headSize) : values.map { $0 + addend }
      let fits = shape[shape.count - 1] % 32 == 0 || [.float32, .float16, .bfloat16].contains(kind)
      writer.add(
        "\(target).\(parts[parts.count - 1])", shape, rows, as: shape.count == 1 ? .float32 : fits ? kind : .float16)
    }
    try addExperts(of: configuration, checkpoint, as: kind, to: &writer)
    return writer
  }

  /// All experts of a layer are one tensor.
  private static func addExperts(
    of configuration: ModelConfiguration, _ checkpoint: Checkpoint, as kind: GGUFWriter.Kind,
    to writer: inout GGUFWriter
  ) throws {
    guard let experts = configuration.experts else { return }
    for (layer, part) in (0..<configuration.layerCount).flatMap({ layer in ["gate", "up", "down"].map { (layer, $0) } })
    where !experts.denseLayers.contains(layer) {
      func name(_ expert: Int) -> String { "model.layers.\(layer).mlp.experts.\(expert).\(part)_proj.weight" }
      let shape = checkpoint.shape(of: name(0)) ?? []
      let values = try (0..<experts.count).flatMap { try checkpoint.tensor(name($0), shape: shape).floats() }
      if experts.hasBiases {
        func bias(_ expert: Int) -> String { name(expert).replacingOccurrences(of: ".weight", with: ".bias") }
        let length = [shape[0]]
        writer.add(
          "blk.\(layer).ffn_\(part)_exps.bias", [experts.count] + length,
          try (0..<experts.count).flatMap { try checkpoint.tensor(bias($0), shape: length).floats() }, as: .float32)
      }
      writer.add(
        "blk.\(layer).ffn_\(part)_exps.weight", [experts.count] + shape, values,
        as: (shape.last ?? 1) % 32 == 0 || [.float32, .float16, .bfloat16].contains(kind) ? kind : .float16)
    }
  }

  /// Rows of heads in the order that llama.cpp wants Llama's queries and keys in: of the two halves in turns.
  private static func paired(_ values: [Float], rows: Int, headSize: Int) -> [Float] {
    let width = values.count / rows
    var result: [Float] = []
    for head in stride(from: 0, to: rows, by: headSize) {
      for pair in 0..<headSize / 2 {
        for row in [head + pair, head + pair + headSize / 2] { result += values[row * width..<(row + 1) * width] }
      }
    }
    return result
  }

  private static func addKeys(of configuration: ModelConfiguration, to writer: inout GGUFWriter) throws {
    let family = families[configuration.architecture.rawValue] ?? "unknown"
    func add(_ key: String, _ value: Int) { writer.add("\(family).\(key)", .uint32(UInt32(value))) }
    writer.add("general.architecture", .string(family))
    add("block_count", configuration.layerCount)
    add("context_length", configuration.maximumPosition)
    add("embedding_length", configuration.hiddenSize)
    add("feed_forward_length", configuration.intermediateSize)
    if let experts = configuration.experts {
      add("expert_count", experts.count)
      add("expert_used_count", experts.chosenCount)
      add("expert_feed_forward_length", experts.intermediateSize)
      writer.add("\(family).expert_weights_norm", .boolean(experts.normalizesWeights))
    }
    add("attention.head_count", configuration.headCount)
    add("attention.head_count_kv", configuration.kvHeadCount)
    add("attention.key_length", configuration.headSize)
    add("attention.value_length", configuration.headSize)
    add("rope.dimension_count", configuration.headSize)
    if let window = configuration.largestWindow {
      add("attention.sliding_window", window)
      writer.add(
        "\(family).attention.sliding_window_pattern", .int32s(configuration.windows.map { $0 == nil ? 0 : 1 }))
    }
    for (key, value) in [
      ("rope.freq_base_swa", configuration.windowRotary.map { Float($0.base) }),
      ("attn_logit_softcapping", configuration.attentionSoftCap),
      ("final_logit_softcapping", configuration.logitSoftCap),
    ] {
      if let value { writer.add("\(family).\(key)", .float32(value)) }
    }
    writer.add("\(family).attention.layer_norm_rms_epsilon", .float32(configuration.rmsNormEpsilon))
    writer.add("\(family).rope.freq_base", .float32(Float(configuration.rotary.base)))
    switch configuration.rotary.scaling {
    case .none, .factors: break
    case .linear(let factor):
      writer.add("\(family).rope.scaling.type", .string("linear"))
      writer.add("\(family).rope.scaling.factor", .float32(Float(factor)))
    case .yarn(let factor, let original, _, _, _, _):
      writer.add("\(family).rope.scaling.type", .string("yarn"))
      writer.add("\(family).rope.scaling.factor", .float32(Float(factor)))
      add("rope.scaling.original_context_length", original)
    case .llama3:
      // The converter writes by how much each frequency is divided.
      let plain = (0..<configuration.headSize / 2).map {
        pow(configuration.rotary.base, -2 * Double($0) / Double(configuration.headSize))
      }
      let factors = zip(plain, configuration.rotaryFrequencies().inverseFrequencies).map { Float($0 / Double($1)) }
      writer.add("rope_freqs.weight", [factors.count], factors, as: .float32)
    }
  }

  private static func addTokenizer(in directory: String, size: Int, to writer: inout GGUFWriter) throws {
    func object(_ name: String) throws -> [String: Any] {
      let data = try Data(contentsOf: URL(fileURLWithPath: directory + "/" + name))
      return try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
    }
    let lists = TokenizerLists(try object("tokenizer.json"), size: size)
    writer.add("tokenizer.ggml.model", .string("gpt2"))
    writer.add("tokenizer.ggml.pre", .string("qwen2"))
    writer.add("tokenizer.ggml.tokens", .strings(lists.tokens))
    writer.add("tokenizer.ggml.token_type", .int32s(lists.types))
    writer.add("tokenizer.ggml.merges", .strings(lists.merges))
    writer.add("tokenizer.ggml.add_bos_token", .boolean(false))
    let settings = try object("tokenizer_config.json")
    if let end = settings["eos_token"] as? String, let id = lists.tokens.firstIndex(of: end) {
      writer.add("tokenizer.ggml.eos_token_id", .uint32(UInt32(id)))
    }
    if let template = settings["chat_template"] as? String {
      writer.add("tokenizer.chat_template", .string(template))
    }
  }
}

/// What GGUF files keep of a `tokenizer.json`.
public struct TokenizerLists {
  /// Texts by id.
  public private(set) var tokens: [String]
  /// 1 for tokens that merges make, 3 for control tokens, 4 for others that were added, 5 for ids not in use.
  public private(set) var types: [Int32]
  /// Pairs with a space between.
  public let merges: [String]

  /// Takes the lists from the file's object.
  public init(_ file: [String: Any], size: Int) {
    let model = file["model"] as? [String: Any] ?? [:]
    tokens = (0..<size).map { "[PAD\($0)]" }
    types = [Int32](repeating: 5, count: size)
    for (text, id) in model["vocab"] as? [String: Int] ?? [:] { (tokens[id], types[id]) = (text, 1) }
    for token in file["added_tokens"] as? [[String: Any]] ?? [] {
      guard let id = token["id"] as? Int, let text = token["content"] as? String else { continue }
      (tokens[id], types[id]) = (text, token["special"] as? Bool == true ? 3 : 4)
    }
    let pairs = (model["merges"] as? [[String]])?.map { $0.joined(separator: " ") }
    merges = pairs ?? model["merges"] as? [String] ?? []
  }
}
