internal import Foundation
internal import JSON

extension ModelExpansion {
  /// Writes the expanded model as a Hugging Face directory: weights, `config.json`, and the small model's tokenizer.
  ///
  /// The directory appears under its name when it is complete.
  ///
  /// - Parameters:
  ///   - directory: a path where nothing is yet.
  ///   - progress: called with the share that is written, 0 to 1.
  /// - Throws: `ModelFileError` that names the file and the system's reason.
  package func write(to directory: String, progress: (Double) -> Void) throws {
    try makeDirectory(directory) { try writeWeights(to: $0 + "/model.safetensors", progress: progress) }
  }

  /// Writes the expanded model without its weights: a directory of a few files that names the small model, from which the
  /// weights are made while they are read (`init(describedIn:shape:)`).
  ///
  /// The directory appears under its name when it is complete.
  ///
  /// - Parameter directory: a path where nothing is yet.
  /// - Throws: `ModelFileError` that names the file and the system's reason.
  package func writeDescription(to directory: String) throws {
    let description = Description(
      version: Description.knownVersion, model: URL(fileURLWithPath: checkpoint.directory).standardizedFileURL.path,
      peak_output: peakOutput)
    try makeDirectory(directory) {
      try JSONEncoder().encode(description).write(to: URL(fileURLWithPath: $0 + "/" + Description.fileName))
    }
  }

  private func makeDirectory(_ directory: String, addingWeights: (_ partial: String) throws -> Void) throws {
    guard !FileManager.default.fileExists(atPath: directory) else {
      throw ModelFileError(directory, "exists already; expected a path where nothing is yet")
    }
    let partial = directory + ".partial-\(ProcessInfo.processInfo.processIdentifier)"
    do {
      try FileManager.default.createDirectory(atPath: partial, withIntermediateDirectories: true)
      for name in try FileManager.default.contentsOfDirectory(atPath: checkpoint.directory)
      where !name.contains("safetensors") && name != "README.md" && name != "config.json" {
        // Files of the Hugging Face cache are links to others.
        let file = URL(fileURLWithPath: checkpoint.directory + "/" + name).resolvingSymlinksInPath()
        guard try file.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile == true else { continue }
        try FileManager.default.copyItem(at: file, to: URL(fileURLWithPath: partial + "/" + name))
      }
      try expandedConfiguration().write(to: URL(fileURLWithPath: partial + "/config.json"))
      try addingWeights(partial)
      try FileManager.default.moveItem(atPath: partial, toPath: directory)
    } catch {
      try? FileManager.default.removeItem(atPath: partial)
      throw error
    }
  }

  private func writeWeights(to path: String, progress: (Double) -> Void) throws {
    let tensors = try tensors()
    var writer = try SafetensorsWriter(path: path, entries: tensors.map(\.entry))
    let total = tensors.reduce(0) { $0 + $1.entry.byteCount }
    var written = 0
    for tensor in tensors {
      try writer.write(tensor.entry, row: tensor.fill)
      written += tensor.entry.byteCount
      progress(Double(written) / Double(total))
    }
    try writer.finish()
  }

  /// The small model's `config.json` with the sizes of the shape.
  private func expandedConfiguration() throws -> Data {
    let path = checkpoint.directory + "/config.json"
    let found = try? JSONValue(parsing: Array(Data(contentsOf: URL(fileURLWithPath: path))))
    guard case .object(var members)? = found else { throw ModelFileError(path, "is not a JSON object") }
    // It lists the small model's layers; newer writers call the number of experts by the second name.
    let left = ["layer_types", "num_local_experts"]
    members = JSONObject(members.pairs.filter { !left.contains($0.key) }.map { ($0.key, $0.value) })
    let sizes: [(String, JSONValue)] = [
      ("hidden_size", .integer(shape.hiddenSize)), ("num_hidden_layers", .integer(shape.layerCount)),
      ("num_attention_heads", .integer(shape.headCount)), ("num_key_value_heads", .integer(shape.kvHeadCount)),
      ("head_dim", .integer(shape.headSize)), ("intermediate_size", .integer(shape.intermediateSize)),
      ("vocab_size", .integer(shape.vocabularySize)), ("tie_word_embeddings", .bool(shape.tiesWordEmbeddings)),
      ("rms_norm_eps", .number(Double(epsilon))),
    ]
    for (key, value) in sizes { members[key] = value }
    if let experts = shape.experts {
      members["num_experts"] = .integer(experts.count)
      members["num_experts_per_tok"] = .integer(experts.chosenCount)
      members["moe_intermediate_size"] = .integer(experts.intermediateSize)
    }
    let style = JSONStyle(itemSeparator: ",", indentation: "  ", sortsKeys: true)
    return Data(JSONValue.object(members).serialized(style).utf8)
  }
}
