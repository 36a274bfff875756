internal import Inference
internal import ModelFiles
internal import Tensor
internal import Transformer

/// In what form an engine has a model's weights in memory.
enum WeightForm: Sendable, CaseIterable {
  /// As checkpoints have them.
  case stored
  /// As checkpoints have them, but the matrices of layers in one byte each.
  case fp8
  /// Two bytes each, whatever checkpoints have.
  case bfloat16
  /// As Foretoken packs them where it is told nothing else.
  case packed
}

extension EngineStack {
  /// In what form it has weights where it is told nothing else.
  var weightForm: WeightForm {
    switch dialect {
    case .cuda: .stored
    // Other checkpoints that are quantised already are refused, and MXFP4 is for Trainium3 alone (features guide).
    case .neuronInference, .neuronPlugin: .bfloat16
    case .foretoken: plugin == nil ? .packed : .bfloat16
    }
  }

  /// Whether it lets go of keys and values that no row of a layer with a window sees any more.
  var freesWindows: Bool {
    switch dialect {
    case .cuda: true
    case .neuronInference, .neuronPlugin: false
    case .foretoken: plugin == nil
    }
  }

  /// Recurrent states that a server has room for: of every sequence one for each row of a verification at least.
  func recurrentStates(sequences: Int, window: Int) -> Int {
    switch dialect {
    case .foretoken: EngineConfiguration.stateSlots(sequences: sequences, window: window)
    case .cuda, .neuronInference, .neuronPlugin: sequences * (window + 1)
    }
  }
}

/// What a model's weights take in one form, in bytes.
struct HeldWeights: Sendable, Equatable {
  /// All of them.
  let bytes: Int
  /// Those of experts, of which a row reads a few.
  private let expertBytes: Int
  /// An embedding beside the matrix that gives logits, of which a row reads a row.
  private let embeddingBytes: Int

  init(_ tensors: DecoderTensors, of configuration: ModelConfiguration, in form: WeightForm) {
    func bytes(_ tensor: DecoderTensor) -> Int {
      switch form {
      case .bfloat16: return 2 * tensor.count
      case .stored: return configuration.storedByteCount(of: tensor)
      case .fp8:
        return tensor.isMatrix && tensor.name.layer != nil
          ? tensor.count : configuration.storedByteCount(of: tensor)
      case .packed:
        guard tensor.isMatrix, tensor.name.layer != nil else { return configuration.storedByteCount(of: tensor) }
        let format = Quantization.file.format(of: configuration.storedType(of: tensor), for: tensor.name.role)
        return format == .bfloat16 ? 2 * tensor.count : tensor.packedByteCount(format)
      }
    }
    var (all, experts) = (0, 0)
    for layer in tensors.layers {
      guard case .experts(let own) = layer.feedForward, let one = own.experts.first else {
        all += layer.all.reduce(0) { $0 + bytes($1) }
        continue
      }
      // Experts are alike, and there may be thousands.
      let inExperts = own.experts.count * one.all.reduce(0) { $0 + bytes($1) }
      experts += inExperts
      all += layer.all.reduce(inExperts) { $0 + ($1.name.expert == nil ? bytes($1) : 0) }
    }
    let embedding = bytes(tensors.embedding)
    all += embedding + bytes(tensors.finalNorm) + (tensors.output.map(bytes) ?? 0)
    (self.bytes, expertBytes, embeddingBytes) = (all, experts, tensors.output == nil ? 0 : embedding)
  }

  /// What a pass reads.
  ///
  /// - Parameter share: of the experts, those that its rows go through.
  func read(experts share: Double) -> Double { Double(bytes - embeddingBytes) - Double(expertBytes) * (1 - share) }
}
