import ArgumentParser

/// The command line: one file per subcommand.
@main
struct Foretoken: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "foretoken", abstract: "Lossless speculative decoding for large language models on CPUs.")
}
