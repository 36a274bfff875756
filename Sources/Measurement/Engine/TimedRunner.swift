package import Transformer

/// A runner whose passes are written into a `StepLog`.
package final class TimedRunner: ModelRunner {
  private let runner: any ModelRunner
  private let log: StepLog
  private let isTarget: Bool

  /// Times the passes of `runner`.
  package init(_ runner: any ModelRunner, isTarget: Bool, log: StepLog) {
    self.runner = runner
    self.isTarget = isTarget
    self.log = log
  }

  package var vocabularySize: Int { runner.vocabularySize }
  package var capacity: RunnerCapacity { runner.capacity }
  package var memory: RunnerMemory { runner.memory }
  package var cacheKey: String? { runner.cacheKey }

  package var choosing: TokenChoosing { runner.choosing }

  package func run(_ pass: Pass) throws(RunnerError) -> PassResult {
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
