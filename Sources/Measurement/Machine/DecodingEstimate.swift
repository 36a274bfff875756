internal import Inference
package import ModelFiles
package import Tensor
internal import Transformer

/// How fast a model whose shape is known could decode, from what the machine was measured to do.
package struct DecodingEstimate: Sendable, Encodable {
  /// ORG/NAME.
  package let model: String
  package let quantization: String
  /// Of the packed weights.
  package let weight_bytes: Int
  /// Without speculation, one sequence: no code can be faster, and this one comes near.
  package let tokens_per_second: Double
  /// Whether weights, program and the keys and values of a conversation have room.
  package let fits: Bool

  /// Positions that are in the KV cache.
  package static let context = 512
  /// Positions for whose keys and values there is to be room.
  private static let positions = 4096
  /// What those who try it have heard of, a small, a middling and a large one.
  private static let models = ["Qwen/Qwen3-0.6B", "Qwen/Qwen3-4B", "Qwen/Qwen3-8B"]

  /// - Parameter room: bytes of memory that a process can have.
  init(
    _ model: PublishedModel, _ quantization: Quantization, ceilings: MachineCeilings.Sample, room: Int
  ) throws(ModelFileError) {
    let configuration = try model.configuration()
    let bytes = DecoderTensors(configuration).packedByteCount(quantization)
    let cost = PassCost(
      configuration, memory: RunnerMemory(packedWeights: bytes, keyValueCache: 0), rows: 1, context: Self.context,
      logitRows: 1)
    self.model = model.name
    self.quantization = quantization.rawValue
    weight_bytes = bytes
    tokens_per_second = 1 / cost.floor(ceilings, isQuantised: true)
    fits =
      bytes + configuration.keyValueBytes(positions: Self.positions) + MemoryNeed.overhead <= room
  }

  /// Of a few models in the quantizations that people take.
  ///
  /// - Parameter room: bytes of memory that a process can have.
  package static func all(
    ceilings: MachineCeilings.Sample, room: Int
  ) throws(ModelFileError) -> [DecodingEstimate] {
    var estimates: [DecodingEstimate] = []
    for model in PublishedModel.all where models.contains(model.name) {
      for quantization in [Quantization.int4, .int8] {
        estimates.append(
          try DecodingEstimate(model, quantization, ceilings: ceilings, room: room))
      }
    }
    return estimates
  }
}
