internal import Foundation
internal import ModelFiles
internal import PJRTTransformer
internal import Tensor
internal import Transformer

/// A model as a deployment sees it: its name and the sizes that decide whether it fits.
package struct ServedModel: Sendable, Equatable {
  /// ORG/NAME on the hub, or a directory's last part.
  package let name: String
  /// Whether the name is one of the hub.
  package let isOnHub: Bool
  private let configuration: ModelConfiguration
  /// What the weights take, by their form.
  private let weights: [WeightForm: HeldWeights]
  /// Which tokenizer, when it is known; models of one tokenizer share it.
  package let tokenizer: String?
  /// Weights in all tensors.
  package let parameters: Int
  /// Weights of the layers' projections: those that fp8 halves; embeddings and norms stay as they are.
  package let linearParameters: Int
  /// Weights that a token is multiplied by: of experts, those that it goes through.
  package let activeParameters: Int

  package var hiddenSize: Int { configuration.hiddenSize }
  package var layers: Int { configuration.layerCount }
  /// Query heads.
  package var heads: Int { configuration.headCount }
  package var keyValueHeads: Int { configuration.kvHeadCount }
  package var headSize: Int { configuration.headSize }
  package var intermediateSize: Int { configuration.intermediateSize }
  package var vocabulary: Int { configuration.vocabularySize }
  package var longestSequence: Int { configuration.maximumPosition }

  /// Layers that keep keys and values.
  package var attentionLayers: Int { configuration.attentionLayerCount }

  /// The matrices of the layers.
  var layerMatrices: [DecoderTensor] { DecoderTensors(configuration).layerMatrices }

  /// Bytes of the weights as checkpoints have them: in bf16, or as they are quantised.
  package var weightBytes: Int { weights(as: .stored).bytes }

  /// What the weights take in an engine's memory.
  func weights(as form: WeightForm) -> HeldWeights {
    weights[form] ?? HeldWeights(DecoderTensors(configuration), of: configuration, in: form)
  }

  /// K/V bytes of one position over all cores, in bf16.
  ///
  /// With more cores than key/value heads the heads are repeated, so that each core has one.
  package func keyValueBytes(tensorParallel: Int) -> Int {
    2 * 2 * attentionLayers * max(keyValueHeads, tensorParallel) * headSize
  }

  /// K/V bytes of a sequence over all cores, in bf16.
  ///
  /// - Parameter freesWindows: whether layers with a window keep the last positions alone.
  func keyValueBytes(positions: Int, tensorParallel: Int, freesWindows: Bool) -> Double {
    let own =
      freesWindows
      ? Double(configuration.keyValueBytes(positions: positions))
      : Double(configuration.keyValueBytesPerToken) * Double(positions)
    return own * Double(max(keyValueHeads, tensorParallel)) / Double(keyValueHeads)
  }
}

extension ServedModel {
  /// As `config.json` names it.
  var architecture: String { configuration.architecture.rawValue }

  /// Layers with a window, and the most that any of them sees.
  var windows: (layers: Int, size: Int)? {
    configuration.largestWindow.map { (configuration.windowedLayerCount, $0) }
  }

  /// Recurrent layers, the state of a sequence at one position in bytes, and the heads that cores share; `nil` where all
  /// layers are attention.
  var recurrence: (layers: Int, stateBytes: Int, heads: Int)? {
    configuration.recurrence.map { ($0.layerCount, configuration.stateByteCount, $0.shape.keyHeadCount) }
  }

  /// The experts that there are to choose from; `nil` where no layer has any.
  var experts: ExpertLayout? { ExpertLayout(configuration) }
  /// Width of an expert.
  var expertWidth: Int? { configuration.experts?.intermediateSize }

  /// The method by which the checkpoint is quantised already; `nil` for one that is not.
  var storedMethod: String? { configuration.storedMethod }

  /// MTP layers that the checkpoint carries; `nil` where nothing says so.
  var carriedHeads: Int? { configuration.statedHeadCount }

  /// Bytes of the MTP layer that it carries, in bf16.
  var carriedHeadBytes: Int {
    2 * HeadTensors(HeadConfiguration(carriedBy: configuration)).required.reduce(0) { $0 + $1.count }
  }

  /// Why PJRT devices cannot compute it; `nil` where they can.
  var problemOnDevices: String? {
    do { try DecoderPlan.check(configuration, isSharedBy: 1) } catch { return error.description }
    return nil
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
    activeParameters = tensors.elementsPerRow + tensors.head.count
    weights = Dictionary(
      uniqueKeysWithValues: WeightForm.allCases.map { ($0, HeldWeights(tensors, of: configuration, in: $0)) })
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
