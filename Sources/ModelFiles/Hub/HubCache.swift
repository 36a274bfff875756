internal import Foundation
internal import Tensor

/// The Hugging Face cache on this machine, in the layout that `huggingface_hub` and other tools share:
/// `models--ORG--NAME/{blobs,refs,snapshots}`.
package struct HubCache: Sendable {
  package let root: String

  package init() { self.init(environment: ProcessInfo.processInfo.environment) }

  /// The cache that `environment` names: `HF_HUB_CACHE`, else `HF_HOME`/hub, else `~/.cache/huggingface/hub`.
  package init(environment: [String: String]) {
    root =
      Self.folder("HF_HUB_CACHE", in: environment) ?? Self.folder("HUGGINGFACE_HUB_CACHE", in: environment)
      ?? Self.home(environment) + "/hub"
  }

  /// The folder of Hugging Face's tools: `HF_HOME`, else `huggingface` among the user's caches.
  static func home(_ environment: [String: String]) -> String {
    folder("HF_HOME", in: environment)
      ?? (folder("XDG_CACHE_HOME", in: environment) ?? NSHomeDirectory() + "/.cache") + "/huggingface"
  }

  /// A folder that the environment names, `~` resolved; `nil` when it names none.
  static func folder(_ name: String, in environment: [String: String]) -> String? {
    environment[name].flatMap { $0.isEmpty ? nil : ($0 as NSString).expandingTildeInPath }
  }

  /// The folder of a model's files, which may not exist.
  func folder(of model: ModelName) -> String { root + "/" + model.folder }

  /// The file that is locked while a blob is written, where other tools lock it too.
  func lock(of blob: String, of model: ModelName) -> String { root + "/.locks/" + model.folder + "/" + blob + ".lock" }

  /// The directory or GGUF file of a model: a path as it is, or the snapshot of ORG/NAME in the cache.
  ///
  /// Where a directory holds GGUF files and no `config.json`, it stands for its file. Of several, ORG/NAME:QUANTIZATION
  /// means the one whose name has that in it, such as `Q4_K_M`.
  ///
  /// - Parameters:
  ///   - model: a path, ORG/NAME, or ORG/NAME:QUANTIZATION.
  ///   - revision: a branch, tag or full commit; of no matter to a path.
  /// - Throws: `ModelFileError` that says where it looked.
  package func locate(_ model: String, revision: String = "main") throws(ModelFileError) -> String {
    var isDirectory: ObjCBool = false
    if unsafe FileManager.default.fileExists(atPath: model, isDirectory: &isDirectory) {
      guard !isDirectory.boolValue else { return try GGUFChoice(of: nil, in: model).path }
      guard GGUFFile.isNamed(model) else {
        throw ModelFileError(model, "is a file; expected a model directory or a GGUF file")
      }
      return model
    }
    let given = model
    let reference = ModelReference(given)
    let (model, quantization) = (reference.model, reference.quantization)
    guard let name = ModelName(model) else {
      throw ModelFileError(
        given, "there is no such directory or file, and it is no ORG/NAME of a model either; \(likeness(of: given))")
    }
    let folder = folder(of: name)
    let head = try? String(contentsOfFile: folder + "/refs/" + revision, encoding: .utf8)
    guard let commit = head ?? (HubClient.isCommit(revision) ? revision : nil) else {
      throw ModelFileError(
        model,
        "there is no such directory, and the cache '\(root)' has no such model; \(likeness(of: model, named: given))")
    }
    let snapshot = folder + "/snapshots/" + commit.trimmingCharacters(in: .whitespacesAndNewlines)
    guard FileManager.default.fileExists(atPath: snapshot) else {
      throw ModelFileError(snapshot, "is missing though the cache refers to it; 'foretoken pull \(given)' repairs it")
    }
    return try GGUFChoice(of: quantization, in: snapshot).path
  }

  /// What to do about a name that stands for nothing: the one that was meant, if there is one like it.
  ///
  /// - Parameter given: the name with its quantization, where it is ORG/NAME.
  private func likeness(of name: String, named given: String? = nil) -> String {
    let folder = (name as NSString).deletingLastPathComponent
    let beside = ((try? FileManager.default.contentsOfDirectory(atPath: folder.isEmpty ? "." : folder)) ?? [])
      .filter { !$0.hasPrefix(".") }
    let paths = beside.sorted().map { (folder as NSString).appendingPathComponent($0) }
    let cached = contents().map(\.name)
    // Without its organisation a model is known by its name alone.
    let whole = cached.first { $0.lowercased().hasSuffix("/" + name.lowercased()) }
    if let path = paths.nearest(to: name) { return "did you mean '\(path)'?" }
    let question = (whole ?? cached.nearest(to: name)).map { "did you mean '\($0)'? " } ?? ""
    return question
      + (given.map { "'foretoken pull \($0)' downloads it" } ?? "'foretoken models' lists what is here")
  }
}

extension HubCache {
  /// What to call a model that is given as `model`: ORG/NAME for a path into a cache, the last part of another path, and
  /// what is no path as it is.
  package static func modelName(of model: String) -> String {
    guard FileManager.default.fileExists(atPath: model) else { return model }
    let url = URL(fileURLWithPath: model).standardizedFileURL
    for path in [url.path, url.resolvingSymlinksInPath().path] {
      let folder = path.split(separator: "/").last { $0.hasPrefix("models--") }
      let parts = folder?.dropFirst("models--".count).split(separator: "-", omittingEmptySubsequences: false)
      guard let parts, let border = parts.firstIndex(of: ""), border > 0 else { continue }
      // Two dashes stand for the slash; the name may have more of them.
      let name = "\(parts[..<border].joined(separator: "-"))/\(parts[(border + 1)...].joined(separator: "-"))"
      if ModelName(name) != nil { return name }
    }
    return url.lastPathComponent
  }
}

/// A model's name on the hub: ORG/NAME.
package struct ModelName: Sendable, Equatable, CustomStringConvertible {
  package let organisation, name: String

  package var description: String { organisation + "/" + name }

  var folder: String { "models--\(organisation)--\(name)" }

  /// `nil` unless `text` has two parts of letters, digits, `.`, `_` and `-`, as the hub requires; none begins or ends
  /// with `.` or `-`.
  package init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    let isProper = { (part: String) in
      !part.isEmpty && part.utf8.count <= 96 && !part.contains("..")
        && ![".", "-"].contains { part.hasPrefix($0) || part.hasSuffix($0) }
        && part.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }
    }
    guard parts.count == 2, parts.allSatisfy(isProper) else { return nil }
    (organisation, name) = (parts[0], parts[1])
  }
}
