internal import Foundation
internal import JSON
internal import Tensor

/// The directory of an expanded model or head. It appears under its name when it is complete.
struct ExpansionDirectory {
  /// A path where nothing is yet.
  let path: String
  /// The small one's directory, whose other files are copied.
  let source: String
  /// `config.json`.
  let configuration: Data

  /// What the weights are made of, in place of the weights.
  static let descriptionName = "expansion.json"

  /// Writes it without weights.
  ///
  /// - Throws: `ModelFileError` that names the file and the system's reason.
  func write(_ description: some Encodable) throws {
    try make { try JSONEncoder().encode(description).write(to: URL(fileURLWithPath: $0 + "/" + Self.descriptionName)) }
  }

  /// Writes it with its weights.
  ///
  /// - Parameters:
  ///   - numbers: tensors of whole numbers, which come last.
  ///   - progress: called with the share that is written, 0 to 1.
  /// - Throws: `ModelFileError` that names the file and the system's reason.
  func write(
    _ tensors: [ExpandedTensor], numbers: [(entry: SafetensorsWriter.Entry, values: [Int32])] = [],
    progress: (Double) -> Void
  ) throws {
    try make { partial in
      let entries = tensors.map(\.entry) + numbers.map(\.entry)
      var writer = try SafetensorsWriter(path: partial + "/model.safetensors", entries: entries)
      let total = entries.reduce(0) { $0 + $1.byteCount }
      var written = 0
      for tensor in tensors {
        try writer.write(tensor.entry, row: tensor.fill)
        written += tensor.entry.byteCount
        progress(Double(written) / Double(total))
      }
      for (entry, values) in numbers { try writer.write(entry, values) }
      try writer.finish()
    }
  }

  private func make(addingWeights: (_ partial: String) throws -> Void) throws {
    guard !FileManager.default.fileExists(atPath: path) else {
      throw ModelFileError(path, "exists already; expected a path where nothing is yet")
    }
    let partial = path + ".partial-\(ProcessInfo.processInfo.processIdentifier)"
    do {
      try FileManager.default.createDirectory(atPath: partial, withIntermediateDirectories: true)
      for name in try FileManager.default.contentsOfDirectory(atPath: source)
      where !name.contains("safetensors") && name != "README.md" && name != "config.json" {
        // Files of the Hugging Face cache are links to others.
        let file = URL(fileURLWithPath: source + "/" + name).resolvingSymlinksInPath()
        guard try file.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile == true else { continue }
        try FileManager.default.copyItem(at: file, to: URL(fileURLWithPath: partial + "/" + name))
      }
      try configuration.write(to: URL(fileURLWithPath: partial + "/config.json"))
      try addingWeights(partial)
      try FileManager.default.moveItem(atPath: partial, toPath: path)
    } catch {
      try? FileManager.default.removeItem(atPath: partial)
      throw error
    }
  }

  /// The keys of a directory's `config.json`.
  static func configuration(in directory: String) throws(ModelFileError) -> JSONObject {
    let path = directory + "/config.json"
    let found = try? JSONValue(parsing: Array(Data(contentsOf: URL(fileURLWithPath: path))))
    guard case .object(let members)? = found else { throw ModelFileError(path, "is not a JSON object") }
    return members
  }

  /// As it is written.
  static func text(of members: JSONObject) -> Data {
    let style = JSONStyle(itemSeparator: ",", indentation: "  ", sortsKeys: true)
    return Data(JSONValue.object(members).serialized(style).utf8)
  }
}

extension Checkpoint {
  /// Tensors that are made row by row when they are asked for.
  ///
  /// - Parameters:
  ///   - directory: that of the description.
  ///   - source: what they are made of.
  init(
    directory: String, making tensors: [ExpandedTensor], of source: Checkpoint
  ) throws(ModelFileError) {
    let file = try MappedFile(modelFile: directory + "/" + ExpansionDirectory.descriptionName)
    var stored: [String: StoredTensor] = [:]
    for tensor in tensors {
      let entry = tensor.entry
      stored[entry.name] = StoredTensor(
        name: entry.name, elementType: entry.element.rawValue, shape: entry.shape, byteRange: 0..<entry.byteCount,
        file: file, makeRow: tensor.fill)
    }
    self.init(directory: directory, tensors: stored, madeOf: source)
  }
}
