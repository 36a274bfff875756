internal import Inference
package import ModelFiles
package import Tensor
internal import Transformer

/// How fast a model whose shape is known could decode, from what the machine was measured to do.
package struct DecodingEstimate: Sendable, Encodable {
  /// What speculation could give at best: every proposal right, and made in no time.
  package struct Speculation: Sendable, Encodable {
    /// Proposals in a pass.
    package let window: Int
    /// Tokens per second over those of plain decoding.
    package let best_speedup: Double
  }

  /// ORG/NAME, or where the configuration is.
  package let model: String
  package let quantization: String
  /// Of the packed weights.
  package let weight_bytes: Int
  /// Without speculation, one sequence: no code can be faster, and this one comes near.
  package let tokens_per_second: Double
  package let speculation: [Speculation]
  /// Whether weights, program and the keys and values of a conversation have room.
  package let fits: Bool

  /// Positions that are in the KV cache.
  package static let context = 512
  /// Positions for whose keys and values there is to be room.
  private static let positions = 4096
  /// What those who try it have heard of, a small, a middling and a large one.
  private static let models = ["Qwen/Qwen3-0.6B", "Qwen/Qwen3-4B", "Qwen/Qwen3-8B"]
  private static let windows = [3, 7]

  /// - Parameter room: bytes of memory that a process can have.
  package init(
    _ model: String, _ configuration: ModelConfiguration, _ quantization: Quantization,
    ceilings: MachineCeilings.Sample, room: Int
  ) {
    let tensors = DecoderTensors(configuration)
    let bytes = tensors.packedByteCount(quantization, type: configuration.storedType)
    let withoutExperts = tensors.packedByteCount(quantization, experts: 0, type: configuration.storedType)
    let memory = RunnerMemory(packedWeights: bytes, packedExperts: bytes - withoutExperts, keyValueCache: 0)
    let layout = ExpertLayout(configuration)
    // What most of the arithmetic is: of experts, where there are any.
    let most = tensors.layerMatrices.last { $0.name.role != .router }
    let isQuantised =
      most.map { quantization.format(of: configuration.storedType(of: $0), for: $0.name.role) != .bfloat16 } ?? false
    /// The least time of a pass over `rows` rows, whose experts are as many as if each chose by itself.
    func seconds(rows: Int) -> Double {
      let read = layout.map { $0.experts(rows: Double(rows)) / Double($0.total) }
      return PassCost(
        configuration, memory: memory, rows: rows, context: Self.context, logitRows: rows, readExperts: read
      ).floor(ceilings, isQuantised: isQuantised)
    }
    self.model = model
    self.quantization = quantization.rawValue
    weight_bytes = bytes
    tokens_per_second = 1 / seconds(rows: 1)
    speculation = Self.windows.map { window in
      Speculation(
        window: window, best_speedup: Double(window + 1) * seconds(rows: 1) / seconds(rows: window + 1))
    }
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
          DecodingEstimate(
            model.name, try model.configuration(), quantization, ceilings: ceilings, room: room))
      }
    }
    return estimates
  }
}
