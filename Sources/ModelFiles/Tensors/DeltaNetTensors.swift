package import Tensor

/// A gated delta net: `output(norm(recurrence(silu(convolution(input))), gate))`, where the recurrence keeps a matrix for
/// each value head, which each position lets decay and corrects.
///
/// Source: Yang et al., "Gated Delta Networks" (2024), as Qwen3.5 has it in `transformers`.
package struct DeltaNetTensors: Sendable, Equatable {
  package let sizes: DeltaNetShape
  /// `[hidden]`.
  package let norm: DecoderTensor
  /// Queries, keys and values before the convolution: `[channels, hidden]`.
  package let input: DecoderTensor
  /// `[value heads · value size, hidden]`.
  package let gate: DecoderTensor
  /// How strongly a position changes a head's state, and how far it decays: `[value heads, hidden]`.
  package let strength, decay: DecoderTensor
  /// `[channels, 1, kernel size]`.
  package let convolution: DecoderTensor
  /// What a head's decay is multiplied by, and what is added to it before: `[value heads]`.
  package let decayRate, decayBias: DecoderTensor
  /// `[value size]`.
  package let outputNorm: DecoderTensor
  /// `[hidden, value heads · value size]`.
  package let output: DecoderTensor

  init(layer: Int, of configuration: ModelConfiguration, _ recurrence: RecurrenceConfiguration) {
    let (hidden, sizes) = (configuration.hiddenSize, recurrence.shape)
    func tensor(_ role: TensorRole, _ shape: [Int], form: DecoderTensor.Form = .plain) -> DecoderTensor {
      DecoderTensor(TensorName(role, layer: layer), shape, form: form)
    }
    self.sizes = sizes
    norm = DecoderTensor(norm: .attentionNorm, layer: layer, [hidden], of: configuration)
    input = tensor(.recurrentInput, [sizes.channels, hidden])
    gate = tensor(.recurrentGate, [sizes.valueWidth, hidden])
    strength = tensor(.strength, [sizes.valueHeadCount, hidden])
    decay = tensor(.decay, [sizes.valueHeadCount, hidden])
    convolution = tensor(.convolution, [sizes.channels, 1, sizes.kernelSize])
    decayRate = tensor(
      .decayRate, [sizes.valueHeadCount], form: recurrence.hasLogarithmicRates ? .logarithms : .plain)
    decayBias = tensor(.decayBias, [sizes.valueHeadCount])
    outputNorm = tensor(.recurrentNorm, [sizes.valueSize])
    output = tensor(.recurrentOutput, [hidden, sizes.valueWidth])
  }

  /// The matrices that read the layer's input, in the order of the columns of what they give.
  package var inputs: [DecoderTensor] { [input, gate, strength, decay] }

  var all: [DecoderTensor] {
    [norm] + inputs + [convolution, decayRate, decayBias, outputNorm, output]
  }
}
