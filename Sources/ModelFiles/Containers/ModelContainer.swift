/// A model's files in one format: what describes the model, its tensors, its tokenizer.
///
/// A new format is a type of its own that `openContainer` opens; nothing else tells formats apart. Errors name the file
/// and what in it is missing, out of range or unsupported.
package protocol ModelContainer: Sendable {
  /// The directory or the file.
  var path: String { get }
  var tokenizer: TokenizerSource { get }
  /// Keys of a file with their values, lists by their sizes; `nil` for formats whose files people can read as they are.
  var keys: [(name: String, value: String)]? { get }

  func configuration() throws(ModelFileError) -> ModelConfiguration
  func generation() throws(ModelFileError) -> GenerationConfiguration
  func checkpoint() throws(ModelFileError) -> Checkpoint
  /// The head that this is; `nil` for a model that stands by itself.
  func head() throws(ModelFileError) -> Head?
  /// What the files say that the model was made for.
  func purpose() throws(ModelFileError) -> ModelPurpose
}

extension ModelContainer {
  package func head() -> Head? { nil }
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
  package func open(_ model: String) throws(ModelFileError) -> any ModelContainer {
    try openContainer(at: try locate(model))
  }
}

extension ModelConfiguration {
  /// Of a model directory or a GGUF file.
  package init(directory: String) throws(ModelFileError) { self = try openContainer(at: directory).configuration() }
}

extension Checkpoint {
  /// Of a model directory or a GGUF file.
  package init(directory: String) throws(ModelFileError) { self = try openContainer(at: directory).checkpoint() }
}
