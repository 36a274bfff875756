package import ModelFiles
internal import Transformer

/// What a head's programs are within given limits, as `DecoderPlan` is for models.
package struct HeadPlan {
  let program: HeadProgram
  let planner: PassPlanner
  let capacity: RunnerCapacity

  /// - Parameters:
  ///   - target: the program of the target.
  ///   - limits: sizes of one pass and of the K/V memory, with as many blocks as the target uses.
  /// - Throws: `ModelFileError` for a head that does not fit the target; `RunnerError` for heads that programs do not have,
  ///   or that the devices cannot share.
  init(_ head: Head, on target: DecoderProgram, limits: RunnerLimits, options: PJRTOptions) throws {
    try head.check(fits: target.configuration)
    if let reason = Self.refusal(of: head) { throw RunnerError(description: reason) }
    let configuration = head.configuration
    try DecoderPlan.check(configuration.layers, isSharedBy: options.partitionCount)
    let blockCount = limits.blockCount(ofSize: target.blockSize)
    capacity = RunnerCapacity(
      rows: limits.rows, logitRows: limits.logitRows, blockCount: blockCount, blockSize: target.blockSize,
      positions: limits.positions)
    program = HeadProgram(
      configuration: configuration,
      parameters: HeadParameters(head, on: target.parameters, positions: limits.positions), target: target,
      blockCount: blockCount + 1, blockSize: target.blockSize)
    planner = PassPlanner(
      rowBuckets: options.rowBuckets, sequences: limits.sequences, positions: limits.positions,
      blockSize: target.blockSize, blockCount: blockCount)
  }

  /// Why a head is not computed on devices; `nil` where it is.
  package static func refusal(of head: Head) -> String? {
    switch head.configuration.kind {
    case .eagle3, .mtp: nil
    case .dflash:
      "'\(head.path)' is a DFlash head, which --backend pjrt does not compute; expected an EAGLE-3 head or an MTP layer, or --backend cpu"
    }
  }

  /// All programs that passes can need, those of the shortest context length first.
  var programs: [DecoderPlan.Entry] {
    let sizes = planner.sizes
    let rows = Set(sizes.map(\.rows)).sorted()
    let empty = [program.emptyCache, program.emptyStreams].map {
      DecoderPlan.Entry(program: $0, rows: nil, context: nil)
    }
    return empty + rows.map { DecoderPlan.Entry(program: program.join(rows: $0), rows: $0, context: nil) }
      + sizes.map { DecoderPlan.Entry(program: program.body($0), rows: $0.rows, context: $0.context) }
      + rows.map { DecoderPlan.Entry(program: program.output(rows: $0), rows: $0, context: nil) }
  }
}
