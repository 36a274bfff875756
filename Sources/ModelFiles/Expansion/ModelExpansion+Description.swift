extension ModelExpansion {
  /// `expansion.json`: what the weights of an expanded model are made of, in place of the weights.
  struct Description: Codable {
    /// Changes with the weights that are made.
    static let knownVersion = 1

    let version: Int
    /// Path of the small model.
    let model: String
    let peak_output: Float
  }

  /// The expanded model that a directory describes.
  ///
  /// - Parameter shape: of the directory's `config.json`.
  /// - Throws: `ModelFileError` that names the file and the fact.
  init(describedIn directory: String, shape: ModelConfiguration) throws(ModelFileError) {
    let path = directory + "/" + ExpansionDirectory.descriptionName
    let description = try JSONFile.decode(Description.self, at: path)
    guard description.version == Description.knownVersion else {
      throw ModelFileError(
        path, "has version \(description.version); expected \(Description.knownVersion): expand the model anew")
    }
    guard description.peak_output > 0, description.peak_output.isFinite else {
      throw ModelFileError(path, "has the peak_output \(description.peak_output); expected a positive number")
    }
    guard !JSONFile.exists(description.model + "/" + ExpansionDirectory.descriptionName) else {
      throw ModelFileError(path, "names '\(description.model)', which is an expanded model itself")
    }
    let source = try openContainer(at: description.model)
    try self.init(
      of: source.checkpoint(), configuration: source.configuration(), to: shape, peakOutput: description.peak_output)
    guard epsilon == shape.rmsNormEpsilon else {
      throw ModelFileError(
        path, "goes with rms_norm_eps \(epsilon), and config.json has \(shape.rmsNormEpsilon): expand the model anew")
    }
  }

  /// The expanded model's tensors, which are made row by row when they are asked for.
  ///
  /// - Parameter directory: that of `init(describedIn:shape:)`.
  func expandedCheckpoint(in directory: String) throws(ModelFileError) -> Checkpoint {
    try Checkpoint(directory: directory, making: tensors(), of: checkpoint)
  }
}
