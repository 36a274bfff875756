internal import Tensor

extension ModelExpansion {
  /// All tensors, under the names that Hugging Face gives them.
  func tensors() throws(ModelFileError) -> [ExpandedTensor] {
    let (trained, expanded) = (DecoderTensors(source), DecoderTensors(shape))
    let small = source.hiddenSize
    // Where the output is the embedding, this is what keeps added ids from winning.
    let added = shape.tiesWordEmbeddings ? LayerExpansion.addedIdWeight : 0
    var tensors = [try layers.embedding(expanded.embedding, of: trained.embedding, added: added)]
    for (index, layer) in expanded.layers.enumerated() {
      tensors += try layers.tensors(
        index, layer, trained: index < trained.layers.count ? trained.layers[index] : nil)
    }
    let norm = try checkpoint.tensor(trained.finalNorm)
    tensors.append(
      layers.vector(expanded.finalNorm) { [self] values in
        norm.copyRow(0, scaledBy: layers.normFactor, to: &values)
        values[small] = constantNorm
        values[small + 1] = -constantNorm
      })
    guard let output = expanded.output else { return tensors }
    let head = try checkpoint.tensor(trained.head)
    tensors.append(
      layers.matrix(output, like: head) { [self] row, values in
        if row < source.vocabularySize {
          head.copyRow(row, to: &values)
          Noise(row: row, of: 0).fill(&values, from: small + 2, bound: head.peak(of: row))
        } else {
          Noise(row: row, of: 0).fill(&values, from: 0, to: small, bound: 0.01)
          values[small] = LayerExpansion.addedIdWeight
          values[small + 1] = LayerExpansion.addedIdWeight
        }
      })
    return tensors
  }
}
