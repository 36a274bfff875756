internal import Foundation
internal import JSON

extension HeadExpansion {
  /// `expansion.json`: what the weights of an expanded head are made of, in place of the weights.
  struct Description: Codable {
    /// Changes with the weights that are made.
    static let knownVersion = 1

    let version: Int
    /// Paths of the small head and of its target.
    let head, target: String
  }

  /// The expanded head that a directory describes.
  ///
  /// - Parameter shape: of the directory's `config.json`.
  /// - Throws: `ModelFileError` that names the file and the fact.
  init(describedIn directory: String, shape: HeadConfiguration) throws(ModelFileError) {
    let path = directory + "/" + ExpansionDirectory.descriptionName
    let description = try JSONFile.decode(Description.self, at: path)
    guard description.version == Description.knownVersion else {
      throw ModelFileError(
        path, "has version \(description.version); expected \(Description.knownVersion): expand the head anew")
    }
    for small in [description.head, description.target]
    where JSONFile.exists(small + "/" + ExpansionDirectory.descriptionName) {
      throw ModelFileError(path, "names '\(small)', which is expanded itself")
    }
    guard let head = try openContainer(at: description.head).head() else {
      throw ModelFileError(path, "names '\(description.head)', which is no head")
    }
    let target = try openContainer(at: description.target).configuration()
    try self.init(of: head, on: target, at: description.target, to: shape)
    guard layers.epsilon == shape.layers.rmsNormEpsilon else {
      throw ModelFileError(
        path,
        "goes with rms_norm_eps \(layers.epsilon), and config.json has \(shape.layers.rmsNormEpsilon): expand the head anew"
      )
    }
  }

  /// The expanded head, whose tensors are made row by row when they are asked for.
  ///
  /// - Parameter directory: that of `init(describedIn:shape:)`.
  func head(in directory: String) throws(ModelFileError) -> Head {
    try Head(
      path: directory, configuration: shape,
      checkpoint: Checkpoint(directory: directory, making: tensors(), of: source.checkpoint),
      targetTokens: targetTokens)
  }

  /// Writes the expanded head with its weights, under the names of the small one's format.
  ///
  /// The directory appears under its name when it is complete.
  ///
  /// - Parameters:
  ///   - path: where nothing is yet.
  ///   - progress: called with the share that is written, 0 to 1.
  /// - Throws: `ModelFileError` that names the file and the system's reason.
  package func write(to path: String, progress: (Double) -> Void) throws {
    let members = try ExpansionDirectory.configuration(in: source.path)
    let layer = members["transformer_layer_config"] == nil ? "midlayer." : "layers.0."
    let named = try tensors().map { tensor in
      let entry = tensor.entry
      return ExpandedTensor(
        entry: SafetensorsWriter.Entry(Self.fileName(entry.name, layer: layer), entry.shape, as: entry.element),
        fill: tensor.fill)
    }
    // Distances from the head's own tokens.
    let map = targetTokens.enumerated().map { $1 - Int32($0) }
    try directory(path).write(
      named, numbers: [(SafetensorsWriter.Entry("d2t", [map.count], as: .int32), map)], progress: progress)
  }

  /// Writes the expanded head without its weights: a directory of a few files that names the small head and its target,
  /// from which the weights are made while they are read (`init(describedIn:shape:)`).
  ///
  /// The directory appears under its name when it is complete.
  ///
  /// - Parameter path: where nothing is yet.
  /// - Throws: `ModelFileError` that names the file and the system's reason.
  package func writeDescription(to path: String) throws {
    func absolute(_ path: String) -> String { URL(fileURLWithPath: path).standardizedFileURL.path }
    try directory(path).write(
      Description(
        version: Description.knownVersion, head: absolute(source.path), target: absolute(targetPath)))
  }

  private func directory(_ path: String) throws(ModelFileError) -> ExpansionDirectory {
    ExpansionDirectory(
      path: path, source: source.path,
      configuration: try Self.configuration(of: source, on: target, to: shape.layers, epsilon: layers.epsilon))
  }

  /// What heads' files call a tensor.
  private static func fileName(_ name: String, layer: String) -> String {
    guard name.hasPrefix("model.") else { return name }
    let bare = name.dropFirst("model.".count)
    return bare.hasPrefix("layers.0.") ? layer + bare.dropFirst("layers.0.".count) : String(bare)
  }
}
