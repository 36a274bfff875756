internal import Transformer

/// One kind of pass and the times that it took.
struct PassMeasurement: Sendable {
  enum Kind: String, Sendable { case decode, prefill }

  /// A part of the pass that is one call of the runner.
  struct Chunk: Sendable {
    let rows, context, logitRows: Int
  }

  let kind: Kind
  let context: Int
  let rows: Int
  private(set) var seconds: [Double] = []
  private(set) var laps: [[PassStopwatch.Operation: Duration]] = []

  init(kind: Kind, context: Int, rows: Int) {
    self.kind = kind
    self.context = context
    self.rows = rows
  }

  /// A decoding pass is one call with logits for all rows; a prompt is read in chunks, and only its last row has logits.
  func chunks(of size: Int) -> [Chunk] {
    guard kind == .prefill else { return [Chunk(rows: rows, context: context, logitRows: rows)] }
    return stride(from: 0, to: rows, by: size).map { first in
      let count = min(size, rows - first)
      return Chunk(rows: count, context: context + first, logitRows: first + count == rows ? 1 : 0)
    }
  }

  /// Runs it once and returns the seconds that it took.
  func time(on runner: any ModelRunner, chunk: Int) throws(RunnerError) -> Double {
    var batches: [Batch] = []
    for part in chunks(of: chunk) {
      let blockCount = (part.context + part.rows + runner.capacity.blockSize - 1) / runner.capacity.blockSize
      var batch = Batch()
      batch.append(
        (0..<part.rows).map { Int32(($0 * 7919 + 13) % runner.vocabularySize) }, at: part.context,
        blocks: (0..<Int32(blockCount)).map { $0 }, logitCount: part.logitRows)
      batches.append(batch)
    }
    let began = ContinuousClock.now
    for batch in batches { _ = try runner.logits(of: batch) }
    return (ContinuousClock.now - began).inSeconds
  }

  mutating func add(_ seconds: Double, _ laps: [PassStopwatch.Operation: Duration]) {
    self.seconds.append(seconds)
    self.laps.append(laps)
  }
}

extension Duration {
  /// As a number of seconds.
  var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
