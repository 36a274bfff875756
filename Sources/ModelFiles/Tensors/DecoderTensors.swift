package import Tensor

/// The tensors of a decoder, in the order in which a pass reads them.
///
/// This is the one list of what a model is made of. Loading, random weights, programs for accelerators, expansion,
/// summaries and sums of bytes and operations all read it.
package struct DecoderTensors: Sendable {
  /// `[vocabulary, hidden]`.
  package let embedding: DecoderTensor
  package let layers: [DecoderLayer]
  /// `[hidden]`.
  package let finalNorm: DecoderTensor
  /// `[vocabulary, hidden]`; `nil` where it is the embedding.
  package let output: DecoderTensor?

  package init(_ configuration: ModelConfiguration) {
    let (hidden, vocabulary) = (configuration.hiddenSize, configuration.vocabularySize)
    embedding = DecoderTensor(TensorName(.embedding), [vocabulary, hidden])
    let architecture = configuration.architecture.variations
    layers = (0..<configuration.layerCount).map { architecture.layer($0, of: configuration) }
    finalNorm = DecoderTensor(TensorName(.finalNorm), [hidden], addend: configuration.normAddend)
    output = configuration.tiesWordEmbeddings ? nil : DecoderTensor(TensorName(.output), [vocabulary, hidden])
  }

  package var all: [DecoderTensor] { [embedding] + layers.flatMap(\.all) + [finalNorm] + (output.map { [$0] } ?? []) }
  /// The matrix that gives logits.
  package var head: DecoderTensor { output ?? embedding }
  /// The matrices of the layers: what a pass multiplies each of its rows by, besides the head.
  package var layerMatrices: [DecoderTensor] { layers.flatMap(\.all).filter(\.isMatrix) }

  /// Elements of the layers' matrices that a row is multiplied by: of experts, those that it goes through.
  package var elementsPerRow: Int {
    layers.reduce(0) { sum, layer in
      switch layer.feedForward {
      case .gated(let tensors): sum + (layer.mixer.all + tensors.all).matrixElements
      case .experts(let tensors):
        sum + (layer.mixer.all + tensors.router.all + (tensors.shared?.all ?? [])).matrixElements
          + tensors.experts.prefix(tensors.configuration.chosenCount).flatMap(\.all).matrixElements
      }
    }
  }

  /// Memory of the packed matrices, in bytes.
  ///
  /// - Parameters:
  ///   - type: what a file has of a matrix; `nil` for a matrix that it lacks. By default bf16, as most have.
  ///   - experts: how many experts of a layer count, on average; all by default.
  package func packedByteCount(
    _ quantization: Quantization, experts: Double? = nil, type: (DecoderTensor) -> ElementType? = { _ in .bfloat16 }
  ) -> Int {
    func byteCount(_ matrix: DecoderTensor) -> Int {
      type(matrix).map { matrix.packedByteCount(quantization.format(of: $0, for: matrix.name.role)) } ?? 0
    }
    func byteCount(_ layer: DecoderLayer) -> Int {
      guard let experts, case .experts(let tensors) = layer.feedForward else {
        return layer.all.filter(\.isMatrix).reduce(0) { $0 + byteCount($1) }
      }
      let all = tensors.experts.reduce(0) { $0 + $1.all.filter(\.isMatrix).reduce(0) { $0 + byteCount($1) } }
      let share = experts / Double(tensors.experts.count)
      return (layer.mixer.all + (tensors.shared?.all ?? [])).filter(\.isMatrix)
        .reduce(byteCount(tensors.router.weight)) { $0 + byteCount($1) }
        + Int(Double(all) * share)
    }
    let output = head.packedByteCount(quantization.format(of: type(head) ?? .bfloat16, isHead: true))
    return layers.reduce(output) { $0 + byteCount($1) }
  }
}

extension Quantization {
  /// The format for a matrix of a layer that a file has as `element`.
  package func format(of element: ElementType, for role: TensorRole) -> WeightFormat {
    switch role {
    // A small difference there is a whole other expert.
    case .router: .bfloat16
    // A state is multiplied by its decay at every position: what says how far is as precise as what gives logits.
    case .strength, .decay: format(of: element, isHead: true)
    default: format(of: element)
    }
  }
}

extension [DecoderTensor] {
  /// Elements of those that are matrices.
  package var matrixElements: Int { reduce(0) { $0 + ($1.isMatrix ? $1.count : 0) } }
}

package struct DecoderTensor: Sendable, Equatable {
  package let name: TensorName
  /// Extents, outermost first: of a matrix `[outputs, inputs]`.
  package let shape: [Int]
  /// The dimension of which each of several devices has its part; `nil` where each has all.
  package let split: Int?
  /// What is added to every element as the files have it.
  package let addend: Float
  /// How files have the elements.
  package let form: Form

  /// How files have the elements of a vector.
  package enum Form: Sendable, Equatable {
    case plain
    /// The logarithms of their opposites.
    case logarithms
  }

  init(_ name: TensorName, _ shape: [Int], split: Int? = nil, addend: Float = 0, form: Form = .plain) {
    (self.name, self.shape, self.split, self.addend, self.form) = (name, shape, split, addend, form)
  }

  /// The weights of a norm of a model's kind.
  init(norm role: TensorRole, layer: Int? = nil, _ shape: [Int], of configuration: ModelConfiguration) {
    self.init(TensorName(role, layer: layer), shape, addend: configuration.normAddend)
  }

  /// Whether products with rows read it packed; what has one output, the share of an expert, is read as it is.
  package var isMatrix: Bool { shape.count == 2 && name.role != .sharedShare }

  /// Memory of a matrix in `format`, in bytes.
  package func packedByteCount(_ format: WeightFormat) -> Int {
    format.packedByteCount(rows: shape[0], columns: shape[1])
  }
  package var count: Int { shape.reduce(1, *) }
}

/// A matrix and what is added to its products.
package struct ProjectionTensors: Sendable, Equatable {
  /// `[outputs, inputs]`.
  package let weight: DecoderTensor
  /// `[outputs]`; `nil` where the model has none.
  package let bias: DecoderTensor?

  /// - Parameter split: 0 where devices share the outputs, 1 where they share the inputs and add up what comes out; `nil`
  ///   where each has all.
  init(_ role: TensorRole, layer: Int, expert: Int? = nil, _ shape: [Int], split: Int?, hasBias: Bool) {
    weight = DecoderTensor(TensorName(role, layer: layer, expert: expert), shape, split: split)
    bias =
      hasBias
      ? DecoderTensor(
        TensorName(role, layer: layer, expert: expert, isBias: true), [shape[0]], split: split == 0 ? 0 : nil) : nil
  }

  var all: [DecoderTensor] { [weight] + (bias.map { [$0] } ?? []) }
}
