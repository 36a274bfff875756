internal import Foundation
public import Tensor

/// The tensors of a model: of a directory with one `model.safetensors`, or shards named by
/// `model.safetensors.index.json`; or of a GGUF file, under the names that Hugging Face's checkpoints have.
///
/// Files are mapped; nothing is read until it is asked for.
public struct Checkpoint: Sendable {
  /// The directory or the GGUF file, as it was given.
  public let directory: String
  private let places: [String: Place]

  /// Where a tensor lies.
  private struct Place: Sendable {
    let file: MappedFile
    let elementType: String
    let shape: [Int]
    let byteRange: Range<Int>
    var rowOrder = TensorView.RowOrder.natural
  }

  /// Takes the tensors of a GGUF file, whose model `configuration` describes.
  ///
  /// - Throws: `ModelFileError` for tensors that such models do not have.
  public init(_ file: GGUFFile, configuration: ModelConfiguration) throws(ModelFileError) {
    var places: [String: Place] = [:]
    for tensor in file.tensors {
      guard let name = GGUFTensorNames.huggingFaceName(of: tensor.name) else {
        // The configuration holds what it says.
        if tensor.name == GGUFTensorNames.rotaryFactors { continue }
        throw ModelFileError(file.path, "has the unknown tensor '\(tensor.name)'")
      }
      let turns = [".self_attn.q_proj.", ".self_attn.k_proj."].contains { name.contains($0) }
      places[name] = Place(
        file: tensor.file, elementType: tensor.type, shape: tensor.shape, byteRange: tensor.byteRange,
        rowOrder: turns && configuration.architecture == .llama
          ? .pairedHalves(headSize: configuration.headSize) : .natural)
    }
    self.init(directory: file.path, places: places)
  }

  /// Opens the files of a directory, or a GGUF file, and checks their headers.
  ///
  /// - Throws: `ModelFileError` that names the file and what is wrong with it.
  public init(directory: String) throws(ModelFileError) {
    if GGUFFile.isNamed(directory) {
      let file = try GGUFFile(path: directory)
      try self.init(file, configuration: try ModelConfiguration(file))
    } else {
      self.init(directory: directory, places: try Self.places(ofDirectory: directory))
    }
  }

  private init(directory: String, places: [String: Place]) {
    self.directory = directory
    self.places = places
  }

  private static func places(ofDirectory directory: String) throws(ModelFileError) -> [String: Place] {
    let single = directory + "/model.safetensors"
    let index = single + ".index.json"
    var places: [String: Place] = [:]
    // Where both are, the single file counts, as it does for `transformers`.
    if JSONFile.exists(single) {
      places = try Self.places(in: single)
    } else if JSONFile.exists(index) {
      let map = try JSONFile.decode(ShardIndex.self, at: index).weight_map
      for shard in Set(map.values).sorted() {
        guard !shard.contains("/"), !shard.contains("\\"), shard != "..", shard != "." else {
          throw ModelFileError(index, "names the shard '\(shard)'; expected a file name in the same directory")
        }
        let expected = Set(map.filter { $0.value == shard }.keys)
        let found = try Self.places(in: directory + "/" + shard)
        for name in expected.sorted() where found[name] == nil {
          throw ModelFileError(directory + "/" + shard, "lacks the tensor '\(name)' that \(index) places there")
        }
        places.merge(found.filter { expected.contains($0.key) }) { first, _ in first }
      }
    } else {
      throw ModelFileError(directory, "has neither model.safetensors nor model.safetensors.index.json")
    }
    return places
  }

  /// Paths of the files that hold the tensors, sorted.
  public var files: [String] { Set(places.values.map(\.file.path)).sorted() }

  /// Makes sure that what was read so far is what the files held when they were opened.
  ///
  /// - Throws: `ModelFileError` that names a file that was written to since.
  public func checkUnchanged() throws(ModelFileError) {
    var seen: Set<ObjectIdentifier> = []
    for file in places.values.map(\.file) where seen.insert(ObjectIdentifier(file)).inserted {
      do { try file.checkUnchanged() } catch { throw ModelFileError(file.path, error.description) }
    }
  }

  /// Names of all tensors, sorted.
  public var tensorNames: [String] { places.keys.sorted() }

  /// Shape of a tensor; `nil` when there is none of that name.
  public func shape(of name: String) -> [Int]? { places[name]?.shape }

  /// Number of elements of all tensors.
  public var parameterCount: Int { places.values.reduce(0) { $0 + $1.shape.reduce(1, *) } }

  /// Bytes of all tensors, by element type.
  public var bytesByType: [String: Int] {
    places.values.reduce(into: [:]) { $0[$1.elementType, default: 0] += $1.byteRange.count }
  }

  /// Number of tensors, by element type.
  public var countByType: [String: Int] {
    places.values.reduce(into: [:]) { $0[$1.elementType, default: 0] += 1 }
  }

  /// Element type of a tensor; `nil` when there is none of that name, or of a type that `ElementType` lacks.
  public func elementType(of name: String) -> ElementType? {
    places[name].flatMap { ElementType(rawValue: $0.elementType) }
  }

  /// Memory of the packed matrices of a model, in bytes.
  public func packedByteCount(configuration: ModelConfiguration, quantization: Quantization) -> Int {
    let layers = layerMatrices.reduce(0) {
      $0 + quantization.format(of: $1.type).packedByteCount(rows: $1.rows, columns: $1.columns)
    }
    let output = elementType(of: configuration.tiesWordEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight")
    let format = quantization.format(of: output ?? .bfloat16, isHead: true)
    return layers + format.packedByteCount(rows: configuration.vocabularySize, columns: configuration.hiddenSize)
  }

  /// The formats that the layers' matrices get, that of most weights first.
  public func weightFormats(_ quantization: Quantization) -> [WeightFormat] {
    let sizes = layerMatrices.reduce(into: [WeightFormat: Int]()) {
      $0[quantization.format(of: $1.type), default: 0] += $1.rows * $1.columns
    }
    return sizes.sorted { ($1.value, $0.key.rawValue) < ($0.value, $1.key.rawValue) }.map(\.key)
  }

  /// A few of the layers' matrices of `type`, and the matrices outside of layers.
  public func matrices(of type: ElementType) -> [TensorView] {
    let names = places.keys.sorted().filter { name in
      places[name].map { $0.shape.count == 2 && $0.elementType == type.rawValue } ?? false
    }
    let (inner, outer) = (
      names.filter { $0.hasPrefix("model.layers.") }, names.filter { !$0.hasPrefix("model.layers.") }
    )
    let step = max(1, inner.count / 8)
    let chosen = stride(from: 0, to: inner.count, by: step).map { inner[$0] } + outer
    return chosen.compactMap { name in places[name].flatMap { try? tensor(name, shape: $0.shape) } }
  }

  /// Sizes and element types of the layers' matrices.
  private var layerMatrices: [(rows: Int, columns: Int, type: ElementType)] {
    places.compactMap { name, place in
      guard name.hasPrefix("model.layers."), place.shape.count == 2, let type = ElementType(rawValue: place.elementType)
      else { return nil }
      return (place.shape[0], place.shape[1], type)
    }
  }

  /// The tensor `name`, which must have the given shape.
  ///
  /// - Throws: `ModelFileError` when it is missing, has another shape, or an element type that `ElementType` lacks.
  public func tensor(_ name: String, shape: [Int]) throws(ModelFileError) -> TensorView {
    guard let place = places[name] else { throw ModelFileError(directory, "the tensor '\(name)' is missing") }
    let path = place.file.path
    guard place.shape == shape else {
      throw ModelFileError(path, "tensor '\(name)' has shape \(place.shape); the configuration asks for \(shape)")
    }
    guard let type = ElementType(rawValue: place.elementType) else {
      throw ModelFileError(
        path,
        "tensor '\(name)' is \(place.elementType); supported are \(ElementType.allCases.map(\.rawValue).joined(separator: ", "))"
      )
    }
    guard
      let view = TensorView(
        name: name, elementType: type, shape: shape, byteRange: place.byteRange, file: place.file,
        rowOrder: place.rowOrder)
    else { throw ModelFileError(path, "tensor '\(name)' does not lie within the file, or not in whole heads") }
    return view
  }

  private static func places(in path: String) throws(ModelFileError) -> [String: Place] {
    let file = try MappedFile(modelFile: path)
    var places: [String: Place] = [:]
    for entry in try SafetensorsHeader(of: file).entries {
      let place = Place(file: file, elementType: entry.elementType, shape: entry.shape, byteRange: entry.byteRange)
      guard places.updateValue(place, forKey: entry.name) == nil else {
        throw ModelFileError(path, "the tensor '\(entry.name)' stands twice in the header")
      }
    }
    return places
  }

  private struct ShardIndex: Decodable {
    let weight_map: [String: String]
  }
}
