internal import ModelFiles
internal import Tensor

/// The weights of one layer.
struct DecoderLayerWeights {
  /// `[hidden]`.
  let attentionNorm: [Float]
  /// Queries, keys and values stacked: `[(heads + 2 · kvHeads) · headSize, hidden]`; several matrices where a file has them
  /// in several formats.
  let queryKeyValue: [PackedMatrix]
  /// Same rows as `queryKeyValue`; `nil` when the architecture has no such bias.
  let queryKeyValueBias: [Float]?
  /// `[headSize]`, Qwen3 only.
  let queryNorm: [Float]?
  let keyNorm: [Float]?
  /// `[hidden, heads · headSize]`.
  let attentionOutput: PackedMatrix
  let attentionOutputBias: [Float]?
  /// `[hidden]`.
  let feedForwardNorm: [Float]
  /// Gate and up projections, each `[intermediate, hidden]`, interleaved by panels.
  let gateUp: PackedMatrix
  let gateUpBias: (gate: [Float], up: [Float])?
  /// `[hidden, intermediate]`.
  let down: PackedMatrix
  let downBias: [Float]?

  var packedByteCount: Int {
    queryKeyValue.reduce(attentionOutput.byteCount + gateUp.byteCount + down.byteCount) { $0 + $1.byteCount }
  }

  init(
    _ checkpoint: Checkpoint, configuration: ModelConfiguration, index: Int, quantization: Quantization,
    packer: MatrixPacker
  ) throws {
    let (hidden, headSize) = (configuration.hiddenSize, configuration.headSize)
    let intermediate = configuration.intermediateSize
    let queries = configuration.headCount * headSize
    let keys = configuration.kvHeadCount * headSize
    func tensor(_ name: String, _ shape: [Int]) throws -> TensorView {
      try checkpoint.tensor("model.layers.\(index).\(name)", shape: shape)
    }
    let inputs = [
      try tensor("self_attn.q_proj.weight", [queries, hidden]), try tensor("self_attn.k_proj.weight", [keys, hidden]),
      try tensor("self_attn.v_proj.weight", [keys, hidden]),
    ]
    let output = try tensor("self_attn.o_proj.weight", [hidden, queries])
    let (gate, up) = (
      try tensor("mlp.gate_proj.weight", [intermediate, hidden]),
      try tensor("mlp.up_proj.weight", [intermediate, hidden])
    )
    let final = try tensor("mlp.down_proj.weight", [hidden, intermediate])
    let norms = [
      try tensor("input_layernorm.weight", [hidden]).floats(),
      try tensor("post_attention_layernorm.weight", [hidden]).floats(),
    ]
    let formats = inputs.map { quantization.format(of: $0.elementType) }
    let (outputFormat, finalFormat) = (
      quantization.format(of: output.elementType), quantization.format(of: final.elementType)
    )
    let pairFormat = Self.commonFormat(
      quantization.format(of: gate.elementType), quantization.format(of: up.elementType))

    // How channels are scaled is found out when matrices are packed; packed ones know it.
    var scaling = ChannelScaling()
    if packer.isPacking {
      let pool = packer.threads
      if output.isRounded(to: outputFormat) {
        scaling.values = ChannelScaling.exponents(
          levelling: ChannelScaling.sharedPeaks(
            columnPeaks(of: [output], pool: pool), kvHeadCount: configuration.kvHeadCount, headSize: headSize),
          and: rowPeaks(of: inputs[2], pool: pool))
      }
      if final.isRounded(to: finalFormat) {
        scaling.intermediate = ChannelScaling.exponents(
          levelling: columnPeaks(of: [final], pool: pool), and: rowPeaks(of: up, pool: pool))
      }
      if zip(inputs, formats).allSatisfy({ $0.isRounded(to: $1) }) {
        scaling.attentionInputs = ChannelScaling.exponents(
          levelling: columnPeaks(
            of: inputs, rowExponents: scaling.values.map { Self.below($0, rows: queries + keys) }, pool: pool),
          and: norms[0])
      }
      if gate.isRounded(to: pairFormat), up.isRounded(to: pairFormat) {
        scaling.feedForwardInputs = ChannelScaling.exponents(
          levelling: columnPeaks(
            of: [gate, up], rowExponents: scaling.intermediate.map { Self.below($0, rows: intermediate) }, pool: pool),
          and: norms[1])
      }
    }
    queryKeyValue = try packer.stack(
      inputs, formats: formats,
      rounding: WeightRounding(
        columnExponents: scaling.attentionInputs,
        rowExponents: scaling.values.map { Self.below($0, rows: queries + keys) }))
    attentionOutput = try packer.stack(
      [output], format: outputFormat,
      rounding: WeightRounding(
        columnExponents: scaling.values.map {
          ChannelScaling.spread($0, headCount: configuration.headCount, headSize: headSize)
        }))
    gateUp = try packer.pair(
      gate: gate, up: up, format: pairFormat,
      rounding: WeightRounding(
        columnExponents: scaling.feedForwardInputs, rowExponents: scaling.intermediate.map { $0.map { -$0 } }))
    down = try packer.stack(
      [final], format: finalFormat, rounding: WeightRounding(columnExponents: scaling.intermediate))

    attentionNorm = ChannelScaling.divide(norms[0], by: queryKeyValue.first?.columnExponents)
    feedForwardNorm = ChannelScaling.divide(norms[1], by: gateUp.columnExponents)
    if configuration.hasQueryKeyNorm {
      let keys = try tensor("self_attn.k_norm.weight", [headSize]).floats()
      let exponents = ChannelScaling.exponents(levellingKeys: keys)
      queryNorm = ChannelScaling.divide(try tensor("self_attn.q_norm.weight", [headSize]).floats(), by: exponents)
      keyNorm = ChannelScaling.divide(keys, by: exponents.map { -$0 })
    } else {
      (queryNorm, keyNorm) = (nil, nil)
    }
    queryKeyValueBias =
      configuration.hasQueryKeyValueBias
      ? try tensor("self_attn.q_proj.bias", [queries]).floats() + tensor("self_attn.k_proj.bias", [keys]).floats()
        + ChannelScaling.divide(
          tensor("self_attn.v_proj.bias", [keys]).floats(),
          by: attentionOutput.columnExponents.map {
            ChannelScaling.gathered($0, kvHeadCount: configuration.kvHeadCount, headSize: headSize)
          }) : nil
    attentionOutputBias =
      configuration.hasAttentionOutputBias ? try tensor("self_attn.o_proj.bias", [hidden]).floats() : nil
    if configuration.hasFeedForwardBias {
      gateUpBias = (
        try tensor("mlp.gate_proj.bias", [intermediate]).floats(),
        ChannelScaling.divide(try tensor("mlp.up_proj.bias", [intermediate]).floats(), by: down.columnExponents)
      )
      downBias = try tensor("mlp.down_proj.bias", [hidden]).floats()
    } else {
      (gateUpBias, downBias) = (nil, nil)
    }
  }

  /// Row exponents that take back what the readers' columns are multiplied by, below `rows` rows without.
  private static func below(_ exponents: [Int8], rows: Int) -> [Int8] {
    [Int8](repeating: 0, count: rows) + exponents.map { -$0 }
  }

  /// The one format of gate and up: theirs, or eight bits where a file has them in two.
  private static func commonFormat(_ gate: WeightFormat, _ up: WeightFormat) -> WeightFormat {
    gate == up ? gate : gate == .bfloat16 || up == .bfloat16 ? .bfloat16 : .int8
  }
}
