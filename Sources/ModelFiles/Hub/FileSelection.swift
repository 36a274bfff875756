internal import Foundation

/// Which files of a repository to download.
///
/// Patterns are the shell's (`*.gguf`, `onnx/*`), as the Hugging Face tools take them; `*` matches slashes too.
package struct FileSelection: Sendable, Equatable {
  /// Files that match one of these are wanted; when empty, those that an engine reads.
  package var included: [String]
  package var excluded: [String]
  /// GGUF files with this in their names, such as `Q4_K_M`, are wanted too, and then nothing else that is not included.
  package var quantization: String?

  package init(included: [String] = [], excluded: [String] = [], quantization: String? = nil) {
    self.included = included
    self.excluded = excluded
    self.quantization = quantization
  }

  package func wants(_ name: String) -> Bool {
    func matches(_ pattern: String) -> Bool { unsafe fnmatch(pattern, name, 0) == 0 }
    if excluded.contains(where: matches) { return false }
    if let quantization, ModelReference.isGGUF(name, of: quantization) { return true }
    return included.isEmpty ? quantization == nil && Self.isModelFile(name) : included.contains(where: matches)
  }

  /// What was looked for, as in "has no model files".
  var description: String {
    if let quantization { return "GGUF files with '\(quantization)' in their names" }
    return included.isEmpty && excluded.isEmpty ? "model files" : "files that match the patterns"
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
