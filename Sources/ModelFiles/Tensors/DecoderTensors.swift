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

  /// Memory of the packed matrices, in bytes.
  ///
  /// - Parameter type: what a file has of a matrix; `nil` for a matrix that it lacks. By default bf16, as most have.
  package func packedByteCount(
    _ quantization: Quantization, type: (DecoderTensor) -> ElementType? = { _ in .bfloat16 }
  ) -> Int {
    func byteCount(_ matrix: DecoderTensor, as type: ElementType, isHead: Bool = false) -> Int {
      quantization.format(of: type, isHead: isHead).packedByteCount(rows: matrix.shape[0], columns: matrix.shape[1])
    }
    return layerMatrices.reduce(byteCount(head, as: type(head) ?? .bfloat16, isHead: true)) { total, matrix in
      total + (type(matrix).map { byteCount(matrix, as: $0) } ?? 0)
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

  init(_ name: TensorName, _ shape: [Int], split: Int? = nil, addend: Float = 0) {
    (self.name, self.shape, self.split, self.addend) = (name, shape, split, addend)
  }

  package var isMatrix: Bool { shape.count == 2 }
  package var count: Int { shape.reduce(1, *) }
}

/// A matrix and what is added to its products.
package struct ProjectionTensors: Sendable, Equatable {
  /// `[outputs, inputs]`.
  package let weight: DecoderTensor
  /// `[outputs]`; `nil` where the model has none.
  package let bias: DecoderTensor?

  /// - Parameter split: 0 where devices share the outputs, 1 where they share the inputs and add up what comes out.
  init(_ role: TensorRole, layer: Int, _ shape: [Int], split: Int, hasBias: Bool) {
    weight = DecoderTensor(TensorName(role, layer: layer), shape, split: split)
    bias =
      hasBias
      ? DecoderTensor(TensorName(role, layer: layer, isBias: true), [shape[0]], split: split == 0 ? 0 : nil) : nil
  }

  var all: [DecoderTensor] { [weight] + (bias.map { [$0] } ?? []) }
}
