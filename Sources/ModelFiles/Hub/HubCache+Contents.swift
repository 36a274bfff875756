internal import Foundation

/// A model that the Hugging Face cache holds.
package struct CachedModel: Sendable, Equatable {
  /// A branch, tag or commit, with the directory of its files.
  package struct Revision: Sendable, Equatable {
    package let name, path: String
  }

  /// ORG/NAME.
  package let name: String
  /// Where all of it is: to delete it is to free its bytes.
  package let folder: String
  /// What it can be named by; `main` first.
  package let revisions: [Revision]
  /// What its files take on disk, each counted once.
  package let bytes: Int
  /// What of that belongs to downloads that were interrupted.
  package let incompleteBytes: Int
}

extension HubCache {
  /// Every model of the cache, by name; also those of which only a part has come.
  package func contents() -> [CachedModel] {
    let folders = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
    return folders.sorted().compactMap { folder in
      let path = root + "/" + folder
      let name = Self.modelName(of: path)
      return folder.hasPrefix("models--") && name.contains("/") ? model(name, in: path) : nil
    }
  }

  private func model(_ name: String, in folder: String) -> CachedModel {
    let manager = FileManager.default
    let blobs = folder + "/blobs"
    let sizes = ((try? manager.contentsOfDirectory(atPath: blobs)) ?? []).map { name in
      (isWhole: !name.hasSuffix(".incomplete"), bytes: Self.size(of: blobs + "/" + name))
    }
    func sum(_ sizes: [Int]) -> Int { sizes.reduce(0) { $0.addingReportingOverflow($1).partialValue } }
    let references = (manager.enumerator(atPath: folder + "/refs")?.compactMap { $0 as? String } ?? []).sorted()
    let revisions = references.compactMap { reference -> CachedModel.Revision? in
      let commit = try? String(contentsOfFile: folder + "/refs/" + reference, encoding: .utf8)
      guard let commit = commit?.trimmingCharacters(in: .whitespacesAndNewlines), HubClient.isCommit(commit) else {
        return nil
      }
      let path = folder + "/snapshots/" + commit
      return manager.fileExists(atPath: path) ? CachedModel.Revision(name: reference, path: path) : nil
    }
    return CachedModel(
      name: name, folder: folder,
      revisions: revisions.filter { $0.name == "main" } + revisions.filter { $0.name != "main" },
      bytes: sum(sizes.map(\.bytes)), incompleteBytes: sum(sizes.filter { !$0.isWhole }.map(\.bytes)))
  }

  private static func size(of path: String) -> Int {
    ((try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? NSNumber)?.intValue ?? 0
  }

  /// Bytes that the disk of the cache has free; `nil` when the system does not say.
  package var freeBytes: Int? {
    // Folders that are not there yet will be on the disk of those above them.
    var folder = URL(fileURLWithPath: root).standardizedFileURL
    while folder.path != "/", !FileManager.default.fileExists(atPath: folder.path) { folder.deleteLastPathComponent() }
    let attributes = try? FileManager.default.attributesOfFileSystem(forPath: folder.path)
    return (attributes?[.systemFreeSize] as? NSNumber)?.intValue
  }

  /// How commands name the GGUF files of a directory that `name` stands for: by the name alone where there is one file, and
  /// else with the quantization.
  package static func references(to name: String, in directory: String) -> [String] {
    let models = GGUFChoice.models(in: directory)
    guard !models.isEmpty else { return [name] }
    let whole = GGUFChoice.hasSafetensors(directory) ? [name] : []
    if whole.isEmpty, models.count == 1 { return [name] }
    return whole
      + models.map { file in
        GGUFName.quantization(of: file).map { "\(name):\($0)" } ?? "\(name):\(file)"
      }
  }
}
