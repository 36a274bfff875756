internal import Foundation
internal import JSON

extension ModelExpansion {
  /// Writes the expanded model as a Hugging Face directory: weights, `config.json`, and the small model's tokenizer.
  ///
  /// The directory appears under its name when it is complete.
  ///
  /// - Parameters:
  ///   - path: where nothing is yet.
  ///   - progress: called with the share that is written, 0 to 1.
  /// - Throws: `ModelFileError` that names the file and the system's reason.
  package func write(to path: String, progress: (Double) -> Void) throws {
    try directory(path).write(try tensors(), progress: progress)
  }

  /// Writes the expanded model without its weights: a directory of a few files that names the small model, from which the
  /// weights are made while they are read (`init(describedIn:shape:)`).
  ///
  /// The directory appears under its name when it is complete.
  ///
  /// - Parameter path: where nothing is yet.
  /// - Throws: `ModelFileError` that names the file and the system's reason.
  package func writeDescription(to path: String) throws {
    try directory(path).write(
      Description(
        version: Description.knownVersion, model: URL(fileURLWithPath: checkpoint.directory).standardizedFileURL.path,
        peak_output: peakOutput))
  }

  private func directory(_ path: String) throws(ModelFileError) -> ExpansionDirectory {
    ExpansionDirectory(path: path, source: checkpoint.directory, configuration: try expandedConfiguration())
  }

  /// The small model's `config.json` with the sizes of the shape.
  private func expandedConfiguration() throws(ModelFileError) -> Data {
    var members = try ExpansionDirectory.configuration(in: checkpoint.directory)
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
    return ExpansionDirectory.text(of: members)
  }
}
