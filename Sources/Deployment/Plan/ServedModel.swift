internal import Foundation
internal import ModelFiles

/// A model as a deployment sees it: its name and the sizes that decide whether it fits.
package struct ServedModel: Sendable, Equatable {
  /// ORG/NAME on the hub, or a directory's last part.
  package let name: String
  /// Whether the name is one of the hub.
  package let isOnHub: Bool
  private let configuration: ModelConfiguration
  /// Which tokenizer, when it is known; models of one tokenizer share it.
  package let tokenizer: String?
  /// Weights in all tensors.
  package let parameters: Int
  /// Weights of the layers' projections: those that fp8 halves; embeddings and norms stay as they are.
  package let linearParameters: Int

  package var hiddenSize: Int { configuration.hiddenSize }
  package var layers: Int { configuration.layerCount }
  /// Query heads.
  package var heads: Int { configuration.headCount }
  package var keyValueHeads: Int { configuration.kvHeadCount }
  package var headSize: Int { configuration.headSize }
  package var intermediateSize: Int { configuration.intermediateSize }
  package var vocabulary: Int { configuration.vocabularySize }
  package var longestSequence: Int { configuration.maximumPosition }

  /// The matrices of the layers.
  var layerMatrices: [DecoderTensor] { DecoderTensors(configuration).layerMatrices }

  /// Bytes of the weights in bf16.
  package var weightBytes: Int { 2 * parameters }

  /// K/V bytes of one position over all cores, in bf16.
  ///
  /// With more cores than key/value heads the heads are repeated, so that each core has one.
  package func keyValueBytes(tensorParallel: Int) -> Int {
    2 * 2 * layers * max(keyValueHeads, tensorParallel) * headSize
  }
}

extension ServedModel {
  /// Layers with a window, and the most that any of them sees.
  var windows: (layers: Int, size: Int)? {
    configuration.largestWindow.map { (configuration.windowedLayerCount, $0) }
  }

  /// Of `keyValueBytes` the share that a sequence of `positions` takes where layers with a window let go of what is behind
  /// it: 1 without such layers.
  func keyValueShare(positions: Int) -> Double {
    guard let windows, windows.size < positions else { return 1 }
    let kept = Double(layers - windows.layers) + Double(windows.layers) * Double(windows.size) / Double(positions)
    return kept / Double(layers)
  }
}

extension ServedModel {
  /// Reads `config.json`: of a file, of a directory, or of a model in the Hugging Face cache; or takes what is known
  /// of the name.
  ///
  /// - Parameter cacheFolder: the Hugging Face cache, where not the environment's.
  /// - Throws: `DeploymentError` that says where it looked.
  package init(_ name: String, configuration: String?, cacheFolder: String? = nil) throws(DeploymentError) {
    let place = try ModelPlace(name)
    if let configuration {
      self.init(try Self.read(configuration), place, tokenizer: nil)
    } else if let known = Self.known(name) {
      self = known
    } else {
      let cache = cacheFolder.map { HubCache(environment: ["HF_HUB_CACHE": $0]) } ?? HubCache()
      let directory: String
      do { directory = try cache.locate(name) } catch {
        throw DeploymentError(
          """
          of '\(name)' no sizes are known: \(error.reason); give its config.json with --target-config or --draft-config. \
          Known by name: \(Self.knownNames.joined(separator: ", "))
          """)
      }
      self.init(try Self.read(directory), place, tokenizer: Self.tokenizerDigest(directory))
    }
  }

  private static func read(_ path: String) throws(DeploymentError) -> ModelConfiguration {
    let found = try configuration(at: path)
    guard found.recurrence == nil else {
      throw DeploymentError(
        "'\(path)' is a \(found.architecture.rawValue), which has recurrent layers; the sums here are for attention in all layers"
      )
    }
    return found
  }

  private static func configuration(at path: String) throws(DeploymentError) -> ModelConfiguration {
    do {
      var isDirectory: ObjCBool = false
      let exists = unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
      if exists, isDirectory.boolValue { return try ModelConfiguration(directory: path) }
      guard exists, let data = FileManager.default.contents(atPath: path) else {
        throw ModelFileError(path, "cannot be read; expected a config.json or a model directory")
      }
      return try ModelConfiguration(json: [UInt8](data), path: path)
    } catch { throw DeploymentError("\(error)") }
  }

  /// Tells tokenizers apart by their file.
  private static func tokenizerDigest(_ directory: String) -> String? {
    FileManager.default.contents(atPath: directory + "/tokenizer.json").map { "tokenizer.json " + digest($0) }
  }

  private init(_ configuration: ModelConfiguration, _ place: ModelPlace, tokenizer: String?) {
    self.init(
      name: place.name, isOnHub: place.isOnHub, configuration, tokenizer: tokenizer ?? Self.known(place.name)?.tokenizer
    )
  }

  private init(name: String, isOnHub: Bool, _ configuration: ModelConfiguration, tokenizer: String?) {
    (self.name, self.isOnHub, self.configuration, self.tokenizer) = (name, isOnHub, configuration, tokenizer)
    let tensors = DecoderTensors(configuration)
    parameters = tensors.all.reduce(0) { $0 + $1.count }
    linearParameters = tensors.layerMatrices.matrixElements
  }
}

extension ServedModel {
  /// Names whose sizes need no file.
  package static var knownNames: [String] { table.map(\.name) }

  package static func known(_ name: String) -> ServedModel? {
    guard !FileManager.default.fileExists(atPath: name) else { return nil }
    return table.first { $0.name == name }
  }

  private static let table = PublishedModel.all.compactMap { model in
    (try? model.configuration()).map {
      ServedModel(name: model.name, isOnHub: true, $0, tokenizer: model.family.tokenizer)
    }
  }
}
