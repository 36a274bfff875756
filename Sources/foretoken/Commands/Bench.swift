internal import ArgumentParser

/// `foretoken bench`: measurements, one subcommand each.
struct Bench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure speed: of passes, beside competitors, of ways to speculate, of a server under load.",
    subcommands: [BenchForward.self, BenchContention.self, BenchSpeculation.self, BenchServe.self])
}
