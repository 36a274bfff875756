internal import ArgumentParser
internal import Foundation
internal import Inference
internal import ModelFiles
internal import Presentation
internal import Tensor
internal import Tokenization
internal import Tuning

/// `foretoken pull`: a model from the Hugging Face hub into the local cache.
struct Pull: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Download a model from the Hugging Face hub.",
    discussion: """
      Files go where other tools look for them ($HF_HOME/hub), resume where they stopped, and are checked. HF_TOKEN \
      gives access to gated models, HF_ENDPOINT names another hub; with HF_HUB_OFFLINE=1 only the cache is looked at.

        foretoken pull Qwen/Qwen3-0.6B
        foretoken pull Qwen/Qwen3-8B-GGUF --gguf Q4_K_M
        foretoken pull ORG/NAME --include '*.json' 'model-0000*.safetensors'

      Prints the directory, and on standard error the command to go on with.
      """)

  @Argument(help: "The model, as ORG/NAME; ORG/NAME:Q4_K_M is short for --gguf Q4_K_M.")
  var model: String

  @Option(
    help: ArgumentHelp(
      "The GGUF files of one quantization, all parts of it; a name that there is not lists those that there are.",
      valueName: "quantization"), completion: .list(["Q4_K_M", "Q4_0", "Q5_K_M", "Q6_K", "Q8_0", "BF16"]))
  var gguf: String?

  @Option(help: "Branch, tag or commit.")
  var revision = "main"

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Only files that match a pattern, such as '*.gguf' (default: what an engine reads).", valueName: "pattern"))
  var include: [String] = []

  @Option(
    parsing: .upToNextOption, help: ArgumentHelp("No files that match a pattern.", valueName: "pattern"))
  var exclude: [String] = []

  private var reference: ModelReference { ModelReference(model) }
  private var quantization: String? { gguf ?? reference.quantization }

  func validate() throws {
    if let gguf, let named = reference.quantization, named != gguf {
      throw ValidationError("The model's name asks for \(named) and --gguf for \(gguf); expected one of them.")
    }
    guard quantization?.isEmpty != true else {
      throw ValidationError("The quantization is empty; expected one such as Q4_K_M.")
    }
  }

  func run() async throws {
    let bar = ProgressBar()
    defer { bar.clear() }
    var client = HubClient()
    let hub = client.endpoint
    client.waiting = { trouble, seconds in
      bar.clear()
      note("\(hub): \(trouble); next try in \(String(format: "%.0f", seconds)) s")
    }
    note("Looking for \(reference.model) at \(hub) …")
    let directory = try await client.pull(
      reference.model, revision: revision,
      selection: FileSelection(included: include, excluded: exclude, quantization: quantization)
    ) { progress in
      bar.update(
        progress.file,
        fraction: progress.totalBytes > 0 ? Double(progress.receivedBytes) / Double(progress.totalBytes) : 1,
        detail: "\(FigureText.bytes(progress.receivedBytes)) of \(FigureText.bytes(progress.totalBytes))")
    }
    bar.clear()
    emit(directory + "\n")
    note(nextCommand(directory))
  }

  /// What to go on with, as a line to paste.
  private func nextCommand(_ directory: String) -> String {
    // By its name a model is that of the branch main.
    let isMain = revision == "main"
    let named = quantization.map { "\(reference.model):\($0)" } ?? reference.model
    let name = isMain ? named : (try? HubCache().locate(named, revision: revision)) ?? directory
    let word = ShellWord.quoted(name)
    do {
      if let head = try HubCache().open(name).head() {
        let target = head.configuration.targetName.map(ShellWord.quoted) ?? "TARGET"
        return "Next: foretoken chat \(target) --draft-model \(word)"
      }
      let source = try ModelSource(name)
      let command = source.tokenizer.chatTemplate == nil ? "generate -m \(word) 'Once upon a time'" : "chat \(word)"
      return "Next: foretoken \(command)\(try flags(for: source))"
    } catch {
      return "It cannot be run: \(error)\nNext: foretoken inspect \(word)"
    }
  }

  /// The quantization that has room in memory, where the file's own has none.
  private func flags(for source: ModelSource) throws -> String {
    let summary = ModelSummary(configuration: source.configuration, checkpoint: source.checkpoint)
    guard let room = MemoryNeed.room, let fitting = summary.quantization(fitting: room) else { return "" }
    return fitting == .file ? "" : " --quantization \(fitting.rawValue)"
  }
}
