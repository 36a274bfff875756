internal import Foundation
internal import ModelFiles
internal import PJRT
internal import Tensor

/// Copies a checkpoint's weights to the devices, once.
struct WeightUpload {
  let client: PJRTClient
  let checkpoint: Checkpoint
  /// Shape of the layers.
  let configuration: ModelConfiguration
  let element: PJRTOptions.Element
  /// Devices that share the weights.
  let partitionCount: Int

  /// The buffers, in the order of `parameters`.
  ///
  /// - Parameter progress: called with the share that is done, 0 to 1.
  /// - Throws: `ModelFileError` for tensors that are missing or have another shape, `PJRTError` when memory runs out.
  func buffers(
    of parameters: [DecoderParameters.Parameter], progress: (Double) -> Void
  ) throws -> PJRTBuffers {
    var buffers = PJRTBuffers(client)
    for (index, parameter) in parameters.enumerated() {
      buffers.append(try buffer(of: parameter))
      progress(Double(index + 1) / Double(parameters.count))
    }
    try checkpoint.checkUnchanged()
    return buffers
  }

  private func buffer(of parameter: DecoderParameters.Parameter) throws -> PJRTBuffers {
    let split = partitionCount > 1 ? parameter.split : nil
    switch parameter.source {
    case .cosines(let rotary): return try client.upload(angles(rotary, parameter.shape, cosf), shape: parameter.shape)
    case .sines(let rotary): return try client.upload(angles(rotary, parameter.shape, sinf), shape: parameter.shape)
    case .integers(let numbers): return try client.upload(numbers, shape: parameter.shape)
    case .tensor(let tensor):
      let view = try checkpoint.tensor(tensor)
      guard tensor.isMatrix, element == .bfloat16 else {
        return try client.upload(checkpoint.floats(tensor), shape: parameter.shape, split: split)
      }
      if view.elementType == .bfloat16, view.rowOrder == .natural {
        // As they lie in the mapped file.
        let direct = try view.file.withBytes(in: view.byteRange) { bytes in
          PJRTBufferBox(try client.upload(bytes, .bfloat16, shape: parameter.shape, split: split))
        }
        if let direct { return direct.take() }
      }
      let rounded = view.floats().map { $0.bfloat16Bits }
      return try client.upload(bfloat16: rounded, shape: parameter.shape, split: split)
    }
  }

  /// Cosines or sines of every position's angles: `[positions, head size / 2]`.
  private func angles(
    _ rotary: RotaryConfiguration, _ shape: [Int], _ function: (Float) -> Float
  ) -> [Float] {
    let (frequencies, scale) = rotary.frequencies(headSize: configuration.headSize)
    return (0..<shape[0]).flatMap { position in frequencies.map { scale * function(Float(position) * $0) } }
  }
}

/// Carries buffers out of a closure whose result must be copyable.
private final class PJRTBufferBox {
  private var buffers: PJRTBuffers

  init(_ buffers: consuming PJRTBuffers) { self.buffers = buffers }

  func take() -> PJRTBuffers { buffers.removeFirst(buffers.count) }
}
