internal import Tensor

extension HeadExpansion {
  /// All tensors, under the names that models' have; without the map of tokens (`targetTokens`).
  func tensors() throws(ModelFileError) -> [ExpandedTensor] {
    let (trained, expanded) = (HeadTensors(source.configuration), HeadTensors(shape))
    var tensors: [ExpandedTensor] = []
    if source.hasEmbedding { tensors.append(try layers.embedding(expanded.embedding, of: trained.embedding)) }
    for (norm, original) in zip(expanded.streamNorms, trained.streamNorms) {
      tensors.append(try streamNorm(norm, original))
    }
    tensors.append(try fusion(expanded.fusion, trained.fusion))
    for (index, (layer, original)) in zip(expanded.layers, trained.layers).enumerated() {
      tensors += try layers.tensors(index, layer, trained: original)
    }
    tensors.append(try layers.residualNorm(expanded.finalNorm, trained.finalNorm))
    let (output, small) = (try layers.checkpoint.tensor(trained.output), layers.source.hiddenSize)
    let count = source.configuration.vocabularySize
    tensors.append(
      layers.matrix(expanded.output, like: output) { row, values in
        output.copyRow(row % count, to: &values)
        Noise(row: row, of: 0).fill(&values, from: small, bound: output.peak(of: row % count))
      })
    return tensors
  }

  /// A norm over one of the target's streams, or over all of them side by side, which leaves the constant channels out.
  private func streamNorm(
    _ tensor: DecoderTensor, _ original: DecoderTensor
  ) throws(ModelFileError) -> ExpandedTensor {
    let norm = try layers.checkpoint.tensor(original)
    let (small, large) = (target.hiddenSize, shape.targetHiddenSize)
    let factor = (Float(small) / Float(large)).squareRoot()
    return layers.vector(tensor) { values in
      for index in values.indices { values[index] = 1 }
      norm.spreadRow(0, of: small, over: large, scaledBy: factor, to: &values)
      for first in stride(from: 0, to: values.count, by: large) {
        (values[first + small], values[first + small + 1]) = (0, 0)
      }
    }
  }

  /// What joins the target's streams: their trained channels to the head's, and the first stream's constants to constants.
  private func fusion(_ tensor: DecoderTensor, _ original: DecoderTensor) throws(ModelFileError) -> ExpandedTensor {
    let fusion = try layers.checkpoint.tensor(original)
    let (small, large) = (target.hiddenSize, shape.targetHiddenSize)
    let trained = layers.source.hiddenSize
    // Behind norms they are nothing.
    let hasConstants = shape.streamNorm == .none
    return layers.matrix(tensor, like: fusion) { row, values in
      let bound = row < trained ? fusion.peak(of: row) : 0.05
      for first in stride(from: 0, to: values.count, by: large) {
        Noise(row: row, of: 8).fill(&values, from: first + small + 2, to: first + large, bound: bound)
      }
      if row < trained {
        fusion.spreadRow(row, of: small, over: large, to: &values)
      } else if row < trained + 2, hasConstants {
        values[small + row - trained] = 1
      }
    }
  }
}
