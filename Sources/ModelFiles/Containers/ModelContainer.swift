/// A model's files in one format: what describes the model, its tensors, its tokenizer.
///
/// A new format is a type of its own that is opened here; nothing else tells formats apart.
package protocol ModelContainer: Sendable {
  var path: String { get }
  /// How a model's tokenizer is to be read.
  var tokenizer: TokenizerSource { get }
  /// Keys of a file with their values, lists by their sizes; `nil` for formats whose files people can read as they are.
  var keys: [(name: String, value: String)]? { get }

  /// Throws: `ModelFileError` that names what is missing, out of range or unsupported.
  func configuration() throws(ModelFileError) -> ModelConfiguration
  /// Throws: `ModelFileError` when something is not as expected.
  func generation() throws(ModelFileError) -> GenerationConfiguration
  /// Throws: `ModelFileError` that names the file and what is wrong with it.
  func checkpoint() throws(ModelFileError) -> Checkpoint
}

/// How a tokenizer is described.
package enum TokenizerSource: Sendable {
  /// By `tokenizer.json` and what lies beside it.
  case files(directory: String)
  /// By the keys `tokenizer.…`.
  case keys(GGUFMetadata)
}

/// Opens a model directory or a GGUF file.
///
/// - Throws: `ModelFileError` that names the file and what is wrong with its head.
package func openContainer(at path: String) throws(ModelFileError) -> any ModelContainer {
  GGUFFile.isNamed(path) ? try GGUFFile(path: path) : HuggingFaceDirectory(path: path)
}

extension HubCache {
  /// Opens what `locate` finds.
  ///
  /// - Throws: `ModelFileError` that says where it looked, or names the file and what is wrong with its head.
  package func open(_ model: String) throws(ModelFileError) -> any ModelContainer {
    try openContainer(at: try locate(model))
  }
}

// By path, for those who want one thing of a model.

extension ModelConfiguration {
  /// Of a model directory or a GGUF file.
  ///
  /// - Throws: `ModelFileError` that names what is missing, out of range or unsupported.
  package init(directory: String) throws(ModelFileError) {
    self = try openContainer(at: directory).configuration()
  }
}

extension Checkpoint {
  /// Of a model directory or a GGUF file.
  ///
  /// - Throws: `ModelFileError` that names the file and what is wrong with it.
  package init(directory: String) throws(ModelFileError) {
    self = try openContainer(at: directory).checkpoint()
  }
}
