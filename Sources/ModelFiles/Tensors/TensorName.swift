/// What a tensor of a decoder is for.
package enum TensorRole: Sendable, CaseIterable {
  case embedding, finalNorm, output
  case attentionNorm, query, key, value, queryNorm, keyNorm, sinks, attentionOutput
  case feedForwardNorm, gate, up, down
  /// Of layers with experts: what chooses among them.
  case router
  /// Of an expert that all rows go through: its matrices, and what says how much of it counts.
  case sharedGate, sharedUp, sharedDown, sharedShare
  /// Of layers with norms before and after: what follows attention, and what stands around the feed-forward network.
  case attentionPostNorm, feedForwardPreNorm, feedForwardPostNorm
  /// Of gated delta nets: what the convolution reads, the output's gate, how much of a state stays and how strongly it is
  /// changed; then what is not of an input.
  case recurrentInput, recurrentGate, decay, strength
  case convolution, decayRate, decayBias, recurrentNorm, recurrentOutput
  /// Of heads: what joins the target's streams, and the norms before it, of all and of each.
  case fusion, fusionNorm, streamNorm
  /// Of heads: the norm of the stream in the first layer, or of what the target's streams are joined to.
  case hiddenNorm, contextNorm
  /// Of heads: the norms of an embedding and of a hidden state that are joined to one vector.
  case joinedEmbeddingNorm, joinedHiddenNorm
  /// Of heads that propose blocks: what a mask is read as; then what the token before a proposal adds to its logits, in two
  /// matrices, and what says how likely a proposal is to be accepted.
  case maskEmbedding, markovEmbedding, markovOutput, confidence

  /// What Hugging Face's checkpoints and GGUF files call it; of a layer's tensors the part after the layer's number.
  ///
  /// Sources: `transformers`; llama.cpp's tensor names (`MODEL_TENSOR` in gguf-py's constants.py).
  fileprivate var spelling: (huggingFace: String, gguf: String) {
    switch self {
    case .embedding: ("model.embed_tokens", "token_embd")
    case .finalNorm: ("model.norm", "output_norm")
    case .output: ("lm_head", "output")
    case .attentionNorm: ("input_layernorm", "attn_norm")
    case .query: ("self_attn.q_proj", "attn_q")
    case .key: ("self_attn.k_proj", "attn_k")
    case .value: ("self_attn.v_proj", "attn_v")
    case .queryNorm: ("self_attn.q_norm", "attn_q_norm")
    case .keyNorm: ("self_attn.k_norm", "attn_k_norm")
    case .sinks: ("self_attn.sinks", "attn_sinks.weight")
    case .attentionOutput: ("self_attn.o_proj", "attn_output")
    case .feedForwardNorm: ("post_attention_layernorm", "ffn_norm")
    case .attentionPostNorm: ("post_attention_layernorm", "post_attention_norm")
    case .feedForwardPreNorm: ("pre_feedforward_layernorm", "ffn_norm")
    case .feedForwardPostNorm: ("post_feedforward_layernorm", "post_ffw_norm")
    case .gate: ("mlp.gate_proj", "ffn_gate")
    case .up: ("mlp.up_proj", "ffn_up")
    case .down: ("mlp.down_proj", "ffn_down")
    case .router: ("mlp.gate", "ffn_gate_inp")
    case .sharedGate: ("mlp.shared_expert.gate_proj", "ffn_gate_shexp")
    case .sharedUp: ("mlp.shared_expert.up_proj", "ffn_up_shexp")
    case .sharedDown: ("mlp.shared_expert.down_proj", "ffn_down_shexp")
    case .sharedShare: ("mlp.shared_expert_gate", "ffn_gate_inp_shexp")
    case .recurrentInput: ("linear_attn.in_proj_qkv", "attn_qkv")
    case .recurrentGate: ("linear_attn.in_proj_z", "attn_gate")
    case .decay: ("linear_attn.in_proj_a", "ssm_alpha")
    case .strength: ("linear_attn.in_proj_b", "ssm_beta")
    case .convolution: ("linear_attn.conv1d", "ssm_conv1d")
    case .decayRate: ("linear_attn.A_log", "ssm_a")
    case .decayBias: ("linear_attn.dt_bias", "ssm_dt.bias")
    case .recurrentNorm: ("linear_attn.norm", "ssm_norm")
    case .recurrentOutput: ("linear_attn.out_proj", "ssm_out")
    case .fusion: ("fc", "fc")
    case .fusionNorm: ("input_norm", "enc.output_norm")
    case .streamNorm: ("fc_norm", "fc_norm")
    case .hiddenNorm: ("hidden_norm", "attn_norm_2")
    // In no GGUF file under these names.
    case .contextNorm: ("hidden_norm", "hidden_norm")
    case .joinedEmbeddingNorm: ("pre_fc_norm_embedding", "pre_fc_norm_embedding")
    case .joinedHiddenNorm: ("pre_fc_norm_hidden", "pre_fc_norm_hidden")
    case .maskEmbedding: ("mask_embedding", "mask_embedding")
    case .markovEmbedding: ("markov_head.markov_w1", "markov_head.markov_w1")
    case .markovOutput: ("markov_head.markov_w2", "markov_head.markov_w2")
    case .confidence: ("confidence_head.proj", "confidence_head.proj")
    }
  }

  /// Whether only heads have such tensors.
  var isHeads: Bool {
    switch self {
    case .fusion, .fusionNorm, .streamNorm, .hiddenNorm, .contextNorm, .joinedEmbeddingNorm, .joinedHiddenNorm,
      .maskEmbedding, .markovEmbedding, .markovOutput, .confidence:
      true
    default: false
    }
  }

  /// Whether only recurrent layers have such tensors.
  var isOfRecurrence: Bool {
    switch self {
    case .recurrentInput, .recurrentGate, .decay, .strength, .convolution, .decayRate, .decayBias, .recurrentNorm,
      .recurrentOutput:
      true
    default: false
    }
  }

  /// Whether only layers with an expert that all rows go through have such tensors.
  var isOfSharedExpert: Bool {
    switch self {
    case .sharedGate, .sharedUp, .sharedDown, .sharedShare: true
    default: false
    }
  }

  /// Whether names end with it, and not with `weight` or `bias` besides.
  fileprivate var isWholeName: Bool {
    switch self {
    case .decayRate, .decayBias, .sinks, .maskEmbedding: true
    default: false
    }
  }

  fileprivate var isInLayers: Bool {
    switch self {
    case .embedding, .finalNorm, .output, .fusion, .fusionNorm, .streamNorm, .contextNorm, .joinedEmbeddingNorm,
      .joinedHiddenNorm, .maskEmbedding, .markovEmbedding, .markovOutput, .confidence:
      false
    default: true
    }
  }
}

/// Which tensor of a model: what it is for, in which layer, of which expert, and whether it is the weight or the bias.
package struct TensorName: Sendable, Hashable {
  package let role: TensorRole
  /// `nil` outside of the layers, but for the streams' norms, which are numbered.
  package let layer: Int?
  /// `nil` for what is no expert's.
  package let expert: Int?
  package let isBias: Bool

  init(_ role: TensorRole, layer: Int? = nil, expert: Int? = nil, isBias: Bool = false) {
    (self.role, self.layer, self.expert, self.isBias) = (role, layer, expert, isBias)
  }

  /// Its name in Hugging Face's checkpoints.
  package var huggingFace: String {
    let kind = role.isWholeName ? "" : isBias ? ".bias" : ".weight"
    var own = role.spelling.huggingFace
    guard let layer else { return own + kind }
    if let expert { own.replace("mlp.", with: "mlp.experts.\(expert).", maxReplacements: 1) }
    return role.isInLayers ? "model.layers.\(layer).\(own)\(kind)" : "\(own).\(layer)\(kind)"
  }

  /// Its name in GGUF files, where it has one: those of experts are parts of larger tensors (`StackedExperts`).
  var gguf: String {
    let kind = role.isWholeName ? "" : isBias ? ".bias" : ".weight"
    return "\(layer.map { "blk.\($0)." } ?? "")\(role.spelling.gguf)\(kind)"
  }

  /// The tensor that a GGUF file calls `name`; `nil` for a name that is none of these.
  ///
  /// - Parameter aliases: names of the file's family, and the ones that they stand for.
  init?(gguf name: String, aliases: [String: String] = [:]) {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    var own = parts[...]
    layer = own.count > 2 && own[0] == "blk" ? Int(own[1]) : nil
    if let layer {
      guard "\(layer)" == own[1] else { return nil }
      own = own.dropFirst(2)
    }
    let whole = own.joined(separator: ".")
    if let role = Self.roles[whole], role.isWholeName, layer != nil {
      (self.role, expert, isBias) = (role, nil, false)
      return
    }
    guard let kind = own.popLast(), kind == "weight" || kind == "bias" else { return nil }
    let stem = own.joined(separator: ".")
    guard let role = Self.roles[aliases[stem] ?? stem], role.isInLayers == (layer != nil), !role.isWholeName else {
      return nil
    }
    (self.role, expert, isBias) = (role, nil, kind == "bias")
  }

  /// Of two roles of one name the first.
  private static let roles = Dictionary(TensorRole.allCases.map { ($0.spelling.gguf, $0) }) { first, _ in first }

  /// The same in a layer with norms before and after, where files call the norm before the feed-forward network as others
  /// call their only one.
  func among(postNorms hasPostNorms: Bool) -> TensorName {
    hasPostNorms && role == .feedForwardNorm ? TensorName(.feedForwardPreNorm, layer: layer, isBias: isBias) : self
  }
}
