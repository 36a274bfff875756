internal import ArgumentParser
internal import Foundation
internal import ModelFiles
internal import Presentation

/// `foretoken pull`: a model from the Hugging Face hub into the local cache.
struct Pull: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Download a model from the Hugging Face hub.",
    discussion: """
      Files go where other tools look for them ($HF_HOME/hub), resume where they stopped, and are checked. HF_TOKEN \
      gives access to gated models, HF_ENDPOINT names another hub; with HF_HUB_OFFLINE=1 only the cache is looked at.
      """)

  @Argument(help: "The model, as ORG/NAME; ORG/NAME:Q4_K_M for the GGUF files with that in their names.")
  var model: String

  @Option(help: "Branch, tag or commit.")
  var revision = "main"

  @Option(
    parsing: .upToNextOption, help: "Only files that match a pattern, such as '*.gguf' (default: what an engine reads)."
  )
  var include: [String] = []

  @Option(parsing: .upToNextOption, help: "No files that match a pattern.")
  var exclude: [String] = []

  func run() async throws {
    let bar = ProgressBar()
    let reference = ModelReference(model)
    var client = HubClient()
    let hub = client.endpoint
    client.waiting = { trouble, seconds in
      note("\(hub): \(trouble); next try in \(String(format: "%.0f", seconds)) s")
    }
    note("Looking for \(reference.model) at \(hub) …")
    let directory = try await client.pull(
      reference.model, revision: revision,
      selection: FileSelection(included: include, excluded: exclude, quantization: reference.quantization)
    ) { progress in
      bar.update(
        progress.file,
        fraction: progress.totalBytes > 0 ? Double(progress.receivedBytes) / Double(progress.totalBytes) : 1,
        detail: "\(FigureText.bytes(progress.receivedBytes)) of \(FigureText.bytes(progress.totalBytes))")
    }
    bar.clear()
    emit(directory + "\n")
  }
}
