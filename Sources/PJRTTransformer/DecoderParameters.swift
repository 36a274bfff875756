internal import ModelFiles
internal import StableHLO

/// The weights of a decoder as programs take them: what there is, in which order, and how devices share it.
struct DecoderParameters {
  /// One tensor.
  struct Parameter {
    /// What it is made of.
    enum Source {
      /// A matrix of the checkpoint, in the weights' format.
      case matrix
      /// A vector of the checkpoint, in single precision.
      case vector
      /// Cosines or sines of every position's angles.
      case cosines, sines
    }

    /// Its name in the checkpoint and in programs.
    let name: String
    let shape: [Int]
    let source: Source
    /// The dimension of which each device has its part.
    let split: Int?
  }

  /// All, in the order of the buffers.
  private(set) var all: [Parameter] = []
  /// Which of them the body takes, in order: everything up to the last norm.
  let body: [Int]
  /// Which of them the head takes: the last norm and the output matrix.
  let head: [Int]

  static let embedding = "model.embed_tokens.weight"
  static let finalNorm = "model.norm.weight"
  static let output = "lm_head.weight"
  static let cosines = "rotary.cosines"
  static let sines = "rotary.sines"

  /// What a model needs for sequences of up to `positions`.
  init(_ configuration: ModelConfiguration, positions: Int) {
    let (hidden, half) = (configuration.hiddenSize, configuration.headSize / 2)
    let vocabulary = configuration.vocabularySize
    var list = [
      Parameter(name: Self.embedding, shape: [vocabulary, hidden], source: .matrix, split: nil),
      Parameter(name: Self.cosines, shape: [positions, half], source: .cosines, split: nil),
      Parameter(name: Self.sines, shape: [positions, half], source: .sines, split: nil),
    ]
    for index in 0..<configuration.layerCount { list += Self.layer(index, configuration) }
    body = Array(list.indices)
    list.append(Parameter(name: Self.finalNorm, shape: [hidden], source: .vector, split: nil))
    if !configuration.tiesWordEmbeddings {
      list.append(Parameter(name: Self.output, shape: [vocabulary, hidden], source: .matrix, split: nil))
    }
    head = [body.count, configuration.tiesWordEmbeddings ? 0 : body.count + 1]
    all = list
  }

  private static func layer(_ index: Int, _ configuration: ModelConfiguration) -> [Parameter] {
    let (hidden, headSize) = (configuration.hiddenSize, configuration.headSize)
    let (queries, keys) = (configuration.headCount * headSize, configuration.kvHeadCount * headSize)
    let inner = configuration.intermediateSize
    var list: [Parameter] = []
    func matrix(_ name: String, _ rows: Int, _ columns: Int, split: Int) {
      list.append(
        Parameter(name: "model.layers.\(index).\(name).weight", shape: [rows, columns], source: .matrix, split: split))
    }
    func vector(_ name: String, _ count: Int, split: Int? = nil, when isPresent: Bool = true) {
      guard isPresent else { return }
      list.append(
        Parameter(name: "model.layers.\(index).\(name)", shape: [count], source: .vector, split: split))
    }
    vector("input_layernorm.weight", hidden)
    for (name, rows) in [("q_proj", queries), ("k_proj", keys), ("v_proj", keys)] {
      matrix("self_attn.\(name)", rows, hidden, split: 0)
      vector("self_attn.\(name).bias", rows, split: 0, when: configuration.hasQueryKeyValueBias)
    }
    vector("self_attn.q_norm.weight", headSize, when: configuration.hasQueryKeyNorm)
    vector("self_attn.k_norm.weight", headSize, when: configuration.hasQueryKeyNorm)
    matrix("self_attn.o_proj", hidden, queries, split: 1)
    vector("self_attn.o_proj.bias", hidden, when: configuration.hasAttentionOutputBias)
    vector("post_attention_layernorm.weight", hidden)
    for name in ["gate_proj", "up_proj"] {
      matrix("mlp.\(name)", inner, hidden, split: 0)
      vector("mlp.\(name).bias", inner, split: 0, when: configuration.hasFeedForwardBias)
    }
    matrix("mlp.down_proj", hidden, inner, split: 1)
    vector("mlp.down_proj.bias", hidden, when: configuration.hasFeedForwardBias)
    return list
  }
}
