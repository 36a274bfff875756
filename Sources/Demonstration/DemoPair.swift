internal import Foundation
internal import Inference
internal import Measurement
internal import ModelFiles
internal import Tensor
internal import Tokenization
internal import Transformer

/// The pair that `foretoken demo` runs.
struct DemoPair {
  let target, draft: String
  /// The shapes of both; `nil` where they are as their files have them.
  let shapes: (target: ModelShape, draft: ModelShape)?

  /// Memory that must be free for a target's shape, in bytes: its weights in four bits, the draft's, keys and values, and
  /// what packing needs for a while.
  private static let needs: [(shape: ModelShape, bytes: Int)] = [
    (.qwen3Medium, 8_000_000_000), (.qwen3Small, 4_000_000_000),
  ]

  /// The largest shape that memory has room for; `nil` when it has none for any.
  static func fittingShape(available: Int? = MemoryLimit.availableBytes()) -> ModelShape? {
    guard let available else { return needs.last?.shape }
    return needs.first { $0.bytes <= available }?.shape
  }

  /// Describes the pair of `target` and `draft` in the shape `shape` and in that of Qwen3-0.6B, among what is kept between
  /// starts.
  ///
  /// - Throws: `ModelFileError` for models that have no room in the shapes, or a folder that cannot be written.
  init(_ target: String, _ draft: String, expandedTo shape: ModelShape, threads: Int) throws {
    shapes = (shape, .qwen3Smallest)
    self.target = try Self.expanded(target, to: shape, threads: threads)
    self.draft = try Self.expanded(draft, to: .qwen3Smallest, threads: threads)
  }

  /// The pair as it is.
  init(_ target: String, _ draft: String) {
    (self.target, self.draft, shapes) = (target, draft, nil)
  }

  private static func expanded(_ model: String, to shape: ModelShape, threads: Int) throws -> String {
    let source = try ModelSource(model)
    let folder = WeightCache.defaultFolder + "/models"
    let path = folder + "/" + URL(fileURLWithPath: source.path).lastPathComponent + "-" + shape.rawValue
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      // It may be of another version, or of models that stood elsewhere.
      if FileManager.default.fileExists(atPath: path) { try FileManager.default.removeItem(atPath: path) }
    } catch { throw ModelFileError(path, error.localizedDescription) }
    try ModelExpansion(of: source, to: shape, threads: threads).writeDescription(to: path)
    return path
  }

  /// A model that comes with Foretoken: below the present folder, or beside the program or a folder above it.
  ///
  /// - Throws: `ModelFileError` when it is at none of these places.
  static func shipped(_ name: String) throws -> String {
    let place = "Models/" + name
    guard !FileManager.default.fileExists(atPath: place) else { return place }
    var folder = Bundle.main.executableURL?.resolvingSymlinksInPath().deletingLastPathComponent()
    while let here = folder, here.path != "/" {
      for below in [here.path + "/", here.path + "/share/foretoken/"]
      where FileManager.default.fileExists(atPath: below + place) { return below + place }
      folder = here.deletingLastPathComponent()
    }
    throw ModelFileError(
      place, "is not here: run the demo in Foretoken's repository or its release, or name --model and --draft-model")
  }
}
