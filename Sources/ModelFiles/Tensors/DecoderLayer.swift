package import Tensor

/// What a layer is made of: something that lets its rows see other positions, then something that each row goes through
/// alone. Both add to the residual stream.
package struct DecoderLayer: Sendable, Equatable {
  package let mixer: Mixer
  package let feedForward: FeedForward

  package var all: [DecoderTensor] { mixer.all + feedForward.all }
}

/// How the rows of a layer see other positions.
///
/// A kind of its own (a recurrent layer) is a case of its own: the compiler then names every place that has to know it.
package enum Mixer: Sendable, Equatable {
  case attention(AttentionTensors)
  case deltaNet(DeltaNetTensors)

  /// The norm of streams, in the first layer of a head.
  package var streamNorm: DecoderTensor? {
    switch self {
    case .attention(let tensors): tensors.streamNorm
    case .deltaNet: nil
    }
  }

  package var all: [DecoderTensor] {
    switch self {
    case .attention(let tensors): tensors.all
    case .deltaNet(let tensors): tensors.all
    }
  }
}

/// What each row of a layer goes through alone.
///
/// A kind of its own is a case of its own: the compiler then names every place that has to know it.
package enum FeedForward: Sendable, Equatable {
  case gated(GatedTensors)
  case experts(ExpertTensors)

  package var all: [DecoderTensor] {
    switch self {
    case .gated(let tensors): tensors.all
    case .experts(let tensors): tensors.all
    }
  }
}

/// `output(attention(norm(residual)))`: every row attends to all positions up to its own.
package struct AttentionTensors: Sendable, Equatable {
  package let headCount, kvHeadCount, headSize: Int
  /// Channels of a head that are rotated, the first ones.
  package let rotatedSize: Int
  /// `[hidden]`.
  package let norm: DecoderTensor
  /// `[hidden]`; in the first layer of a head, whose inputs are an embedding and a stream side by side, the stream's.
  package let streamNorm: DecoderTensor?
  /// `[hidden]`, shared by the layers; in a head whose keys and values are made of the target's streams too, the norm of
  /// these.
  package let contextNorm: DecoderTensor?
  /// `[heads · headSize, inputs]`, keys and values with KV heads; `hidden` inputs, twice as many beside a stream. Where
  /// there are gates, each head's queries are followed by its gate, of as many rows.
  package let query, key, value: ProjectionTensors
  /// `[headSize]`; `nil` where the model has none.
  package let queryNorm, keyNorm: DecoderTensor?
  /// `[heads]`, the scores of something without a value that all rows see; `nil` where the model has none.
  package let sinks: DecoderTensor?
  /// `[hidden]`, of what is added to the residual stream; `nil` where that is added as it is.
  package let postNorm: DecoderTensor?
  /// `[hidden, heads · headSize]`.
  package let output: ProjectionTensors

  init(
    layer: Int, of configuration: ModelConfiguration, besideStream: Bool = false, contextNorm: DecoderTensor? = nil
  ) {
    let (hidden, headSize) = (configuration.hiddenSize, configuration.headSize)
    (headCount, kvHeadCount) = (configuration.headCount, configuration.kvHeadCount)
    let (queries, keys) = (headCount * headSize, kvHeadCount * headSize)
    let gates = configuration.hasAttentionGates ? queries : 0
    func input(_ role: TensorRole, _ rows: Int) -> ProjectionTensors {
      ProjectionTensors(
        role, layer: layer, [rows, besideStream ? 2 * hidden : hidden], split: 0,
        hasBias: configuration.hasQueryKeyValueBias)
    }
    func headNorm(_ role: TensorRole) -> DecoderTensor? {
      configuration.hasQueryKeyNorm
        ? DecoderTensor(TensorName(role, layer: layer), [headSize], addend: configuration.normAddend) : nil
    }
    (self.headSize, self.contextNorm) = (headSize, contextNorm)
    rotatedSize = configuration.rotatedSize
    norm = DecoderTensor(TensorName(.attentionNorm, layer: layer), [hidden], addend: configuration.normAddend)
    postNorm =
      configuration.hasPostNorms
      ? DecoderTensor(TensorName(.attentionPostNorm, layer: layer), [hidden], addend: configuration.normAddend) : nil
    streamNorm = besideStream ? DecoderTensor(TensorName(.hiddenNorm, layer: layer), [hidden]) : nil
    (query, key, value) = (input(.query, queries + gates), input(.key, keys), input(.value, keys))
    (queryNorm, keyNorm) = (headNorm(.queryNorm), headNorm(.keyNorm))
    sinks =
      configuration.architecture.variations.hasSinks
      ? DecoderTensor(TensorName(.sinks, layer: layer), [headCount], split: 0) : nil
    output = ProjectionTensors(
      .attentionOutput, layer: layer, [hidden, queries], split: 1, hasBias: configuration.hasAttentionOutputBias)
  }

  package var inputs: [ProjectionTensors] { [query, key, value] }

  var all: [DecoderTensor] {
    [norm, streamNorm].compactMap(\.self) + inputs.flatMap(\.all) + [queryNorm, keyNorm, sinks].compactMap(\.self)
      + output.all + [postNorm].compactMap(\.self)
  }
}

/// `down(activation(gate(norm(residual))) · up(norm(residual)))`.
package struct GatedTensors: Sendable, Equatable {
  /// `[hidden]`.
  package let norm: DecoderTensor
  /// `[intermediate, hidden]`.
  package let gate, up: ProjectionTensors
  /// `[hidden, intermediate]`.
  package let down: ProjectionTensors
  /// `[hidden]`, of what is added to the residual stream; `nil` where that is added as it is.
  package let postNorm: DecoderTensor?

  init(layer: Int, of configuration: ModelConfiguration) {
    let (hidden, inner) = (configuration.hiddenSize, configuration.intermediateSize)
    func projection(_ role: TensorRole, _ shape: [Int], split: Int) -> ProjectionTensors {
      ProjectionTensors(role, layer: layer, shape, split: split, hasBias: configuration.hasFeedForwardBias)
    }
    func vector(_ role: TensorRole) -> DecoderTensor {
      DecoderTensor(TensorName(role, layer: layer), [hidden], addend: configuration.normAddend)
    }
    norm = vector(configuration.hasPostNorms ? .feedForwardPreNorm : .feedForwardNorm)
    postNorm = configuration.hasPostNorms ? vector(.feedForwardPostNorm) : nil
    gate = projection(.gate, [inner, hidden], split: 0)
    up = projection(.up, [inner, hidden], split: 0)
    down = projection(.down, [hidden, inner], split: 1)
  }

  var all: [DecoderTensor] { [norm] + gate.all + up.all + down.all + [postNorm].compactMap(\.self) }
}

/// Σ share · down(activation(gate(normal)) · up(normal)) over the experts that the router chooses for a row, where normal is
/// norm(residual); and as much for an expert that all rows go through, where there is one, whose share is
/// sigmoid(sharedShare · normal).
package struct ExpertTensors: Sendable, Equatable {
  /// One of many feed-forward networks.
  package struct Expert: Sendable, Equatable {
    /// `[intermediate, hidden]`.
    package let gate, up: ProjectionTensors
    /// `[hidden, intermediate]`.
    package let down: ProjectionTensors

    package var all: [DecoderTensor] { gate.all + up.all + down.all }
  }

  /// `[hidden]`.
  package let norm: DecoderTensor
  /// `[experts, hidden]`.
  package let router: ProjectionTensors
  package let experts: [Expert]
  /// `nil` where there is no expert that all rows go through.
  package let shared: SharedExpertTensors?
  package let configuration: ExpertConfiguration
  package let activation: GateActivation

  init(layer: Int, _ experts: ExpertConfiguration, of configuration: ModelConfiguration) {
    let (hidden, inner) = (configuration.hiddenSize, experts.intermediateSize)
    (self.configuration, activation) = (experts, configuration.activation)
    norm = DecoderTensor(norm: .feedForwardNorm, layer: layer, [hidden], of: configuration)
    shared = experts.sharedSize.map { SharedExpertTensors(layer: layer, size: $0, hiddenSize: hidden) }
    router = ProjectionTensors(
      .router, layer: layer, [experts.count, hidden], split: nil, hasBias: experts.hasBiases)
    self.experts = (0..<experts.count).map { expert in
      func projection(_ role: TensorRole, _ shape: [Int], split: Int) -> ProjectionTensors {
        ProjectionTensors(role, layer: layer, expert: expert, shape, split: split, hasBias: experts.hasBiases)
      }
      return Expert(
        gate: projection(.gate, [inner, hidden], split: 0), up: projection(.up, [inner, hidden], split: 0),
        down: projection(.down, [hidden, inner], split: 1))
    }
  }

  var all: [DecoderTensor] { [norm] + router.all + experts.flatMap(\.all) + (shared?.all ?? []) }
}

/// An expert that all rows go through.
package struct SharedExpertTensors: Sendable, Equatable {
  /// `[intermediate, hidden]`.
  package let gate, up: DecoderTensor
  /// `[hidden, intermediate]`.
  package let down: DecoderTensor
  /// `[1, hidden]`.
  package let share: DecoderTensor

  init(layer: Int, size: Int, hiddenSize: Int) {
    gate = DecoderTensor(TensorName(.sharedGate, layer: layer), [size, hiddenSize], split: 0)
    up = DecoderTensor(TensorName(.sharedUp, layer: layer), [size, hiddenSize], split: 0)
    down = DecoderTensor(TensorName(.sharedDown, layer: layer), [hiddenSize, size], split: 1)
    share = DecoderTensor(TensorName(.sharedShare, layer: layer), [1, hiddenSize])
  }

  package var all: [DecoderTensor] { [gate, up, down, share] }
}
