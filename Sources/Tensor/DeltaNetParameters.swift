/// What a gated delta net has besides its matrices.
package struct DeltaNetParameters: Sendable {
  /// Weights of the convolution, `[kernel size, channels]`, the oldest position first.
  let convolution: [Float]
  /// By value head: what the step is multiplied by, negative.
  let rates: [Float]
  /// By value head: added to the step before softplus.
  let biases: [Float]
  /// Weights of the norm of a head's output, `[value size]`.
  let norm: [Float]

  /// - Parameter kernels: of the convolution as checkpoints have them, `[channels, kernel size]`.
  package init(_ shape: DeltaNetShape, kernels: [Float], rates: [Float], biases: [Float], norm: [Float]) {
    precondition(kernels.count == shape.channels * shape.kernelSize && norm.count == shape.valueSize)
    precondition(rates.count == shape.valueHeadCount && biases.count == shape.valueHeadCount)
    var turned = [Float](repeating: 0, count: shape.kernelSize * shape.channelStride)
    for channel in 0..<shape.channels {
      for tap in 0..<shape.kernelSize {
        turned[tap * shape.channelStride + channel] = kernels[channel * shape.kernelSize + tap]
      }
    }
    (convolution, self.rates, self.biases, self.norm) = (turned, rates, biases, norm)
  }
}
