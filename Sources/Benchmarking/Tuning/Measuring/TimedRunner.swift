internal import Transformer

/// A runner whose passes are written into a `StepLog`.
final class TimedRunner: ModelRunner {
  private let runner: any ModelRunner
  private let log: StepLog
  private let isTarget: Bool

  /// Times the passes of `runner`.
  init(_ runner: any ModelRunner, isTarget: Bool, log: StepLog) {
    self.runner = runner
    self.isTarget = isTarget
    self.log = log
  }

  var vocabularySize: Int { runner.vocabularySize }
  var capacity: RunnerCapacity { runner.capacity }
  var memory: RunnerMemory { runner.memory }
  var cacheKey: String? { runner.cacheKey }

  var choosing: TokenChoosing { runner.choosing }

  func run(_ pass: Pass) throws(RunnerError) -> PassResult {
    let start = ContinuousClock.now
    let result = try runner.run(pass)
    let end = ContinuousClock.now
    let batch = pass.batch
    let positions = batch.slices.reduce(0.0) { sum, slice in
      sum + Double(slice.rowCount) * (Double(slice.firstPosition) + Double(slice.rowCount + 1) / 2)
    }
    let sample = PassSample(
      rows: batch.rowCount, logitRows: batch.logitRows.count, sequences: batch.slices.count, positions: positions,
      seconds: (end - start).inSeconds)
    if isTarget {
      let wanted = Set(batch.logitRows)
      let texts = batch.slices.count { wanted.contains($0.firstRow + $0.rowCount - 1) }
      log.addTarget(sample, texts: texts, start: start, end: end)
    } else {
      log.addDraft(sample)
    }
    return result
  }
}
