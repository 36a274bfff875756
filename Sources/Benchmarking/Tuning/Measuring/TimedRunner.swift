internal import Tensor
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

  func forward(_ batch: Batch) throws(RunnerError) -> Activations {
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
