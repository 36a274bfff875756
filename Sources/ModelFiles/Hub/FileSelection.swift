internal import Foundation

/// Which files of a repository to download.
///
/// Patterns are the shell's (`*.gguf`, `onnx/*`), as the Hugging Face tools take them; `*` matches slashes too.
public struct FileSelection: Sendable, Equatable {
  /// Files that match one of these are wanted; when empty, those that an engine reads.
  public var included: [String]
  /// Files that match one of these are not.
  public var excluded: [String]

  /// A selection; by default of what an engine reads.
  public init(included: [String] = [], excluded: [String] = []) {
    self.included = included
    self.excluded = excluded
  }

  /// Whether the file is wanted.
  public func wants(_ name: String) -> Bool {
    func matches(_ pattern: String) -> Bool { unsafe fnmatch(pattern, name, 0) == 0 }
    return (included.isEmpty ? Self.isModelFile(name) : included.contains(where: matches))
      && !excluded.contains(where: matches)
  }

  /// What was looked for, as in "has no model files".
  var description: String {
    included.isEmpty && excluded.isEmpty ? "model files" : "files that match the patterns"
  }

  /// Whether an engine needs the file: weights, descriptions, tokenizer, licence.
  private static func isModelFile(_ name: String) -> Bool {
    let name = name.lowercased()
    let isTop = !name.contains("/")
    return isTop
      && ([".safetensors", ".json", ".jinja", ".model"].contains { name.hasSuffix($0) } || name == "merges.txt"
        || name.hasPrefix("license"))
  }
}
