internal import ArgumentParser
internal import Decoding
internal import Demonstration
internal import Foundation
internal import LoadTesting
internal import Presentation

/// The command line: one file per subcommand.
@main
struct Foretoken: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "foretoken",
    abstract: "Lossless speculative decoding for large language models on CPUs.",
    discussion: """
      A small draft model proposes tokens, the target verifies all of them in one pass, and the answer is exactly what \
      the target alone would have written.

      Models are Hugging Face directories (Qwen3, Qwen2.5, Llama 3), GGUF files, or names of models in the Hugging Face \
      cache (ORG/NAME, or ORG/NAME:Q4_K_M for one GGUF file of several).

      Exit status: 0 when all went well, 1 when something failed, 64 when the command line cannot be understood, 130 \
      after Ctrl-C, 141 when nobody read the output any more.
      """,
    version: Engine.version,
    groupedSubcommands: [
      CommandGroup(name: "Starting", subcommands: [Demo.self, Doctor.self]),
      CommandGroup(name: "Model", subcommands: [Models.self, Pull.self, Inspect.self, Tokenize.self, Expand.self]),
      CommandGroup(name: "Inference", subcommands: [Chat.self, Generate.self, Batch.self, Serve.self]),
      CommandGroup(
        name: "Measurement", subcommands: [Bench.self, Compare.self, Tune.self, Perplexity.self, ReportCommand.self]),
      CommandGroup(name: "Deployment", subcommands: [Deploy.self, Devices.self, Compile.self]),
    ])

  /// Runs the subcommand that the command line names.
  static func main() async {
    let files = OpenFiles.raiseLimit()
    guard files >= leastFiles else {
      note("Error: this process may open \(files) files at a time; expected at least \(leastFiles) (ulimit -n)")
      exit(withError: ExitCode.failure)
    }
    let given = Array(CommandLine.arguments.dropFirst())
    if given.isEmpty { return emit(FirstSteps.text) }
    if let mistake = Misspelling(in: given, of: Self.self) {
      note("Error: \(mistake)")
      exit(withError: ExitCode.validationFailure)
    }
    let arguments: [String]
    do { arguments = try Serve.withLayers(given) } catch {
      note("Error: \(error)")
      exit(withError: ExitCode.validationFailure)
    }
    do {
      var command = try parseAsRoot(arguments)
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch {
      // As `exit(withError:)`, but that help is output like any other, and messages quote files and servers.
      let (code, text) = (exitCode(for: error), fullMessage(for: error))
      if !text.isEmpty {
        if code.isSuccess { emit(text + "\n") } else { note(NextSteps.adding(to: text, after: error)) }
      }
      Foundation.exit(code.rawValue)
    }
  }

  /// Files without which not even a model can be opened.
  private static let leastFiles = 32
}
