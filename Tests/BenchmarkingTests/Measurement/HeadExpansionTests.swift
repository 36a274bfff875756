import Foundation
import Inference
import Measurement
import ModelFiles
import Tensor
import TestSupport
import Testing
import Tokenization
import Transformer

/// A random head on the random Qwen3 target of `Tests/Golden/heads`, in one of the published forms.
struct RandomHead: Sendable, CustomTestStringConvertible {
  var testDescription: String
  var hidden = 32
  var isNested = false
  var hasHeadNorms = false
  var hasEmbedding = false
  var vocabulary = 48
  /// Keys at the top level, beside the sizes.
  var keys = ""
  /// Norms before the streams are joined.
  var norms: [(name: String, count: Int)] = []

  static let target = Places.golden.appendingPathComponent("heads/target-qwen3").path

  static let all = [
    RandomHead(testDescription: "plain", keys: #""eagle_aux_hidden_state_layer_ids": [1, 3, 6],"#),
    RandomHead(
      testDescription: "wider than its target, with an embedding, the usual layers", hidden: 64, hasEmbedding: true),
    RandomHead(testDescription: "all tokens", hasEmbedding: true, vocabulary: 179),
    RandomHead(
      testDescription: "Qwen3's layer, normalised residual", isNested: true, hasHeadNorms: true,
      keys: #""norm_before_residual": true,"#),
    RandomHead(
      testDescription: "a norm over all streams", keys: #""norm_before_fc": true,"#, norms: [("input_norm", 96)]),
    RandomHead(
      testDescription: "a norm for each stream, normalised output", isNested: true,
      keys: #""norm_before_residual": false, "fc_norm": true, "norm_output": true,"#,
      norms: [("fc_norm.0", 32), ("fc_norm.1", 32), ("fc_norm.2", 32)]),
  ]

  /// Writes it.
  func write(to folder: String) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let sizes = """
      "model_type": "\(hasHeadNorms ? "qwen3" : "llama")", "hidden_size": \(hidden), "num_attention_heads": 4,
      "num_key_value_heads": 2, "head_dim": 16, "num_hidden_layers": 1, "intermediate_size": 32, "rms_norm_eps": 1e-5,
      "rope_theta": 10000.0, "vocab_size": 179, "max_position_embeddings": 256, "hidden_act": "silu"
      """
    let form =
      isNested
      ? #""speculators_model_type": "eagle3", "transformer_layer_config": {\#(sizes)}"#
      : #""architectures": ["LlamaForCausalLMEagle3"], \#(sizes)"#
    let json = #"{\#(keys) "draft_vocab_size": \#(vocabulary), "target_hidden_size": 32, \#(form)}"#
    try Data(json.utf8).write(to: URL(fileURLWithPath: folder + "/config.json"))

    let layer = isNested ? "layers.0." : "midlayer."
    let inLayer: [(String, [Int])] =
      [
        ("input_layernorm", [hidden]), ("hidden_norm", [hidden]), ("self_attn.q_proj", [64, 2 * hidden]),
        ("self_attn.k_proj", [32, 2 * hidden]), ("self_attn.v_proj", [32, 2 * hidden]),
        ("self_attn.o_proj", [hidden, 64]), ("post_attention_layernorm", [hidden]), ("mlp.gate_proj", [32, hidden]),
        ("mlp.up_proj", [32, hidden]), ("mlp.down_proj", [hidden, 32]),
      ] + (hasHeadNorms ? [("self_attn.q_norm", [16]), ("self_attn.k_norm", [16])] : [])
    let others: [(String, [Int])] =
      [("fc", [hidden, 96]), ("norm", [hidden]), ("lm_head", [vocabulary, hidden])]
      + norms.map { ($0.name, [$0.count]) } + (hasEmbedding ? [("embed_tokens", [179, hidden])] : [])
    let entries = (inLayer.map { (layer + $0.0, $0.1) } + others).map {
      SafetensorsWriter.Entry($0.0 + ".weight", $0.1, as: .float32)
    }
    let map = SafetensorsWriter.Entry("d2t", [vocabulary], as: .int32)
    var writer = try SafetensorsWriter(path: folder + "/model.safetensors", entries: entries + [map])
    var random = SeededGenerator(seed: 7)
    for (entry, shape) in zip(entries, inLayer.map(\.1) + others.map(\.1)) {
      try writer.write(entry) { _, values in
        let (middle, spread): (Float, Float) = shape.count == 1 ? (1, 0.2) : (0, 0.3)
        for index in values.indices { values[index] = middle + spread * random.normal() }
      }
    }
    // Every third of the target's tokens, as far as there are so many.
    try writer.write(map, (0..<Int32(vocabulary)).map { vocabulary < 60 ? 2 * $0 : 0 })
    try writer.finish()
  }
}

@Suite struct HeadExpansionTests {
  /// A target and a head on it.
  struct Pair {
    let target: CPUModelRunner
    let head: CPUHeadRunner

    init(_ target: String, _ head: String, quantization: Quantization = .none) throws {
      let (checkpoint, configuration) = (
        try Checkpoint(directory: target), try ModelConfiguration(directory: target)
      )
      let limits = RunnerLimits(rows: 32, logitRows: 8, positions: 64)
      let pool = WorkerPool(threadCount: 2)
      self.target = try CPUModelRunner(
        checkpoint: checkpoint, configuration: configuration, quantization: quantization, limits: limits, pool: pool)
      self.head = try CPUHeadRunner(
        try #require(try openContainer(at: head).head()), target: (configuration, checkpoint),
        quantization: quantization, limits: limits, pool: pool)
    }

    /// The head's logits for the token after `tokens`, and after each of `guesses` in the place of tokens after that; its
    /// own guesses where there are none.
    func draft(after tokens: [Int32], guesses: [Int32]? = nil) throws -> (logits: [[Float]], guesses: [Int32]) {
      let (blocks, known) = ([Int32](0..<4), tokens.count - 1)
      var batch = Batch()
      batch.append(tokens.dropLast(), at: 0, blocks: blocks, logitCount: 0)
      let read = try target.run(Pass(batch, taps: Taps(layers: head.tappedLayers, rows: Array(0..<known))))
      try head.take(read.taps, [StreamShare(rows: 0..<known, firstPosition: 0, blocks: blocks)])
      var (rows, made, next, position): ([[Float]], [Int32], [Int32], Int) = ([], [], tokens, 0)
      for step in 0..<5 {
        var batch = Batch()
        batch.append(next, at: position, blocks: blocks, logitCount: 1)
        let logits = try head.logits(of: batch)
        rows.append(logits.row(0))
        made.append(Int32(logits.argmax(row: 0)))
        position += next.count
        next = [guesses?[step] ?? made[step]]
      }
      return (rows, made)
    }
  }

  /// A target and a head in the sizes of `shape`.
  private func expand(
    _ head: String, on target: String, to shape: ModelConfiguration, peak: Float, in folder: String,
    describing describes: Bool = true
  ) throws -> (target: String, head: String) {
    let places = (target: folder + "/target", head: folder + "/head")
    try ModelExpansion(
      of: Checkpoint(directory: target), configuration: ModelConfiguration(directory: target), to: shape,
      peakOutput: peak
    ).writeDescription(to: places.target)
    let expansion = try HeadExpansion(
      of: #require(try openContainer(at: head).head()), on: openContainer(at: target), to: shape)
    if describes {
      try expansion.writeDescription(to: places.head)
    } else {
      try expansion.write(to: places.head) { _ in }
    }
    return places
  }

  private func shape(
    hidden: Int, layers: Int, heads: Int, kvHeads: Int, headSize: Int, intermediate: Int, vocabulary: Int
  ) throws -> ModelConfiguration {
    let json = """
      {"architectures": ["Qwen3ForCausalLM"], "hidden_size": \(hidden), "num_hidden_layers": \(layers),
       "num_attention_heads": \(heads), "num_key_value_heads": \(kvHeads), "head_dim": \(headSize),
       "intermediate_size": \(intermediate), "vocab_size": \(vocabulary), "max_position_embeddings": 4096,
       "rms_norm_eps": 1e-6, "rope_theta": 10000, "hidden_act": "silu", "tie_word_embeddings": true}
      """
    return try ModelConfiguration(json: Array(json.utf8), path: "shape")
  }

  /// Larger than the shipped target in every way.
  private func large() throws -> ModelConfiguration {
    try shape(hidden: 416, layers: 8, heads: 12, kvHeads: 4, headSize: 128, intermediate: 1120, vocabulary: 8500)
  }

  /// Larger than the random target and all heads on it.
  private func medium() throws -> ModelConfiguration {
    try shape(hidden: 96, layers: 9, heads: 8, kvHeads: 4, headSize: 16, intermediate: 64, vocabulary: 200)
  }

  /// Checks that two chains of logits are equal to rounding.
  private func check(_ small: [[Float]], _ large: [[Float]], within share: Float, _ comment: String) {
    for (step, (expected, found)) in zip(small, large).enumerated() {
      let own = expected.indices.filter { expected[$0] > -.infinity }
      let size = own.reduce(Float(0)) { max($0, abs(expected[$1])) }
      let worst = own.reduce(Float(0)) { max($0, abs(expected[$1] - found[$1])) }
      #expect(worst <= share * size, "\(comment), step \(step): off by \(worst) of \(size)")
      // The tokens that it can propose are the same ones, and none is added.
      #expect(found.indices.filter { found[$0] > -.infinity } == own, "\(comment), step \(step)")
    }
  }

  @Test("an expanded head drafts on the expanded target what the small one drafts", arguments: [true, false])
  func equality(isDescribed: Bool) throws {
    let folder = try TemporaryDirectory()
    let source = try ModelSource(Places.target)
    let peak = try ModelExpansion.peakOutput(of: source, tokens: ExpansionTests.tokens, threads: 2)
    let places = try expand(
      Places.head, on: Places.target, to: large(), peak: peak, in: folder.path, describing: isDescribed)
    let texts = ["def add(a, b):\n    return a +", "The morning was cold, and nobody in the village"]
    for quantization in [Quantization.none, .int8, .int4] {
      let small = try Pair(Places.target, Places.head, quantization: quantization)
      let large = try Pair(places.target, places.head, quantization: quantization)
      var (same, all) = (0, 0)
      for text in texts {
        let tokens = Array(source.tokenizer.encode(text).prefix(24))
        let expected = try small.draft(after: tokens)
        let found = try large.draft(after: tokens, guesses: expected.guesses)
        check(
          expected.logits, found.logits, within: quantization == .none ? 1e-2 : 5e-2, "\(quantization), '\(text)'")
        same += zip(expected.guesses, found.guesses).count { $0 == $1 }
        all += found.guesses.count
      }
      // But for guesses that rounding decides.
      #expect(same >= all - 1, "\(quantization): \(same) of \(all) guesses are the same")
    }
  }

  @Test("every published form of a head is expanded", arguments: RandomHead.all)
  func forms(form: RandomHead) throws {
    let folder = try TemporaryDirectory()
    let head = folder.path + "/small"
    try form.write(to: head)
    let places = try expand(head, on: RandomHead.target, to: medium(), peak: 1, in: folder.path)
    let tokens: [Int32] = [5, 99, 100, 7, 42, 178, 3, 3, 17, 25, 51, 64]
    let expected = try Pair(RandomHead.target, head).draft(after: tokens)
    let found = try Pair(places.target, places.head).draft(after: tokens, guesses: expected.guesses)
    check(expected.logits, found.logits, within: 2e-2, form.testDescription)
    // As a file it is the same head, bit for bit.
    try FileManager.default.removeItem(atPath: places.target)
    try FileManager.default.removeItem(atPath: places.head)
    let written = try expand(head, on: RandomHead.target, to: medium(), peak: 1, in: folder.path, describing: false)
    let read = try Pair(written.target, written.head).draft(after: tokens, guesses: expected.guesses)
    #expect(read.logits == found.logits)
  }

  @Test("a head of the shape of Qwen3-8B or 30B-A3B has the sizes of published ones")
  func published() throws {
    let folder = try TemporaryDirectory()
    let head = try #require(try openContainer(at: Places.head).head())
    let expansion = try HeadExpansion(
      of: head, on: openContainer(at: Places.target), to: ModelShape.qwen3Large.configuration())
    try expansion.writeDescription(to: folder.path + "/head")
    let large = try #require(try openContainer(at: folder.path + "/head").head())
    let (sizes, layers) = (large.configuration, large.configuration.layers)
    #expect(layers.hiddenSize == 4096 && layers.headCount == 32 && layers.kvHeadCount == 8 && layers.headSize == 128)
    #expect(layers.intermediateSize == 12288 && layers.vocabularySize == 151_936 && sizes.vocabularySize == 32_000)
    #expect(sizes.targetHiddenSize == 4096 && sizes.tappedLayers == [1, 3, 5] && layers.layerCount == 1)
    // Added tokens are trained ones again.
    let (small, own) = (try #require(head.targetTokens), try #require(large.targetTokens))
    #expect(own.count == 32_000 && Array(own.prefix(4096)) == small && Array(own[4096..<8192]) == small)
    // Four bits, and eight for what joins the streams and for the output: what a published head takes.
    let layer = 4096 * (4096 + 2 * 1024) * 2 + 4096 * 4096 + 3 * 4096 * 12288
    let bits = 4.625 * Double(layer) + 8.5 * Double(3 * 4096 * 4096 + 32_000 * 4096)
    #expect(abs(Double(large.packedByteCount(.int4)) - bits / 8) < 0.01 * bits / 8)

    // A head on a mixture has a layer without experts.
    let place = folder.path + "/head-on-experts"
    try HeadExpansion(of: head, on: openContainer(at: Places.experts), to: ModelShape.qwen3Experts.configuration())
      .writeDescription(to: place)
    let onExperts = try #require(try openContainer(at: place).head())
    let dense = onExperts.configuration.layers
    #expect(dense.hiddenSize == 2048 && dense.headCount == 32 && dense.kvHeadCount == 4)
    #expect(dense.intermediateSize == 6144 && dense.experts == nil)
    try onExperts.check(fits: ModelShape.qwen3Experts.configuration())
  }

  @Test("what cannot be expanded is refused by name")
  func refusals() throws {
    func refusal(_ head: String, on target: String = RandomHead.target, to shape: ModelConfiguration) -> String {
      do {
        _ = try HeadExpansion(
          of: #require(try openContainer(at: head).head()), on: openContainer(at: target), to: shape)
        return "none"
      } catch { return "\(error)" }
    }
    let heads = Places.golden.appendingPathComponent("heads").path
    #expect(try refusal(heads + "/specforge-plain", to: medium()).contains("more than half of the target's"))
    #expect(try refusal(heads + "/specforge-plain/head.gguf", to: medium()).contains("has no config.json"))
    let blocks = Places.golden.appendingPathComponent("blocks/flat-plain").path
    #expect(try refusal(blocks, to: medium()).contains("only those"))
    #expect(try refusal(Places.head, to: medium()).contains("does not fit this target"))
    #expect(
      try refusal(Places.head, on: heads + "/target-llama", to: medium()).contains("only Qwen3 models without biases"))
    let own = try ModelConfiguration(directory: Places.target)
    #expect(refusal(Places.head, on: Places.target, to: own).contains("two more"))
    #expect(
      try refusal(
        Places.head, on: Places.target,
        to: shape(hidden: 416, layers: 8, heads: 4, kvHeads: 1, headSize: 128, intermediate: 1120, vocabulary: 8500)
      ).contains("have no room"))
    #expect(
      try refusal(
        Places.head, on: Places.target,
        to: shape(hidden: 416, layers: 8, heads: 8, kvHeads: 4, headSize: 64, intermediate: 1120, vocabulary: 8500)
      ).contains("head_dim 128; the shape has 64"))
  }

  @Test("a description that cannot be followed is refused by name")
  func descriptions() throws {
    let folder = try TemporaryDirectory()
    let place = folder.path + "/head"
    try HeadExpansion(
      of: #require(try openContainer(at: Places.head).head()), on: openContainer(at: Places.target), to: large()
    ).writeDescription(to: place)
    let configuration = try String(contentsOfFile: place + "/config.json", encoding: .utf8)
    func refusal(_ description: String, changing old: String = "", to new: String = "") throws -> String {
      try Data(description.utf8).write(to: URL(fileURLWithPath: place + "/expansion.json"))
      let changed = configuration.replacingOccurrences(of: old, with: new)
      #expect(old.isEmpty || changed != configuration)
      try Data(changed.utf8).write(to: URL(fileURLWithPath: place + "/config.json"))
      do {
        _ = try openContainer(at: place).head()
        return "none"
      } catch { return error.description }
    }
    func absolute(_ path: String) -> String { URL(fileURLWithPath: path).standardizedFileURL.path }
    let (head, target) = (absolute(Places.head), absolute(Places.target))
    let right = #"{"version": 1, "head": "\#(head)", "target": "\#(target)"}"#
    #expect(try refusal(right) == "none")
    #expect(
      try refusal(#"{"version": 2, "head": "\#(head)", "target": "\#(target)"}"#).contains("version 2; expected 1"))
    #expect(
      try refusal(#"{"version": 1, "head": "\#(place)", "target": "\#(target)"}"#).contains("expanded itself"))
    #expect(try refusal(#"{"version": 1, "head": "\#(target)", "target": "\#(target)"}"#).contains("is no head"))
    #expect(try refusal(#"{"version": 1, "head": "/nowhere", "target": "\#(target)"}"#).contains("/nowhere"))
    #expect(try refusal(#"{"version": 1, "model": "\#(target)", "peak_output": 1}"#).contains("expansion.json"))
    #expect(try refusal("[").contains("expansion.json"))
    #expect(try refusal(right, changing: #""rms_norm_eps""#, to: #""rms_norm_epsilon""#).contains("rms_norm_eps"))
    #expect(
      try refusal(right, changing: #""norm_before_residual": false"#, to: #""norm_before_residual": true"#)
        .contains("other parts"))
    #expect(try refusal(right, changing: #""hidden_size": 416"#, to: #""hidden_size": 256"#).contains("hidden_size"))
  }
}
