internal import Synchronization

/// One pass of a model.
package struct PassSample: Sendable, Equatable {
  /// Rows computed.
  package var rows: Int
  /// Rows that logits were asked for.
  package var logitRows: Int
  /// Sequences with rows in it.
  package var sequences: Int
  /// Positions that all rows together look back at.
  package var positions: Double
  /// Time that it took.
  package var seconds: Double

  /// A pass.
  package init(rows: Int, logitRows: Int, sequences: Int, positions: Double, seconds: Double) {
    self.rows = rows
    self.logitRows = logitRows
    self.sequences = sequences
    self.positions = positions
    self.seconds = seconds
  }
}

/// One step of the engine: the draft's passes, then the target's, then everything until the next step's first.
package struct StepSample: Sendable, Equatable {
  /// The target's pass.
  package var target: PassSample
  /// The draft's passes before it.
  package var drafts: [PassSample] = []
  /// Texts whose next token was decided.
  package var texts = 0
  /// Tokens that the texts grew by.
  package var emitted = 0
  /// Time between the passes of this step and of the next one: sampling, text, scheduling, streams; `nil` where the
  /// engine had nothing to do next.
  package var otherSeconds: Double?

  /// A step.
  package init(
    target: PassSample, drafts: [PassSample] = [], texts: Int = 0, emitted: Int = 0, otherSeconds: Double? = nil
  ) {
    self.target = target
    self.drafts = drafts
    self.texts = texts
    self.emitted = emitted
    self.otherSeconds = otherSeconds
  }
}

/// What the engine's passes cost while it serves, step by step.
///
/// Written on the engine's thread, read between runs.
final class StepLog: Sendable {
  private struct State {
    var steps: [StepSample] = []
    var drafts: [PassSample] = []
    /// When the last pass of the target ended.
    var lastEnd: ContinuousClock.Instant?
    /// Texts of the last pass whose verdict was announced, and their tokens.
    var verdicts = 0
    var verdictTokens = 0
  }

  private let state = Mutex(State())

  /// Forgets everything: a run begins.
  func begin() { state.withLock { $0 = State() } }

  /// The steps since `begin`.
  var steps: [StepSample] { state.withLock(\.steps) }

  /// A draft's pass.
  func addDraft(_ pass: PassSample) { state.withLock { $0.drafts.append(pass) } }

  /// The target's pass that began at `start`.
  ///
  /// - Parameter texts: texts whose next token it decides.
  func addTarget(_ pass: PassSample, texts: Int, start: ContinuousClock.Instant, end: ContinuousClock.Instant) {
    state.withLock { state in
      if let lastEnd = state.lastEnd, let last = state.steps.indices.last {
        let drafting = state.drafts.reduce(0) { $0 + $1.seconds }
        state.steps[last].otherSeconds = max(0, (start - lastEnd).inSeconds - drafting)
      }
      state.steps.append(StepSample(target: pass, drafts: state.drafts, texts: texts, emitted: texts))
      state.drafts = []
      state.lastEnd = end
    }
  }

  /// How texts with proposals went on in the last step.
  func addVerdicts(texts: Int, tokens: Int) {
    state.withLock { state in
      guard let last = state.steps.indices.last else { return }
      state.steps[last].emitted += tokens - texts
    }
  }
}
