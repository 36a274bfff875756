package import Measurement

/// What a pass takes by its rows, learnt from passes of an engine at work.
///
/// T = a straight line over rows that bends at a few places + a part for each row with logits + a part for each
/// position looked back at; then, for row counts that were seen often, the median of what was left. The sum over all
/// passes is kept: interruptions by the system are part of what serving costs.
package struct PassTimeModel: Sendable, Equatable {
  private static let bends = [4.0, 8, 16, 32, 64, 128]
  private let fit: RobustFit
  private let used: [Double]
  private let corrections: [Int: Double]
  private let scale: Double

  /// Learns from at least one pass.
  package init(_ samples: [PassSample]) {
    let most = Double(samples.map(\.rows).max() ?? 1)
    let least = Double(samples.map(\.rows).min() ?? 1)
    used = Self.bends.filter { bend in
      bend > least && bend < most && samples.count { Double($0.rows) > bend } >= 8
    }
    let used = used
    fit = RobustFit(
      features: samples.map { Self.features($0, bends: used) }, targets: samples.map { max($0.seconds, 1e-9) },
      nonnegative: [2, 3])
    let fit = fit
    let ratios = samples.map { $0.seconds / max(fit.value(Self.features($0, bends: used)), 1e-9) }
    var groups: [Int: [Double]] = [:]
    for (sample, ratio) in zip(samples, ratios) where sample.logitRows == sample.rows {
      groups[sample.rows, default: []].append(ratio)
    }
    corrections = groups.compactMapValues { ratios in
      // The fit itself counts as four measurements.
      let count = Double(ratios.count)
      return ratios.count < 4 ? nil : (count * Spread(ratios).median + 4) / (count + 4)
    }
    let corrections = corrections
    let expected = samples.reduce(0) { sum, sample in
      sum + max(fit.value(Self.features(sample, bends: used)), 1e-9)
        * (sample.logitRows == sample.rows ? corrections[sample.rows] ?? 1 : 1)
    }
    scale = expected > 0 ? samples.reduce(0) { $0 + $1.seconds } / expected : 1
  }

  /// Seconds of a pass.
  ///
  /// - Parameters:
  ///   - rows: rows computed.
  ///   - logitRows: those with logits.
  ///   - positions: positions that all rows together look back at.
  package func seconds(rows: Int, logitRows: Int, positions: Double) -> Double {
    guard rows > 0 else { return 0 }
    let sample = PassSample(rows: rows, logitRows: logitRows, sequences: 1, positions: positions, seconds: 0)
    let correction = logitRows == rows ? corrections[rows] ?? 1 : 1
    return max(fit.value(Self.features(sample, bends: used)), 1e-9) * correction * scale
  }

  private static func features(_ sample: PassSample, bends: [Double]) -> [Double] {
    let rows = Double(sample.rows)
    return [1, rows, Double(sample.logitRows), sample.positions] + bends.map { max(0, rows - $0) }
  }
}
