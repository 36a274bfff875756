internal import ArgumentParser

/// `foretoken bench`: measurements, one subcommand each.
struct Bench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure speed on this machine.", subcommands: [BenchForward.self, BenchSpeculation.self])
}
