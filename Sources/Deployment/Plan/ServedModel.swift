internal import Foundation
internal import ModelFiles

/// A model as a deployment sees it: its name and the sizes that decide whether it fits.
package struct ServedModel: Sendable, Equatable {
  /// ORG/NAME on the hub, or a directory's last part.
  package let name: String
  /// Whether the name is one of the hub.
  package let isOnHub: Bool
  package let hiddenSize: Int
  package let layers: Int
  /// Query heads, and key/value heads.
  package let heads: Int
  package let keyValueHeads: Int
  /// Channels of a head.
  package let headSize: Int
  package let intermediateSize: Int
  package let vocabulary: Int
  package let longestSequence: Int
  package let tiesEmbeddings: Bool
  /// Which tokenizer, when it is known; models of one tokenizer share it.
  package let tokenizer: String?

  /// Weights in all matrices and norms.
  package var parameters: Int {
    let (queries, keys) = (heads * headSize, keyValueHeads * headSize)
    let attention = hiddenSize * (queries + 2 * keys) + queries * hiddenSize
    let layer = attention + 3 * hiddenSize * intermediateSize + 2 * hiddenSize
    return layers * layer + hiddenSize + vocabulary * hiddenSize * (tiesEmbeddings ? 1 : 2)
  }

  /// Weights of the layers' projections: those that fp8 halves; embeddings and norms stay as they are.
  package var linearParameters: Int {
    let (queries, keys) = (heads * headSize, keyValueHeads * headSize)
    return layers * (hiddenSize * (queries + 2 * keys) + queries * hiddenSize + 3 * hiddenSize * intermediateSize)
  }

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

  private init(_ model: ModelConfiguration, _ place: ModelPlace, tokenizer: String?) {
    self.init(
      name: place.name, isOnHub: place.isOnHub,
      hiddenSize: model.hiddenSize, layers: model.layerCount, heads: model.headCount,
      keyValueHeads: model.kvHeadCount, headSize: model.headSize, intermediateSize: model.intermediateSize,
      vocabulary: model.vocabularySize, longestSequence: model.maximumPosition,
      tiesEmbeddings: model.tiesWordEmbeddings, tokenizer: tokenizer ?? Self.known(place.name)?.tokenizer)
  }
}

extension ServedModel {
  /// Names whose sizes need no file.
  package static var knownNames: [String] { table.map(\.name) }

  package static func known(_ name: String) -> ServedModel? {
    guard !FileManager.default.fileExists(atPath: name) else { return nil }
    return table.first { $0.name == name }
  }

  private static let table = PublishedModel.all.map { model in
    ServedModel(
      name: model.name, isOnHub: true, hiddenSize: model.hiddenSize, layers: model.layers, heads: model.heads,
      keyValueHeads: model.keyValueHeads, headSize: model.headSize, intermediateSize: model.intermediateSize,
      vocabulary: model.vocabulary, longestSequence: model.longestSequence, tiesEmbeddings: model.tiesEmbeddings,
      tokenizer: model.family.rawValue)
  }
}
