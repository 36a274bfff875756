internal import Foundation

/// Which of a directory's files is the model.
struct GGUFChoice {
  /// The directory itself, or the GGUF file.
  let path: String

  /// - Parameter quantization: what the file's name must have in it, in any case of letters.
  /// - Throws: `ModelFileError` when no file or more than one is meant.
  init(of quantization: String?, in directory: String) throws(ModelFileError) {
    let models = Self.models(in: directory)
    if quantization == nil, models.isEmpty || Self.hasSafetensors(directory) {
      path = directory
      return
    }
    let meant = quantization.map { GGUFName.files(models, of: $0) } ?? models
    guard meant.count == 1, let name = meant.first else {
      let listing = models.isEmpty ? "no GGUF files" : models.joined(separator: ", ")
      let what = quantization.map { "\(meant.count) GGUF files with '\($0)' in their names" } ?? "several GGUF files"
      throw ModelFileError(directory, "has \(what); name one of: \(listing)")
    }
    path = directory + "/" + name
  }

  /// The GGUF files of a directory and of the folders in it, sorted; of a model in several parts the first.
  static func models(in directory: String) -> [String] {
    func names(_ folder: String) -> [String] {
      (try? FileManager.default.contentsOfDirectory(atPath: folder))?.sorted() ?? []
    }
    let top = names(directory)
    // Makers put the parts of a large model into a folder of their own.
    let below = top.filter { !$0.contains(".") }.flatMap { folder in
      names(directory + "/" + folder).map { "\(folder)/\($0)" }
    }
    return (top + below).filter(GGUFName.isModel)
  }

  /// Whether the directory is a model without its GGUF files.
  static func hasSafetensors(_ directory: String) -> Bool {
    ["model.safetensors", "model.safetensors.index.json"].contains { JSONFile.exists(directory + "/" + $0) }
  }
}
