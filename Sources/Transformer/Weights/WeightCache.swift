internal import Foundation
internal import ModelFiles
internal import Tensor

/// Packed weights on disk, so that a model is packed once: later starts map the file.
///
/// Files are named by the content of the checkpoint, the quantization and the version of the layout. Whatever goes wrong
/// costs time, never the model: a file that is damaged is made anew, and one that cannot be written is done without.
public struct WeightCache: Sendable {
  /// The folder of the files.
  public let folder: String
  /// Hears, in a sentence, of files that cannot be used or written.
  public var report: @Sendable (String) -> Void
  /// Models that are packed in no time are not worth a file, in bytes.
  public var leastBytes = 64 << 20

  /// A cache in `folder`.
  public init(folder: String, report: @escaping @Sendable (String) -> Void = { _ in }) {
    (self.folder, self.report) = (folder, report)
  }

  /// The folder that the environment names: `FORETOKEN_CACHE`, else `foretoken` among the user's caches.
  public static var defaultFolder: String {
    let environment = ProcessInfo.processInfo.environment
    if let folder = environment["FORETOKEN_CACHE"], !folder.isEmpty { return folder }
    let caches = environment["XDG_CACHE_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? NSHomeDirectory() + "/.cache"
    return caches + "/foretoken"
  }

  /// Files of one kind that the folder keeps.
  package struct Kept: Sendable, Encodable {
    /// Below which they lie.
    package let folder: String
    package var files = 0
    package var bytes = 0
  }

  /// What is kept: packed weights, and compiled programs, which lie beside them.
  package var kept: [Kept] {
    ["packed", "programs"].compactMap { name in
      var kept = Kept(folder: folder + "/" + name)
      for file in (try? FileManager.default.contentsOfDirectory(atPath: kept.folder)) ?? [] {
        let attributes = try? FileManager.default.attributesOfItem(atPath: kept.folder + "/" + file)
        kept.files += 1
        kept.bytes += (attributes?[.size] as? NSNumber)?.intValue ?? 0
      }
      return kept.files > 0 ? kept : nil
    }
  }

  struct Entry {
    let key, path: String
  }

  /// The place of a checkpoint's weights; `nil` when its files cannot be read.
  ///
  /// - Parameter description: what, besides the files, says which weights these are.
  func entry(for checkpoint: Checkpoint, described description: String, quantization: Quantization) -> Entry? {
    let digests = ContentDigest(rememberingIn: folder + "/digests")
    do {
      let digest = try digests.digest(of: checkpoint.files, and: description)
      let key = "\(digest.prefix(32))-\(quantization.rawValue)"
      return Entry(key: key, path: folder + "/packed/\(key).weights")
    } catch {
      report("\(error)")
      return nil
    }
  }

  /// The packed weights; `nil` when there are none yet, or none that can be used.
  func open(_ entry: Entry, pool: WorkerPool) -> PackedWeightsFile? {
    guard FileManager.default.fileExists(atPath: entry.path) else { return nil }
    do {
      return try PackedWeightsFile(path: entry.path, key: entry.key, pool: pool)
    } catch {
      report("\(error); the weights are packed anew")
      return nil
    }
  }

  func save(_ matrices: [PackedMatrix], as entry: Entry, pool: WorkerPool) {
    guard matrices.reduce(0, { $0 + $1.byteCount }) >= leastBytes else { return }
    clearPartialFiles(in: (entry.path as NSString).deletingLastPathComponent)
    do {
      try PackedWeightsFile.write(matrices, key: entry.key, to: entry.path, pool: pool)
    } catch {
      report("packed weights are not kept for the next start: '\(entry.path)': \(error.localizedDescription)")
    }
  }

  /// Removes what processes that ended while they wrote have left (`NAME.partial-PID`): as large as a model, and of no use.
  /// A young file may be another machine's, or another container's, whose processes have their own numbers.
  func clearPartialFiles(in folder: String) {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
      guard let mark = name.range(of: ".partial-", options: .backwards), let process = Int32(name[mark.upperBound...])
      else { continue }
      let path = folder + "/" + name
      let changed = (try? FileManager.default.attributesOfItem(atPath: path))?[.modificationDate] as? Date
      guard let changed, changed.timeIntervalSinceNow < -Self.partialFileAge, kill(process, 0) != 0, errno == ESRCH
      else { continue }
      try? FileManager.default.removeItem(atPath: path)
    }
  }

  private static let partialFileAge: TimeInterval = 600

  /// Something small that was found out about a model on this machine.
  ///
  /// - Parameter name: what it is, of letters, digits and dashes.
  package func note<Value: Decodable>(_ name: String, of key: String, as type: Value.Type) -> Value? {
    let url = URL(fileURLWithPath: folder + "/notes/\(key)-\(name).json")
    return (try? Data(contentsOf: url)).flatMap { try? JSONDecoder().decode(type, from: $0) }
  }

  /// Keeps `value` for `note(_:of:as:)`.
  package func keep(_ value: some Encodable, as name: String, of key: String) {
    do {
      try FileManager.default.createDirectory(atPath: folder + "/notes", withIntermediateDirectories: true)
      let url = URL(fileURLWithPath: folder + "/notes/\(key)-\(name).json")
      try JSONEncoder().encode(value).write(to: url, options: .atomic)
    } catch {
      report("'\(folder)/notes': \(error.localizedDescription)")
    }
  }
}
