/// What passes of each size take, over all runs of a comparison.
///
/// Runs that are compared take turns, but a shared host may slow one of them down and not the next. Levelled seconds
/// count every pass of a run at the median time of all passes of its size, whoever made them, and everything between
/// passes as it was measured: what is left is what the run did.
package struct PassLevels {
  /// Passes that do the same work but for the positions that they look back at.
  private struct Size: Hashable {
    let isTarget: Bool
    let rows, logitRows: Int

    init(_ pass: PassSample, isTarget: Bool) {
      self.isTarget = isTarget
      (rows, logitRows) = (pass.rows, pass.logitRows)
    }
  }

  private let medians: [Size: Double]

  /// Levels of all passes of these runs.
  package init(_ runs: [[StepSample]]) {
    var samples: [Size: [Double]] = [:]
    for step in runs.joined() {
      samples[Size(step.target, isTarget: true), default: []].append(step.target.seconds)
      for pass in step.drafts { samples[Size(pass, isTarget: false), default: []].append(pass.seconds) }
    }
    medians = samples.mapValues { Spread($0).median }
  }

  /// Seconds of a run whose passes take what such passes take.
  package func seconds(of run: [StepSample]) -> Double {
    run.reduce(0) { sum, step in
      let drafting = step.drafts.reduce(0) { $0 + level(of: $1, isTarget: false) }
      return sum + level(of: step.target, isTarget: true) + drafting + (step.otherSeconds ?? 0)
    }
  }

  private func level(of pass: PassSample, isTarget: Bool) -> Double {
    medians[Size(pass, isTarget: isTarget)] ?? pass.seconds
  }
}
