internal import Synchronization

package struct PassSample: Sendable, Equatable {
  package var rows: Int
  /// Rows that logits were asked for.
  package var logitRows: Int
  /// Sequences with rows in it.
  package var sequences: Int
  /// Positions that all rows together look back at.
  package var positions: Double
  /// Time that it took.
  package var seconds: Double

  package init(rows: Int, logitRows: Int, sequences: Int, positions: Double, seconds: Double) {
    (self.rows, self.logitRows, self.sequences) = (rows, logitRows, sequences)
    (self.positions, self.seconds) = (positions, seconds)
  }
}

/// One step of the engine: the draft's passes, then the target's, then everything until the next step's first.
package struct StepSample: Sendable, Equatable {
  package var target: PassSample
  /// The draft's passes before it.
  package var drafts: [PassSample] = []
  /// Sequences whose next token was decided.
  package var texts = 0
  /// Tokens that the sequences grew by.
  package var emitted = 0
  /// Time between the passes of this step and of the next one: sampling, text, scheduling, streams; `nil` where the
  /// engine had nothing to do next.
  package var otherSeconds: Double?

  package init(
    target: PassSample, drafts: [PassSample] = [], texts: Int = 0, emitted: Int = 0, otherSeconds: Double? = nil
  ) {
    (self.target, self.drafts) = (target, drafts)
    (self.texts, self.emitted, self.otherSeconds) = (texts, emitted, otherSeconds)
  }
}

/// What the engine's passes cost while it serves, step by step.
///
/// Written on the engine's thread, read between runs.
package final class StepLog: Sendable {
  private struct State {
    var steps: [StepSample] = []
    var drafts: [PassSample] = []
    /// When the last pass of the target ended.
    var lastEnd: ContinuousClock.Instant?
  }

  private let state = Mutex(State())

  package init() {}

  /// Forgets everything: a run begins.
  package func begin() { state.withLock { $0 = State() } }

  /// The steps since `begin`.
  package var steps: [StepSample] { state.withLock(\.steps) }

  package func addDraft(_ pass: PassSample) { state.withLock { $0.drafts.append(pass) } }

  /// The target's pass that began at `start`.
  ///
  /// - Parameter texts: sequences whose next token it decides.
  package func addTarget(_ pass: PassSample, texts: Int, start: ContinuousClock.Instant, end: ContinuousClock.Instant) {
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

  /// How sequences with proposals went on in the last step.
  package func addVerdicts(texts: Int, tokens: Int) {
    state.withLock { state in
      guard let last = state.steps.indices.last else { return }
      state.steps[last].emitted += tokens - texts
    }
  }
}
