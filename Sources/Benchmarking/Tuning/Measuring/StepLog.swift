internal import Synchronization

/// One pass of a model.
struct PassSample: Sendable, Equatable {
  /// Rows computed.
  var rows: Int
  /// Rows that logits were asked for.
  var logitRows: Int
  /// Sequences with rows in it.
  var sequences: Int
  /// Positions that all rows together look back at.
  var positions: Double
  /// Time that it took.
  var seconds: Double
}

/// One step of the engine: the draft's passes, then the target's, then everything until the next step's first.
struct StepSample: Sendable, Equatable {
  /// The target's pass.
  var target: PassSample
  /// The draft's passes before it.
  var drafts: [PassSample] = []
  /// Texts whose next token was decided.
  var texts = 0
  /// Tokens that the texts grew by.
  var emitted = 0
  /// Time between the passes of this step and of the next one: sampling, text, scheduling, streams; `nil` where the
  /// engine had nothing to do next.
  var otherSeconds: Double?
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
