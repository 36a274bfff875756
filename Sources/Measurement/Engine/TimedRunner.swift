package import Tensor
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

  package func forward(_ batch: Batch) throws(RunnerError) -> Activations {
    let start = ContinuousClock.now
    let logits = try runner.forward(batch)
    let end = ContinuousClock.now
    let positions = batch.slices.reduce(0.0) { sum, slice in
      sum + Double(slice.rowCount) * (Double(slice.firstPosition) + Double(slice.rowCount + 1) / 2)
    }
    let pass = PassSample(
      rows: batch.rowCount, logitRows: batch.logitRows.count, sequences: batch.slices.count, positions: positions,
      seconds: (end - start).inSeconds)
    if isTarget {
      let wanted = Set(batch.logitRows)
      let texts = batch.slices.count { wanted.contains($0.firstRow + $0.rowCount - 1) }
      log.addTarget(pass, texts: texts, start: start, end: end)
    } else {
      log.addDraft(pass)
    }
    return logits
  }
}
