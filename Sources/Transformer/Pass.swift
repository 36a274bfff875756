public import Tensor

/// What a runner is to do in one go: the rows to compute, and what is wanted of them. Plain data.
public struct Pass: Sendable, Equatable {
  /// The rows, whose keys and values go into the sequences' blocks.
  public var batch: Batch
  /// Residual streams that are wanted.
  public var taps: Taps
  /// How the token after each of the batch's logit rows is chosen, where the runner is to choose; empty for the logits.
  public var choices: [TokenChoice]
  /// Rows of the batch whose last hidden states are wanted, ascending: the stream after the last norm.
  public var hiddenRows: [Int]

  /// A pass over `batch`; for its logits where there are no choices.
  public init(_ batch: Batch, taps: Taps = Taps(), choices: [TokenChoice] = [], hiddenRows: [Int] = []) {
    (self.batch, self.taps, self.choices, self.hiddenRows) = (batch, taps, choices, hiddenRows)
  }
}

/// Residual streams that are wanted of a pass.
public struct Taps: Sendable, Equatable {
  /// Layers, ascending: the stream as it enters layer `l`, so that 0 is the embedding and the number of layers the stream
  /// that the last norm reads.
  public var layers: [Int]
  /// Rows of the batch, ascending.
  public var rows: [Int]

  /// Streams of `rows` as they enter `layers`; none by default.
  public init(layers: [Int] = [], rows: [Int] = []) { (self.layers, self.rows) = (layers, rows) }
}

/// How the token that follows a row is chosen: the largest logit, or a draw among all tokens.
public struct TokenChoice: Sendable, Equatable {
  /// 0 for the largest logit.
  public var temperature: Double
  /// What selects the noise.
  public var seed: UInt64
  /// Output position of the token.
  public var outputPosition: Int

  /// A choice.
  public init(temperature: Double, seed: UInt64, outputPosition: Int) {
    (self.temperature, self.seed, self.outputPosition) = (temperature, seed, outputPosition)
  }
}

/// Which tokens a runner can choose where the logits are, bit for bit as `Sampler` does.
public enum TokenChoosing: Sendable {
  case none
  /// The largest logit only: noise takes double precision, which not every device has.
  case greedy
  case sampling

  /// Whether `choice` can be made.
  public func allows(temperature: Double) -> Bool {
    switch self {
    case .none: false
    case .greedy: temperature == 0
    case .sampling: true
    }
  }
}

/// What was asked of a pass, in memory that the runner owns until the next one.
public struct PassResult {
  /// Row `i` belongs to `batch.logitRows[i]`, `[logit rows, vocabulary]`; `nil` where tokens were chosen.
  public let logits: Activations?
  /// The tokens that follow the logit rows, where they were to be chosen.
  public let tokens: [Int32]
  /// By tapped layer: row `i` belongs to `taps.rows[i]`, `[tapped rows, hidden]`.
  public let taps: [Activations]
  /// Row `i` belongs to `hiddenRows[i]`, `[hidden rows, hidden]`; `nil` where none are wanted.
  public let hidden: Activations?
  /// Experts whose weights the pass read, added up over layers; 0 for models without any.
  public let expertCount: Int

  /// A result with what was asked for.
  public init(
    logits: Activations? = nil, tokens: [Int32] = [], taps: [Activations] = [], hidden: Activations? = nil,
    expertCount: Int = 0
  ) {
    (self.logits, self.tokens, self.taps, self.hidden) = (logits, tokens, taps, hidden)
    self.expertCount = expertCount
  }
}

extension Pass {
  /// Checks every index of the pass against what a runner has.
  package func check(
    against capacity: RunnerCapacity, vocabularySize: Int, choosing: TokenChoosing
  ) throws(RunnerError) {
    try batch.check(against: capacity, vocabularySize: vocabularySize)
    if let layer = taps.layers.first(where: { !capacity.taps.contains($0) }) {
      throw RunnerError(
        description: "the residual stream of layer \(layer) is wanted; this runner gives \(capacity.taps)")
    }
    if let row = taps.rows.first(where: { $0 < 0 || $0 >= batch.rowCount }) {
      throw RunnerError(description: "row \(row) is tapped; the pass has \(batch.rowCount)")
    }
    guard hiddenRows.isEmpty || capacity.givesHiddenStates else {
      throw RunnerError(description: "last hidden states are wanted; this runner gives none")
    }
    if let row = hiddenRows.first(where: { $0 < 0 || $0 >= batch.rowCount }) {
      throw RunnerError(description: "the last hidden state of row \(row) is wanted; the pass has \(batch.rowCount)")
    }
    guard choices.isEmpty || choices.count == batch.logitRows.count else {
      throw RunnerError(
        description: "\(choices.count) tokens are to be chosen after \(batch.logitRows.count) rows of logits")
    }
    guard choices.allSatisfy({ choosing.allows(temperature: $0.temperature) }) else {
      throw RunnerError(description: "this runner does not choose such tokens")
    }
  }
}
