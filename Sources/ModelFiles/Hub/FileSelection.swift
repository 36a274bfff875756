internal import Foundation
internal import Tensor

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

  /// The files to download.
  ///
  /// Of a repository that has a model as a GGUF file only, that is the file.
  ///
  /// - Parameters:
  ///   - files: all that the repository has, with their sizes in bytes where they are known.
  ///   - repository: its name and revision, for messages.
  /// - Throws: `HubError` when there are none, or several GGUF files to choose from; it says what there is.
  package func choose(
    from files: [(name: String, bytes: Int?)], of repository: String
  ) throws(HubError) -> [String] {
    let names = files.map(\.name)
    func matches(_ name: String, _ patterns: [String]) -> Bool {
      patterns.contains { unsafe fnmatch($0, name, 0) == 0 }
    }
    let quantized = quantization.map { GGUFName.files(names, of: $0) } ?? []
    var wanted = names.filter { name in
      if quantized.contains(name) { return true }
      return included.isEmpty ? quantization == nil && Self.isModelFile(name) : matches(name, included)
    }
    if included.isEmpty, quantization == nil, !wanted.contains(where: { $0.hasSuffix(".safetensors") }) {
      let models = names.filter { GGUFName.isModel($0) && !matches($0, excluded) }
      guard models.count < 2 else {
        throw HubError("\(repository) has several GGUF files; choose with --gguf: \(Self.offer(files))")
      }
      // With config.json beside it, it would pass for a directory of safetensors.
      if !models.isEmpty { wanted = names.filter(GGUFName.isModelPart) }
    }
    wanted.removeAll { matches($0, excluded) }
    guard wanted.isEmpty || quantization != nil && !wanted.contains(where: quantized.contains) else { return wanted }
    guard let quantization else {
      let what = included.isEmpty && excluded.isEmpty ? "model files" : "files that match the patterns"
      throw HubError("\(repository) has no \(what); it has \(Self.listing(names))")
    }
    let offer = Self.offer(files)
    throw HubError(
      "\(repository) has no GGUF files with '\(quantization)' in their names; "
        + (offer.isEmpty ? "it has no GGUF files at all: leave the quantization out" : "there are: \(offer)"))
  }

  /// The quantizations of the GGUF files with their sizes, smallest first.
  private static func offer(_ files: [(name: String, bytes: Int?)]) -> String {
    var sizes: [String: Int] = [:]
    for file in files where GGUFName.isModelPart(file.name) {
      let (sum, overflow) = sizes[GGUFName.quantization(of: file.name) ?? file.name, default: 0]
        .addingReportingOverflow(file.bytes ?? 0)
      sizes[GGUFName.quantization(of: file.name) ?? file.name] = overflow ? .max : sum
    }
    return sizes.sorted { ($0.value, $0.key) < ($1.value, $1.key) }.map { "\($0.key) (\($0.value.byteText))" }
      .joined(separator: ", ")
  }

  /// Some of the names.
  private static func listing(_ names: [String]) -> String {
    guard !names.isEmpty else { return "no files" }
    let shown = 12
    return names.prefix(shown).joined(separator: ", ")
      + (names.count > shown ? " and \(names.count - shown) more" : "")
  }

  /// Whether an engine needs the file: weights, descriptions, tokenizer, licence.
  private static func isModelFile(_ name: String) -> Bool {
    let name = name.lowercased()
    let isTop = !name.contains("/")
    // Of embedding models: how hidden states are pooled.
    if name.hasSuffix("_pooling/config.json"), name.split(separator: "/").count == 2 { return true }
    return isTop
      && ([".safetensors", ".json", ".jinja", ".model"].contains { name.hasSuffix($0) } || name == "merges.txt"
        || name.hasPrefix("license"))
  }
}
