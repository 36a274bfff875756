internal import Foundation
package import Tensor

/// A model in ggml's file format: metadata and tensors in one file, or in several that are numbered.
///
/// Versions 2 and 3, little-endian. Files are mapped; of tensors, only the table is read.
/// Source: the format's description in ggml (docs/gguf.md).
package struct GGUFFile: Sendable {
  /// The file, the first of several.
  package let path: String
  package let metadata: GGUFMetadata
  let tensors: [StoredTensor]

  /// Name of the factors by which Llama 3's RoPE frequencies are divided, `[headSize / 2]`; Hugging Face has them in
  /// `config.json`.
  static let rotaryFactors = "rope_freqs.weight"

  static func isNamed(_ path: String) -> Bool { path.lowercased().hasSuffix(".gguf") }

  /// Opens a file, and those that belong to it, and checks their heads.
  ///
  /// - Throws: `ModelFileError` that names the file and what is wrong with it.
  package init(path: String) throws(ModelFileError) {
    let first = try GGUFPart(path: path)
    self.path = path
    metadata = first.metadata
    let others = try Self.others(after: first)
    tensors = first.tensors + others.flatMap(\.tensors)
    var names: Set<String> = []
    if let twice = tensors.first(where: { !names.insert($0.name).inserted }) {
      throw ModelFileError(path, "the tensor '\(twice.name)' stands twice")
    }
    guard let total = try metadata.integer("split.tensors.count", in: 0...Int.max), total != tensors.count else {
      return
    }
    throw ModelFileError(
      path, "split.tensors.count is \(total), and its \(others.count + 1) files have \(tensors.count)")
  }

  package var tensorNames: [String] { tensors.map(\.name) }

  /// A tensor by its name in the file, its rows in the file's order.
  ///
  /// - Throws: `ModelFileError` when it is missing, or of a format that `ElementType` lacks.
  package func tensor(_ name: String) throws(ModelFileError) -> TensorView {
    guard let tensor = self[name] else { throw ModelFileError(path, "the tensor '\(name)' is missing") }
    return try tensor.view(as: name)
  }

  subscript(name: String) -> StoredTensor? { tensors.first { $0.name == name } }

  private static func others(after first: GGUFPart) throws(ModelFileError) -> [GGUFPart] {
    let count = try first.metadata.integer("split.count", in: 0...65_535) ?? 1
    guard count > 1 else { return [] }
    let place = try first.metadata.integer("split.no", in: 0...65_535) ?? 0
    guard let stem = stem(of: first.path, place: place, count: count) else {
      throw ModelFileError(
        first.path,
        "is part \(place + 1) of \(count), and its name does not end in '\(suffix(place, count))', by which the others are found"
      )
    }
    guard place == 0 else {
      throw ModelFileError(
        first.path, "is part \(place + 1) of \(count); name the first, '\(stem + suffix(0, count))'")
    }
    var parts: [GGUFPart] = []
    for index in 1..<count {
      let part = try GGUFPart(path: stem + suffix(index, count))
      let (found, total) = (
        try part.metadata.integer("split.no", in: 0...65_535), try part.metadata.integer("split.count", in: 0...65_535)
      )
      guard found == index, total == count else {
        throw ModelFileError(
          part.path,
          "says that it is part \(found.map { "\($0 + 1)" } ?? "?") of \(total.map { "\($0)" } ?? "?"); expected \(index + 1) of \(count)"
        )
      }
      parts.append(part)
    }
    return parts
  }

  private static func suffix(_ index: Int, _ count: Int) -> String {
    func digits(_ number: Int) -> String { String("0000\(number)".suffix(5)) }
    return "-\(digits(index + 1))-of-\(digits(count)).gguf"
  }

  private static func stem(of path: String, place: Int, count: Int) -> String? {
    let ending = suffix(place, count)
    return path.hasSuffix(ending) ? String(path.dropLast(ending.count)) : nil
  }
}
