package import ModelFiles
package import StableHLO
internal import Tensor
package import Transformer

/// What a model's programs are within given limits: all that is known of a runner before there are weights.
package struct DecoderPlan {
  /// One of the programs.
  package struct Entry {
    package let program: Program
    /// Rows of a pass; `nil` for a program that has none.
    package let rows: Int?
    /// Positions that its rows can look back to; `nil` where they do not look back.
    package let context: Int?
  }

  let program: DecoderProgram
  let planner: PassPlanner
  let capacity: RunnerCapacity

  /// - Parameters:
  ///   - limits: sizes of one pass and of the K/V memory.
  ///   - element: format of matrices and of the KV cache.
  /// - Throws: `RunnerError` for heads that the devices cannot share, and for layers that programs do not have.
  package init(
    _ configuration: ModelConfiguration, limits: RunnerLimits, options: PJRTOptions, element: PJRTOptions.Element
  ) throws(RunnerError) {
    try Self.check(configuration, isSharedBy: options.partitionCount)
    let blockSize = KVStorage.blockSize
    let blockCount = limits.blockCount(ofSize: blockSize)
    let slots = (blockCount + 1) * blockSize
    guard slots <= Int32.max else {
      throw RunnerError(
        description: "the KV cache has room for \(slots) positions; programs for PJRT devices reach \(Int32.max)")
    }
    capacity = RunnerCapacity(
      rows: limits.rows, logitRows: limits.logitRows, blockCount: blockCount, blockSize: blockSize,
      positions: limits.positions, taps: 0..<configuration.layerCount + 1)
    program = DecoderProgram(
      configuration: configuration, parameters: DecoderParameters(configuration, positions: limits.positions),
      element: element == .float32 ? .float32 : .bfloat16, partitionCount: options.partitionCount,
      blockCount: blockCount + 1, blockSize: blockSize)
    planner = PassPlanner(
      rowBuckets: options.rowBuckets, sequences: limits.sequences, positions: limits.positions, blockSize: blockSize,
      blockCount: blockCount)
  }

  /// All programs that passes can need, those of the shortest context length first.
  package var programs: [Entry] { programs(tapping: []) }

  /// The same where all passes tap the streams that enter `layers`.
  func programs(tapping layers: [Int]) -> [Entry] {
    let sizes = planner.sizes
    // Those without taps as well: a runner begins with them.
    let bodies = sizes.flatMap { size in
      (layers.isEmpty ? [[]] : [[], layers]).map {
        Entry(program: program.body(size, taps: $0), rows: size.rows, context: size.context)
      }
    }
    let heads = Set(sizes.map(\.rows)).sorted().map {
      Entry(program: program.head(rows: $0), rows: $0, context: nil)
    }
    return [Entry(program: program.emptyCache, rows: nil, context: nil)] + bodies + heads
  }

  /// The programs that choose tokens too, for decoding without speculation.
  ///
  /// - Parameter samples: whether the devices can draw them.
  package func choices(samples: Bool) -> [Entry] {
    Set(planner.sizes.map(\.rows)).sorted().flatMap { rows in
      (samples ? [false, true] : [false]).map {
        Entry(program: program.choice(rows: rows, samples: $0), rows: rows, context: nil)
      }
    }
  }

  /// Makes sure that programs can compute a model.
  ///
  /// - Throws: `RunnerError` for heads that the devices cannot share, and for layers that programs do not have.
  package static func check(
    _ configuration: ModelConfiguration, isSharedBy partitionCount: Int
  ) throws(RunnerError) {
    guard configuration.recurrence == nil, !configuration.hasAttentionGates,
      configuration.rotatedSize == configuration.headSize
    else {
      throw RunnerError(
        description:
          "a \(configuration.architecture.rawValue) has recurrent layers and gated attention, which run with --backend cpu and not on PJRT devices yet"
      )
    }
    guard configuration.experts == nil else {
      throw RunnerError(
        description:
          "\(configuration.architecture.rawValue) has experts, which --backend pjrt does not compute; expected --backend cpu"
      )
    }
    for (name, count) in [
      ("num_key_value_heads", configuration.kvHeadCount), ("intermediate_size", configuration.intermediateSize),
    ] where count % partitionCount != 0 {
      throw RunnerError(description: "\(name) is \(count), which \(partitionCount) devices cannot share evenly")
    }
  }
}
