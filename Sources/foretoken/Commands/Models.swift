internal import ArgumentParser
internal import Foundation
internal import Inference
internal import ModelFiles
internal import Presentation
internal import Transformer
internal import Tuning

/// `foretoken models`: what is here, and what goes together.
struct Models: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the models that are here, with sizes, and which go together.",
    discussion: """
      Looks in the Hugging Face cache, where pull puts models, and in folders. Drafts and targets fit when their tokens \
      are the same; models of at most half the target's size are named as drafts. Heads fit when their sizes are the \
      target's, as inspect --target checks it.

        foretoken models
        foretoken models ~/models --json

      Exits with 0 also when some of the models cannot be run.
      """)

  @Argument(
    help: "Folders of models, or models, besides those of the cache (default: Models, where there is such a folder).",
    completion: .directory)
  var folders: [String] = []

  @Flag(help: "Print JSON.")
  var json = false

  private static let ownFolder = "Models"

  func validate() throws {
    for folder in folders where !FileManager.default.fileExists(atPath: folder) {
      throw ValidationError("There is no folder '\(folder)'.")
    }
  }

  func run() throws {
    let bar = ProgressBar()
    defer { bar.clear() }
    let isHere = FileManager.default.fileExists(atPath: Self.ownFolder)
    let weights = WeightCache(folder: WeightCache.defaultFolder)
    let inventory = ModelInventory(
      folders: folders.isEmpty && isHere ? [Self.ownFolder] : folders, weights: weights
    ) { bar.update("Reading \($0)", fraction: $1) }
    bar.clear()
    if json { try emitJSON(inventory) } else { show(inventory, weights) }
  }

  private func show(_ inventory: ModelInventory, _ weights: WeightCache) {
    guard !inventory.models.isEmpty else {
      emit(
        """
        No models in \(inventory.cache)\(folders.isEmpty ? "" : ", nor in \(folders.joined(separator: ", "))").
        'foretoken pull Qwen/Qwen3-0.6B' downloads one (1.5 GB).

        """)
      return showKept(inventory, weights)
    }
    var table = ReportPage.Table(
      "In memory: with --quantization int4. Cache: \(inventory.cache)", ["model", "what", "format", "runs"],
      numbers: ["parameters", "on disk", "in memory"])
    for model in inventory.models {
      table.add([
        model.name, model.what, model.format, model.runs ? "yes" : "no", model.parameters.map(Self.count),
        FigureText.bytes(model.bytes), model.memory_bytes["int4"].map(FigureText.bytes),
      ])
    }
    emit(.table(table))
    let problems = inventory.models.flatMap { model in model.problems.map { (name: model.name, value: $0) } }
    if !problems.isEmpty {
      emit("\n")
      emit(ReportPage.Section(heading: "What cannot be run, and why", blocks: [.facts(problems)]))
    }
    showFits(inventory.fits)
    showKept(inventory, weights)
  }

  private func showFits(_ fits: [ModelInventory.Fit]) {
    guard let first = fits.first else { return }
    var table = ReportPage.Table("", ["target", "drafts", "heads"], numbers: [])
    for fit in fits {
      let heads = fit.heads + (fit.carries_mtp ? ["its own (mtp)"] : [])
      table.add([
        fit.target, fit.draft_models.isEmpty ? nil : fit.draft_models.joined(separator: ", "),
        heads.isEmpty ? nil : heads.joined(separator: ", "),
      ])
    }
    emit("\n")
    emit(ReportPage.Section(heading: "What goes together", blocks: [.table(table)]))
    let speculation =
      (first.heads + first.draft_models).first.map { "--draft-model \(ShellWord.quoted($0))" }
      ?? "--speculative-config '{\"method\": \"mtp\"}'"
    emit("\nFor example: foretoken generate -m \(ShellWord.quoted(first.target)) \(speculation) 'Hello'\n")
  }

  /// What takes room, and how to free it.
  private func showKept(_ inventory: ModelInventory, _ weights: WeightCache) {
    let kept = inventory.kept.map { kept in
      (name: kept.folder, value: "\(kept.files) file\(kept.files == 1 ? "" : "s"), \(FigureText.bytes(kept.bytes))")
    }
    if !kept.isEmpty {
      emit("\n")
      emit(ReportPage.Section(heading: "Kept for quick starts", blocks: [.facts(kept)]))
    }
    let cached = inventory.models.first { $0.path.hasPrefix(inventory.cache) }
    guard cached != nil || !kept.isEmpty else { return }
    let models = cached == nil ? "" : "delete a model's folder below \(inventory.cache) (models--ORG--NAME)"
    let rest = kept.isEmpty ? "" : "rm -r \(ShellWord.quoted(weights.folder)), which is made anew when it is needed"
    emit("\nTo free room: \([models, rest].filter { !$0.isEmpty }.joined(separator: "; ")).\n")
  }

  /// "596 M"
  private static func count(_ parameters: Int) -> String {
    parameters < 1_000_000_000
      ? "\(FigureText.decimal(Double(parameters) / 1e6, 1)) M" : "\(FigureText.decimal(Double(parameters) / 1e9, 2)) G"
  }
}

extension ModelInventory.Entry {
  /// What it is, in a word or two.
  fileprivate var what: String? {
    guard let kind else { return nil }
    return HeadConfiguration.Kind(rawValue: kind).map { "\($0.title) head" } ?? kind
  }
}
