package import Tensor

/// Which layers of a model are recurrent, and their sizes.
package struct RecurrenceConfiguration: Sendable, Equatable {
  /// The sizes of each.
  package let shape: DeltaNetShape
  /// By layer.
  package let isRecurrent: [Bool]
  /// Whether files have of a head's rate the logarithm of its opposite.
  package let hasLogarithmicRates: Bool

  /// Number of recurrent layers.
  package var layerCount: Int { isRecurrent.count { $0 } }

  /// Layers are recurrent but for every so many.
  private static let attentionInterval = 4

  /// - Throws: `ModelFileError` for sizes that make no sense, and for layers of other types.
  init(_ file: ConfigurationFile, path: String) throws(ModelFileError) {
    let bounds = SizeBounds(path: path)
    let count = try bounds.check("num_hidden_layers", file.num_hidden_layers, in: 1...1024)
    let interval = try bounds.check(
      "full_attention_interval", file.full_attention_interval ?? Self.attentionInterval, in: 1...1024)
    let kinds = file.layer_types ?? (1...count).map { $0 % interval == 0 ? "full_attention" : "linear_attention" }
    guard kinds.count == count else {
      throw ModelFileError(path, "layer_types has \(kinds.count) entries for num_hidden_layers \(count)")
    }
    isRecurrent = try kinds.map { kind throws(ModelFileError) in
      switch kind {
      case "linear_attention": true
      case "full_attention": false
      default:
        throw ModelFileError(
          path, "unsupported: layers of type \(kind); only linear_attention and full_attention")
      }
    }
    shape = DeltaNetShape(
      keyHeadCount: try bounds.check("linear_num_key_heads", file.linear_num_key_heads, in: 1...1024),
      valueHeadCount: try bounds.check("linear_num_value_heads", file.linear_num_value_heads, in: 1...1024),
      keySize: try bounds.check("linear_key_head_dim", file.linear_key_head_dim, in: 1...1024),
      valueSize: try bounds.check("linear_value_head_dim", file.linear_value_head_dim, in: 1...1024),
      kernelSize: try bounds.check("linear_conv_kernel_dim", file.linear_conv_kernel_dim, in: 2...16),
      readsKeyHeadsInTurns: false)
    hasLogarithmicRates = true
    try check(path: path, keys: ("linear_num_value_heads", "linear_num_key_heads", "layer_types"))
  }

  /// Reads the keys `FAMILY.ssm.…` of a GGUF file.
  ///
  /// Source: llama.cpp's converter and loader of the architectures "qwen35" and "qwen3next".
  ///
  /// - Parameter readsKeyHeadsInTurns: how the file's value heads stand (`DeltaNetShape`).
  init(
    _ file: GGUFFile, family: String, layerCount: Int, inTurns readsKeyHeadsInTurns: Bool
  ) throws(ModelFileError) {
    let (metadata, path) = (file.metadata, file.path)
    let (heads, inner) = (
      try metadata.required("\(family).ssm.time_step_rank", in: 1...1024),
      try metadata.required("\(family).ssm.inner_size", in: 1...1_048_576)
    )
    guard inner % heads == 0, (1...1024).contains(inner / heads) else {
      throw ModelFileError(
        path,
        "\(family).ssm.inner_size is \(inner); expected 1 to 1024 channels for each of the \(heads) heads of \(family).ssm.time_step_rank"
      )
    }
    shape = DeltaNetShape(
      keyHeadCount: try metadata.required("\(family).ssm.group_count", in: 1...1024), valueHeadCount: heads,
      keySize: try metadata.required("\(family).ssm.state_size", in: 1...1024), valueSize: inner / heads,
      kernelSize: try metadata.required("\(family).ssm.conv_kernel", in: 2...16),
      readsKeyHeadsInTurns: readsKeyHeadsInTurns)
    let key = "\(family).attention.recurrent_layers"
    if let value = metadata[key] {
      guard let listed = try metadata.flags(key) else {
        throw ModelFileError(path, "\(key) is \(value); expected a list of true and false")
      }
      guard listed.count >= layerCount else {
        throw ModelFileError(path, "\(key) has \(listed.count) entries for \(layerCount) layers")
      }
      isRecurrent = Array(listed.prefix(layerCount))
    } else {
      let interval =
        try metadata.integer("\(family).full_attention_interval", in: 1...1024) ?? Self.attentionInterval
      isRecurrent = (1...layerCount).map { $0 % interval != 0 }
    }
    hasLogarithmicRates = false
    try check(path: path, keys: ("\(family).ssm.time_step_rank", "\(family).ssm.group_count", key))
  }

  private func check(path: String, keys: (heads: String, keyHeads: String, layers: String)) throws(ModelFileError) {
    guard shape.valueHeadCount % shape.keyHeadCount == 0 else {
      throw ModelFileError(
        path, "\(keys.heads) \(shape.valueHeadCount) is not a multiple of \(keys.keyHeads) \(shape.keyHeadCount)")
    }
    guard isRecurrent.contains(false) else {
      throw ModelFileError(path, "unsupported: no layer is attention (\(keys.layers)); expected at least one")
    }
  }
}

extension ModelConfiguration {
  /// Recurrent state of a sequence at one position, in bytes.
  package var stateByteCount: Int { recurrence.map { $0.layerCount * $0.shape.stateByteCount } ?? 0 }
}
