package import Measurement

/// What a step takes besides passes: sampling, text, scheduling, streams.
package struct OverheadModel: Sendable, Equatable {
  private let fit: RobustFit
  private let scale: Double

  /// Learns from steps.
  package init(_ steps: [StepSample]) {
    let known = zip(steps, steps.dropFirst()).compactMap { step, next in
      step.otherSeconds.map {
        (Self.features(step, drafted: next.drafts.reduce(0) { $0 + $1.logitRows }), max($0, 1e-9))
      }
    }
    fit = RobustFit(features: known.map(\.0), targets: known.map(\.1), nonnegative: [0, 1, 2, 3])
    let fit = fit
    let expected = known.reduce(0) { $0 + fit.value($1.0) }
    scale = expected > 0 ? known.reduce(0) { $0 + $1.1 } / expected : 1
  }

  /// Seconds beside the passes of a step that verified `logitRows` rows and emitted `tokens` tokens, before which
  /// `drafted` tokens were drafted.
  package func seconds(logitRows: Int, tokens: Int, drafted: Int) -> Double {
    fit.value([1, Double(logitRows), Double(tokens), Double(drafted)]) * scale
  }

  private static func features(_ step: StepSample, drafted: Int) -> [Double] {
    [1, Double(step.target.logitRows), Double(step.emitted), Double(drafted)]
  }
}
