internal import ArgumentParser

/// `foretoken bench`: measurements, one subcommand each.
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure speed on this machine.", subcommands: [BenchForward.self])
}
