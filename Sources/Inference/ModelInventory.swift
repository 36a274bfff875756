internal import Foundation
package import ModelFiles
internal import Tensor
internal import Tokenization
package import Transformer

/// The models on this machine: what they are, whether they can be run, and which of them go together.
package struct ModelInventory: Sendable, Encodable {
  /// A model, a head, or what was meant to be one.
  package struct Entry: Sendable, Encodable {
    /// What commands take for it: ORG/NAME, ORG/NAME:QUANTIZATION or a path.
    package let name: String
    package let path: String
    /// `model`, or the method of a head; `nil` where the files do not say.
    package var kind: String?
    /// Of the files, and the element type of most weights.
    package var format: String?
    /// Of the files.
    package var bytes = 0
    package var parameters: Int?
    /// Of the packed weights, by `--quantization`.
    package var memory_bytes: [String: Int] = [:]
    /// Why it cannot be run.
    package var problems: [String] = []

    package var runs: Bool { problems.isEmpty }
  }

  /// What can propose beside a target.
  package struct Fit: Sendable, Encodable {
    package let target: String
    /// Models of the same vocabulary and at most half the parameters, smallest first.
    package var draft_models: [String] = []
    /// Heads whose sizes are the target's.
    package var heads: [String] = []
    /// Whether the target has a layer for the method `mtp`.
    package var carries_mtp = false

    package var isEmpty: Bool { draft_models.isEmpty && heads.isEmpty && !carries_mtp }
  }

  /// The Hugging Face cache.
  package let cache: String
  package private(set) var models: [Entry] = []
  /// Of every model that something can propose beside.
  package private(set) var fits: [Fit] = []
  /// What is kept so that later starts are quick.
  package let kept: [WeightCache.Kept]

  /// Looks at every model of the cache and of some folders.
  ///
  /// - Parameters:
  ///   - folders: each a model itself, or with models in it.
  ///   - progress: called with what is looked at and the share that has been.
  package init(
    cache: HubCache = HubCache(), folders: [String], weights: WeightCache, progress: (String, Double) -> Void
  ) {
    self.cache = cache.root
    kept = weights.kept
    var opened: [Opened] = []
    let places = Self.places(in: cache) + folders.flatMap(Self.places)
    for (index, place) in places.enumerated() {
      progress(place.name, Double(index) / Double(places.count))
      var entry = Entry(name: place.name, path: place.path)
      if let problem = place.problem {
        (entry.bytes, entry.problems) = (place.bytes, [problem])
      } else {
        opened.append(Opened(&entry))
      }
      models.append(entry)
    }
    fits = Self.fits(opened)
  }

  // MARK: Where models are

  private struct Place {
    let name, path: String
    /// Why there is nothing to open.
    var problem: String?
    var bytes = 0
  }

  private static func places(in cache: HubCache) -> [Place] {
    cache.contents().flatMap { model -> [Place] in
      guard !model.revisions.isEmpty else {
        let problem = "only a part of it is here: 'foretoken pull \(model.name)' goes on"
        return [Place(name: model.name, path: model.folder, problem: problem, bytes: model.bytes)]
      }
      var seen: Set<String> = []
      return model.revisions.filter { seen.insert($0.path).inserted }.flatMap { revision in
        // By its name a model is that of the branch main; others are found by their directories.
        let name = revision.name == "main" ? model.name : revision.path
        return HubCache.references(to: name, in: revision.path).map { reference in
          Place(name: reference, path: (try? cache.locate(reference)) ?? revision.path)
        }
      }
    }
  }

  private static func places(in folder: String) -> [Place] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder))?.sorted() ?? []
    let files = names.filter { GGUFName.isModel($0) }.map { folder + "/" + $0 }
    let isModel = names.contains("config.json")
    let below =
      isModel
      ? []
      : names.filter { !$0.hasPrefix(".") }.map { folder + "/" + $0 }.filter { path in
        ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).contains {
          $0 == "config.json" || GGUFName.isModel($0)
        }
      }
    return (isModel ? [Place(name: folder, path: folder)] : []) + files.map { Place(name: $0, path: $0) }
      + below.flatMap { places(in: $0) }
  }

  // MARK: What they are

  /// What fitting needs to know.
  private struct Opened {
    let name: String
    var model: ModelSource?
    var parameters = 0
    var head: Head?
    var carriesHead = false

    /// Opens the model and says in `entry` what it is.
    init(_ entry: inout Entry) {
      name = entry.name
      entry.bytes = Self.bytes(at: entry.path)
      do {
        let container = try openContainer(at: entry.path)
        head = try container.head()
        let checkpoint = try head?.checkpoint ?? container.checkpoint()
        entry.bytes = checkpoint.files.reduce(0) { $0 + Self.size(of: $1) }
        let type = checkpoint.bytesByType.max { ($0.value, $0.key) < ($1.value, $1.key) }?.key
        entry.format = (GGUFName.isModel(entry.path) ? "GGUF" : "safetensors") + (type.map { " \($0)" } ?? "")
        if let head {
          entry.kind = head.configuration.kind.rawValue
          for quantization in Quantization.allCases {
            entry.memory_bytes[quantization.rawValue] = head.packedByteCount(quantization)
          }
          return
        }
        entry.kind = "model"
        entry.parameters = checkpoint.parameterCount
        let source = try ModelSource(entry.path)
        (model, parameters) = (source, checkpoint.parameterCount)
        for quantization in Quantization.allCases {
          entry.memory_bytes[quantization.rawValue] = source.weightBytes(quantization)
        }
        carriesHead = try container.carriedHead().map { try $0.check(fits: source.configuration) } != nil
      } catch {
        entry.problems.append("\(error)")
      }
    }

    private static func size(of path: String) -> Int {
      let whole = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
      return ((try? FileManager.default.attributesOfItem(atPath: whole))?[.size] as? NSNumber)?.intValue ?? 0
    }

    /// Of a file, or of all files in a directory.
    private static func bytes(at path: String) -> Int {
      func isFile(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && !isDirectory.boolValue
      }
      if isFile(path) { return size(of: path) }
      let names = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
      return names.map { path + "/" + $0 }.filter(isFile).reduce(0) { $0 + size(of: $1) }
    }
  }

  private static func fits(_ opened: [Opened]) -> [Fit] {
    opened.compactMap { target in
      guard let model = target.model else { return nil }
      var fit = Fit(target: target.name, carries_mtp: target.carriesHead)
      let smaller = opened.filter { $0.model != nil && $0.parameters <= target.parameters / 2 }
      fit.draft_models = smaller.sorted { ($0.parameters, $0.name) < ($1.parameters, $1.name) }.filter { draft in
        draft.model.map { (try? VocabularyAgreement.check(target: model.tokenizer, draft: $0.tokenizer)) != nil }
          == true
      }.map(\.name)
      fit.heads = opened.filter { other in
        other.head.map { (try? $0.check(fits: model.configuration)) != nil } == true
      }.map(\.name)
      return fit.isEmpty ? nil : fit
    }
  }
}
