internal import ArgumentParser
internal import Measurement
internal import Presentation
internal import Report

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

        foretoken bench contention --shape qwen3-0.6b --quantization int4
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
    let bar = ProgressBar()
    defer { bar.clear() }
    let report = try benchmark.run { bar.update($0, fraction: $1) }
    bar.clear()
    if json { try emitJSON(report) } else { emit(ReportPage.Section(report)) }
  }
}
