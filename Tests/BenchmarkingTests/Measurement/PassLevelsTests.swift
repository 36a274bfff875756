import Measurement
import Testing

@Suite struct PassLevelsTests {
  static func step(rows: Int, seconds: Double, drafts: [Double] = [], other: Double? = nil) -> StepSample {
    func pass(_ rows: Int, _ seconds: Double) -> PassSample {
      PassSample(rows: rows, logitRows: rows, sequences: 1, positions: 1, seconds: seconds)
    }
    return StepSample(target: pass(rows, seconds), drafts: drafts.map { pass(1, $0) }, otherSeconds: other)
  }

  @Test("a run that the host slowed down counts as the others of its kind do")
  func levelling() {
    let quiet = [Self.step(rows: 1, seconds: 1), Self.step(rows: 4, seconds: 2, drafts: [0.1, 0.1])]
    let disturbed = [Self.step(rows: 1, seconds: 5), Self.step(rows: 4, seconds: 9, drafts: [0.7, 0.1])]
    let levels = PassLevels([quiet, disturbed, quiet])
    #expect(levels.seconds(of: quiet) == levels.seconds(of: disturbed))
    #expect(abs(levels.seconds(of: quiet) - 3.2) < 1e-9)
  }

  @Test("passes of a draft and of the target are told apart, and time between passes is left as it was")
  func kinds() {
    let run = [
      Self.step(rows: 1, seconds: 1, drafts: [0.2], other: 0.5), Self.step(rows: 1, seconds: 3, drafts: [0.4]),
    ]
    let levels = PassLevels([run])
    #expect(abs(levels.seconds(of: run) - (2 + 2 + 0.3 + 0.3 + 0.5)) < 1e-9)
  }
}
