internal import Foundation
package import Tensor

/// The tensors of a model, under the names that Hugging Face's checkpoints have, whatever the format of its files.
///
/// Files are mapped; nothing is read until it is asked for.
public struct Checkpoint: Sendable {
  /// The directory or the file, as it was given.
  public let directory: String
  private let tensors: [String: StoredTensor]
  /// Files of which tensors are made that no file holds.
  private let sources: [MappedFile]

  /// Whether no file holds the tensors: they are made while they are read.
  package var isMade: Bool { !sources.isEmpty }

  /// - Parameter source: what tensors are made of that no file holds.
  init(directory: String, tensors: [String: StoredTensor], madeOf source: Checkpoint? = nil) {
    (self.directory, self.tensors, sources) = (directory, tensors, source?.mappedFiles ?? [])
  }

  /// Other tensors of the same files.
  private func with(_ tensors: [String: StoredTensor]) -> Checkpoint {
    Checkpoint(directory: directory, tensors: tensors, sources: sources)
  }

  private init(directory: String, tensors: [String: StoredTensor], sources: [MappedFile]) {
    (self.directory, self.tensors, self.sources) = (directory, tensors, sources)
  }

  private var mappedFiles: [MappedFile] { tensors.values.flatMap(\.files) + sources }

  /// Paths of the files that hold the tensors, sorted.
  package var files: [String] { Set(mappedFiles.map(\.path)).sorted() }

  /// Makes sure that what was read so far is what the files held when they were opened.
  ///
  /// - Throws: `ModelFileError` that names a file that was written to since.
  package func checkUnchanged() throws(ModelFileError) {
    var seen: Set<ObjectIdentifier> = []
    for file in mappedFiles where seen.insert(ObjectIdentifier(file)).inserted {
      do { try file.checkUnchanged() } catch { throw ModelFileError(file.path, error.description) }
    }
  }

  /// The tensor, which must have its shape.
  ///
  /// - Throws: `ModelFileError` when it is missing, has another shape, or an element type that `ElementType` lacks.
  package func tensor(_ tensor: DecoderTensor) throws(ModelFileError) -> TensorView {
    try self.tensor(tensor.name.huggingFace, shape: tensor.shape)
  }

  /// The tensor's elements as the model has them, whatever form the file has them in.
  package func floats(_ tensor: DecoderTensor) throws(ModelFileError) -> [Float] {
    let floats = try self.tensor(tensor).floats()
    switch tensor.form {
    case .plain: return tensor.addend == 0 ? floats : floats.map { $0 + tensor.addend }
    case .logarithms: return floats.map { -exp($0) }
    }
  }

  /// The tensor, read and not mapped.
  func tensorInMemory(_ tensor: DecoderTensor) throws(ModelFileError) -> TensorView {
    let read = try rowReader(of: tensor)
    do { return try read((0..<tensor.shape[0]).map { Int32($0) }) } catch {
      throw ModelFileError(directory, error.description)
    }
  }

  /// The same without its elements where those would have to be made first: of use to whoever has them from elsewhere.
  package func outline(of tensor: DecoderTensor) throws(ModelFileError) -> TensorView {
    try stored(tensor.name.huggingFace, shape: tensor.shape).view(as: tensor.name.huggingFace, isRead: false)
  }

  /// What reads rows of the tensor as long as the checkpoint is in use.
  package func rowReader(of tensor: DecoderTensor) throws(ModelFileError) -> RowReader {
    try stored(tensor.name.huggingFace, shape: tensor.shape).rowReader(as: tensor.name.huggingFace)
  }

  /// The tensor `name`, which must have the given shape.
  ///
  /// - Throws: `ModelFileError` when it is missing, has another shape, or an element type that `ElementType` lacks.
  package func tensor(_ name: String, shape: [Int]) throws(ModelFileError) -> TensorView {
    try stored(name, shape: shape).view(as: name)
  }

  private func stored(_ name: String, shape: [Int]) throws(ModelFileError) -> StoredTensor {
    guard let tensor = tensors[name] else { throw ModelFileError(directory, "the tensor '\(name)' is missing") }
    guard tensor.shape == shape else {
      throw ModelFileError(
        tensor.file.path, "tensor '\(name)' has shape \(tensor.shape); the configuration asks for \(shape)")
    }
    return tensor
  }

  /// The whole numbers of the tensor `name`, which must have `count` of them.
  ///
  /// - Throws: `ModelFileError` when it is missing, has another shape, or holds no whole numbers.
  func integers(_ name: String, count: Int) throws(ModelFileError) -> [Int] {
    guard let tensor = tensors[name] else { throw ModelFileError(directory, "the tensor '\(name)' is missing") }
    guard tensor.shape == [count] else {
      throw ModelFileError(
        tensor.file.path, "tensor '\(name)' has shape \(tensor.shape); the configuration asks for [\(count)]")
    }
    return try tensor.integers()
  }

  /// The same tensors under other names.
  ///
  /// - Throws: `ModelFileError` when two would have one name.
  func renamed(_ rename: (String) -> String) throws(ModelFileError) -> Checkpoint {
    var renamed: [String: StoredTensor] = [:]
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
      guard renamed.updateValue(tensor, forKey: rename(name)) == nil else {
        throw ModelFileError(directory, "has the tensor '\(name)' under another name too")
      }
    }
    return with(renamed)
  }

  /// The same with others in place of the tensors for which `parts` has some.
  ///
  /// - Throws: `ModelFileError` when two would have one name.
  func replacing(
    _ parts: (String, StoredTensor) throws(ModelFileError) -> [(String, StoredTensor)]?
  ) throws(ModelFileError) -> Checkpoint {
    var replaced: [String: StoredTensor] = [:]
    for (name, tensor) in tensors {
      for (own, part) in try parts(name, tensor) ?? [(name, tensor)] {
        guard replaced.updateValue(part, forKey: own) == nil else {
          throw ModelFileError(directory, "has the tensor '\(own)' twice, once as a part of another")
        }
      }
    }
    return with(replaced)
  }

  /// The tensors that `rename` gives a name, under it.
  ///
  /// - Throws: `ModelFileError` when two would have one name.
  func selected(_ rename: (String) -> String?) throws(ModelFileError) -> Checkpoint {
    let chosen = tensors.filter { rename($0.key) != nil }
    return try with(chosen).renamed { rename($0) ?? $0 }
  }

  // MARK: What there is

  /// Names of all tensors, sorted.
  public var tensorNames: [String] { tensors.keys.sorted() }

  /// Shape of a tensor; `nil` when there is none of that name.
  public func shape(of name: String) -> [Int]? { tensors[name]?.shape }

  package var parameterCount: Int { tensors.values.reduce(0) { $0 + $1.shape.reduce(1, *) } }

  package var bytesByType: [String: Int] {
    tensors.values.reduce(into: [:]) { $0[$1.elementType, default: 0] += $1.byteCount }
  }

  package var countByType: [String: Int] {
    tensors.values.reduce(into: [:]) { $0[$1.elementType, default: 0] += 1 }
  }

  func elementType(of tensor: DecoderTensor) -> ElementType? { tensors[tensor.name.huggingFace]?.knownType }

  /// Memory of the packed matrices of a model, in bytes.
  package func packedByteCount(configuration: ModelConfiguration, quantization: Quantization) -> Int {
    DecoderTensors(configuration).packedByteCount(quantization) { elementType(of: $0) }
  }

  /// The formats that the layers' matrices get, that of most weights first.
  package func weightFormats(_ quantization: Quantization) -> [WeightFormat] {
    var sizes: [WeightFormat: Int] = [:]
    for (name, tensor) in tensors where Self.isInLayers(name) && tensor.isMatrix {
      guard let type = tensor.knownType else { continue }
      sizes[quantization.format(of: type), default: 0] += tensor.shape.reduce(1, *)
    }
    return sizes.sorted { ($1.value, $0.key.rawValue) < ($0.value, $1.key.rawValue) }.map(\.key)
  }

  /// A few of the layers' matrices of `type`, and the matrices outside of layers.
  package func matrices(of type: ElementType) -> [TensorView] {
    let names = tensorNames.filter { name in
      tensors[name].map { $0.isMatrix && $0.knownType == type } ?? false
    }
    let inner = names.filter(Self.isInLayers)
    let step = max(1, inner.count / 8)
    let chosen =
      stride(from: 0, to: inner.count, by: step).map { inner[$0] } + names.filter { !Self.isInLayers($0) }
    return chosen.compactMap { name in try? tensors[name]?.view(as: name) }
  }

  private static func isInLayers(_ name: String) -> Bool { name.hasPrefix("model.layers.") }
}
