internal import Foundation

/// Which of a directory's files is the model.
struct GGUFChoice {
  /// The directory itself, or the GGUF file.
  let path: String

  /// - Parameter quantization: what the file's name must have in it, in any case of letters.
  /// - Throws: `ModelFileError` when no file or more than one is meant.
  init(of quantization: String?, in directory: String) throws(ModelFileError) {
    let names = ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).sorted()
    let models = names.filter { GGUFFile.isNamed($0) && !$0.hasPrefix("mmproj") && !Self.isLaterPart($0) }
    if quantization == nil, names.contains("config.json") || models.isEmpty {
      path = directory
      return
    }
    let meant = models.filter { name in quantization.map { ModelReference.isGGUF(name, of: $0) } ?? true }
    guard meant.count == 1, let name = meant.first else {
      let listing = models.isEmpty ? "no GGUF files" : models.joined(separator: ", ")
      let what = quantization.map { "\(meant.count) GGUF files with '\($0)' in their names" } ?? "several GGUF files"
      throw ModelFileError(directory, "has \(what); name one of: \(listing)")
    }
    path = directory + "/" + name
  }

  /// Whether a name ends as those of the second and later files of a model do.
  private static func isLaterPart(_ name: String) -> Bool {
    guard let place = name.lowercased().firstMatch(of: #/-(\d{5})-of-\d{5}\.gguf$/#) else { return false }
    return place.1 != "00001"
  }
}
