internal import Transformer

/// One kind of pass and the times that it took.
struct PassMeasurement: Sendable {
  enum Kind: String, Sendable { case decode, prefill }

  /// A part of the pass that is one call of the runner.
  struct Chunk: Sendable {
    let rows, context, logitRows: Int
  }

  /// What rows are about: unrelated tokens go through more experts than one token over and over does.
  enum Tokens: Sendable {
    case various, alike
    /// A text's tokens, from its beginning.
    case text([Int32])

    var name: String {
      switch self {
      case .various: "various"
      case .alike: "alike"
      case .text: "text"
      }
    }

    func token(_ row: Int, vocabularySize: Int) -> Int32 {
      switch self {
      case .various: Int32((row * 7919 + 13) % vocabularySize)
      case .alike: 0
      case .text(let tokens): tokens[row % tokens.count]
      }
    }
  }

  let kind: Kind
  let context, rows: Int
  let tokens: Tokens
  private(set) var seconds: [Double] = []
  private(set) var laps: [[PassStopwatch.Operation: Duration]] = []
  /// Experts that it read, added up over layers.
  private(set) var experts = 0

  init(kind: Kind, context: Int, rows: Int, tokens: Tokens = .various) {
    (self.kind, self.context, self.rows, self.tokens) = (kind, context, rows, tokens)
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
  mutating func time(on runner: any ModelRunner, chunk: Int) throws(RunnerError) -> Double {
    var batches: [Batch] = []
    for part in chunks(of: chunk) {
      let blockCount = (part.context + part.rows + runner.capacity.blockSize - 1) / runner.capacity.blockSize
      var batch = Batch()
      batch.append(
        (0..<part.rows).map { tokens.token($0, vocabularySize: runner.vocabularySize) }, at: part.context,
        blocks: (0..<Int32(blockCount)).map { $0 }, logitCount: part.logitRows,
        states: runner.capacity.measuredStates(from: part.context, rows: part.rows, keeping: max(1, part.logitRows)))
      batches.append(batch)
    }
    let began = ContinuousClock.now
    experts = 0
    for batch in batches { experts += try runner.run(Pass(batch)).expertCount }
    return (ContinuousClock.now - began).inSeconds
  }

  mutating func add(_ seconds: Double, _ laps: [PassStopwatch.Operation: Duration]) {
    self.seconds.append(seconds)
    self.laps.append(laps)
  }
}

extension Duration {
  /// As a number of seconds.
  package var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
