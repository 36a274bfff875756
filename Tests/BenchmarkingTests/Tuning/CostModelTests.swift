import Measurement
import TestSupport
import Testing
import Tuning

@Suite struct CostModelTests {
  /// What a pass costs in these tests.
  private static func seconds(_ rows: Int, _ logitRows: Int, _ positions: Double) -> Double {
    0.010 + 0.0001 * Double(rows) + 0.002 * Double(max(0, rows - 16)) + 0.0003 * Double(logitRows) + 1e-7 * positions
  }

  @Test("a fit finds the coefficients although every tenth value is disturbed")
  func robust() {
    var random = SeededGenerator(seed: 1)
    let features = (0..<400).map { _ in [1, Double.random(in: 0...50, using: &random)] }
    let targets = features.enumerated().map { index, row in (3 + 0.5 * row[1]) * (index % 10 == 0 ? 8 : 1) }
    let fit = RobustFit(features: features, targets: targets)
    #expect(abs(fit.coefficients[0] - 3) < 0.05 && abs(fit.coefficients[1] - 0.5) < 0.005)
  }

  @Test("a coefficient that must not be negative is left out instead")
  func nonnegative() {
    let features = (1...50).map { [1, Double($0)] }
    let fit = RobustFit(features: features, targets: features.map { 100 - $0[1] }, nonnegative: [1])
    #expect(fit.coefficients[1] == 0 && fit.coefficients[0] > 0)
  }

  @Test("pass times are predicted for row counts between and beside those that were seen")
  func passes() {
    var random = SeededGenerator(seed: 2)
    let samples = (0..<600).map { _ in
      let rows = Int.random(in: 1...60, using: &random)
      let logitRows = Bool.random(using: &random) ? rows : 1
      let positions = Double(rows * Int.random(in: 10...800, using: &random))
      let noise = Double.random(in: 0.95...1.05, using: &random)
      return PassSample(
        rows: rows, logitRows: logitRows, sequences: 1, positions: positions,
        seconds: Self.seconds(rows, logitRows, positions) * noise)
    }
    let model = PassTimeModel(samples)
    for (rows, logitRows, positions) in [(1, 1, 400.0), (7, 7, 2000), (16, 16, 100), (33, 33, 9000), (60, 1, 30000)] {
      let truth = Self.seconds(rows, logitRows, positions)
      let found = model.seconds(rows: rows, logitRows: logitRows, positions: positions)
      #expect(abs(found / truth - 1) < 0.04, "\(rows) rows: \(found) for \(truth)")
    }
  }

  @Test("the sum over what was seen is kept, interruptions included")
  func sum() {
    let samples = (0..<200).map { index in
      PassSample(rows: 4, logitRows: 4, sequences: 1, positions: 40, seconds: index % 20 == 0 ? 0.1 : 0.01)
    }
    let model = PassTimeModel(samples)
    let expected = 200 * model.seconds(rows: 4, logitRows: 4, positions: 40)
    #expect(abs(expected / samples.reduce(0) { $0 + $1.seconds } - 1) < 1e-9)
  }

  @Test("the rest of a step is split into a fixed part and parts for rows, tokens and drafted tokens")
  func overhead() {
    var random = SeededGenerator(seed: 3)
    var steps: [StepSample] = []
    func other(_ rows: Int, _ tokens: Int, _ drafted: Int) -> Double {
      1e-4 + 1e-5 * Double(rows) + 2e-5 * Double(tokens) + 5e-6 * Double(drafted)
    }
    for _ in 0..<500 {
      let rows = Int.random(in: 1...40, using: &random)
      steps.append(
        StepSample(
          target: PassSample(rows: rows, logitRows: rows, sequences: 1, positions: 1, seconds: 1),
          drafts: [
            PassSample(
              rows: 1, logitRows: Int.random(in: 0...30, using: &random), sequences: 1, positions: 1, seconds: 1)
          ], emitted: Int.random(in: 1...10, using: &random)))
    }
    for index in steps.indices.dropLast() {
      steps[index].otherSeconds = other(
        steps[index].target.logitRows, steps[index].emitted, steps[index + 1].drafts[0].logitRows)
    }
    let model = OverheadModel(steps)
    let found = model.seconds(logitRows: 20, tokens: 5, drafted: 10)
    #expect(abs(found / other(20, 5, 10) - 1) < 0.02)
  }

  @Test("other windows follow from one window and plain decoding when the assumptions hold")
  func extrapolation() throws {
    let (plain, proposal) = (0.020, 0.003)
    let rates = [0.9, 0.75, 0.6, 0.4, 0.2]
    func secondsPerToken(_ window: Int) -> Double {
      (plain + Double(window) * proposal) / (1 + rates.prefix(window).reduce(0, +))
    }
    let found = try #require(
      WindowExtrapolation(rates: rates, secondsPerToken: secondsPerToken(5), plainSecondsPerToken: plain))
    for window in 0...5 { #expect(abs(found.secondsPerToken(window) / secondsPerToken(window) - 1) < 1e-9) }
    let truth = (0...5).min { secondsPerToken($0) < secondsPerToken($1) }
    #expect(found.best == truth)
    #expect(abs(found.breakEvenLength(4) - (1 + 4 * proposal / plain)) < 1e-9)
  }

  @Test("a confidence interval over rounds is Student's, around the geometric mean")
  func interval() throws {
    let interval = try #require(TuningResult.Interval(ratios: [2, 2, 2]))
    #expect(abs(interval.estimate - 2) < 1e-12 && abs(interval.lower - 2) < 1e-12)
    let spread = try #require(TuningResult.Interval(ratios: [1, 4]))
    #expect(abs(spread.estimate - 2) < 1e-12 && spread.lower < 0.01 && spread.upper > 100)
    #expect(TuningResult.Interval(ratios: []) == nil && TuningResult.Interval(ratios: [1, .nan]) == nil)
  }
}
