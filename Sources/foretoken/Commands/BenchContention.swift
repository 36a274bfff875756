internal import ArgumentParser
internal import Foundation
internal import Measurement
internal import Report
internal import Synchronization

/// `foretoken bench contention`: what is left of the speed when others want the processors too.
struct BenchContention: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "contention",
    abstract: "Time decoding beside threads that want the same processors.",
    discussion: """
      Passes over one row are repeated beside threads that compute without pause, and compared with what is reached \
      when the machine is quiet. The fair share is what the process would reach if the system gave every thread the \
      same time. Everything is measured in turns; figures are medians over the rounds. Start it on a machine where \
      nothing else runs, or under the limits of a container to see what they leave.
      """)

  @OptionGroup var measured: MeasuredModelOptions

  @Option(parsing: .upToNextOption, help: "Numbers of competing threads.")
  var competitors = [1, 2, 4]

  @Option(help: "Seconds of one measurement.")
  var seconds = 2.0

  @Option(help: "Rounds.")
  var repetitions = 5

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    guard competitors.allSatisfy({ (0...1024).contains($0) }) else {
      throw ValidationError("--competitors takes numbers from 0 to 1024.")
    }
    guard (0.05...600).contains(seconds) else {
      throw ValidationError("--seconds is \(seconds); expected 0.05 to 600.")
    }
    guard (1...1000).contains(repetitions) else {
      throw ValidationError("--repetitions is \(repetitions); expected 1 to 1000.")
    }
  }

  func run() throws {
    let benchmark = ContentionBenchmark(
      measured.configuration, shape: measured.shape, competitors: competitors, seconds: seconds, rounds: repetitions)
    let bar = Mutex(ProgressBar())
    let report: ContentionReport
    do {
      defer { bar.withLock { $0.clear() } }
      report = try benchmark.run { part, fraction in bar.withLock { $0.update(part, fraction: fraction) } }
    }
    if json { try emitJSON(report) } else { emit(Self.rendered(report)) }
  }

  private static func rendered(_ report: ContentionReport) -> String {
    let style = TextStyle(for: .standardOutput)
    var table = Table([
      ("threads", .right), ("competitors", .right), ("passes/s", .right), ("of quiet", .right), ("spread", .right),
      ("fair share", .right),
    ])
    func percent(_ value: Double) -> String { String(format: "%.0f %%", value * 100) }
    for row in report.rows {
      table.append([
        "\(row.threads)", "\(row.competitors)", String(format: "%.1f", row.passesPerSecond.median),
        percent(row.share.median), "± " + percent((row.share.upperQuartile - row.share.lowerQuartile) / 2),
        percent(row.fairShare),
      ])
    }
    let quota = report.quota.map { String(format: ", of which %.2f are granted", $0) } ?? ""
    return """
      \(style.bold(report.model)), quantization \(report.quantization), passes over one row
      \(report.processor), \(report.processors) cores\(quota); medians of \(report.rounds) rounds

      \(table.rendered(style: style))

      """
  }
}
