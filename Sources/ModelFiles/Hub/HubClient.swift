internal import Foundation
internal import Tensor

#if canImport(FoundationNetworking)
internal import FoundationNetworking
#endif

package struct PullProgress: Sendable, Equatable {
  package let file: String
  /// Bytes of all files that are here.
  package let receivedBytes: Int
  /// Bytes of all files.
  package let totalBytes: Int
}

/// Downloads models from the Hugging Face hub into the shared cache.
package struct HubClient: Sendable {
  /// Told why there is another try, and after how many seconds.
  package var waiting: @Sendable (String, Double) -> Void = { _, _ in }
  package let endpoint: String
  private let token: String?
  private let cache: HubCache
  private let isOffline: Bool
  private let pausesSeconds: [Double]

  package init() { self.init(environment: ProcessInfo.processInfo.environment) }

  /// A client for the hub that `environment` names: `HF_ENDPOINT`, `HF_TOKEN` (or the file that `huggingface-cli login`
  /// writes), and the cache's variables.
  package init(environment: [String: String], pausesSeconds: [Double] = [1, 2, 4, 8, 16]) {
    func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
    endpoint = (value("HF_ENDPOINT") ?? "https://huggingface.co").trimmingSuffix("/")
    let file = HubCache.folder("HF_TOKEN_PATH", in: environment) ?? HubCache.home(environment) + "/token"
    let saved = try? String(contentsOfFile: file, encoding: .utf8)
    let found = (value("HF_TOKEN") ?? saved)?.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
    token = found.isEmpty ? nil : found
    cache = HubCache(environment: environment)
    isOffline = ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"].contains { name in
      ["1", "on", "yes", "true"].contains(value(name)?.lowercased())
    }
    self.pausesSeconds = pausesSeconds
  }

  /// Downloads what an engine needs of a model: weights, configuration, tokenizer, licence.
  ///
  /// Files that are here already are kept, interrupted ones go on where they stopped, and every one is checked against
  /// the hub's checksum before it takes its place.
  ///
  /// - Parameters:
  ///   - model: ORG/NAME.
  ///   - revision: a branch, tag or commit.
  ///   - selection: which files; by default those that an engine reads.
  /// - Returns: the directory with the model's files.
  /// - Throws: `HubError` that says what the hub answered, or which file is damaged.
  package func pull(
    _ model: String, revision: String = "main", selection: FileSelection = FileSelection(),
    progress: @escaping @Sendable (PullProgress) -> Void = { _ in }
  ) async throws -> String {
    guard let name = ModelName(model) else {
      throw HubError("'\(model)' is no model name; expected ORG/NAME such as Qwen/Qwen3-0.6B")
    }
    guard !revision.isEmpty, revision.split(separator: "/").allSatisfy({ $0 != ".." && $0 != "." }),
      !revision.hasPrefix("/")
    else { throw HubError("'\(revision)' is no revision; expected a branch, tag or commit") }
    if isOffline {
      let whole = selection.quantization.map { "\(model):\($0)" } ?? model
      do { return try cache.locate(whole, revision: revision) } catch {
        throw HubError("HF_HUB_OFFLINE is set, so that nothing is downloaded, and \(error)")
      }
    }
    let folder = cache.folder(of: name)
    try make(folder + "/blobs")
    let listing = try await list(model, revision, folder: folder)
    let chosen = Set(
      try selection.choose(
        from: listing.siblings.map { ($0.rfilename, $0.lfs?.size ?? $0.size) }, of: "'\(model)' at '\(revision)'"))
    let files = try listing.siblings.filter { chosen.contains($0.rfilename) }.map { try $0.checked() }
    guard files.count <= 4096 else {
      throw HubError("'\(model)' lists \(files.count) model files; expected at most 4096")
    }
    try checkRoom(for: files, of: model, in: folder)
    let total = files.reduce(0) { $0 + $1.size }
    var done = 0
    let snapshot = folder + "/snapshots/" + listing.sha
    for file in files {
      let before = done
      try await fetch(file, of: name, commit: listing.sha) { size in
        progress(PullProgress(file: file.name, receivedBytes: before + size, totalBytes: total))
      }
      try link(file, folder: folder, snapshot: snapshot)
      done += file.size
      progress(PullProgress(file: file.name, receivedBytes: done, totalBytes: total))
    }
    let reference = folder + "/refs/" + revision
    try make((reference as NSString).deletingLastPathComponent)
    try Data(listing.sha.utf8).write(to: URL(fileURLWithPath: reference), options: .atomic)
    return snapshot
  }

  /// Refuses what the disk has no room for before any of it comes.
  private func checkRoom(for files: [HubFile], of model: String, in folder: String) throws(HubError) {
    let missing = files.reduce(0) { sum, file in
      let blob = folder + "/blobs/" + file.blob
      let here = Self.size(of: blob) == file.size ? file.size : Self.size(of: blob + ".incomplete") ?? 0
      return here < file.size ? sum + file.size - here : sum
    }
    guard let free = cache.freeBytes, missing > free else { return }
    throw HubError(
      "'\(model)' takes \(missing.byteText) more, and the disk of '\(cache.root)' has \(free.byteText) free; 'foretoken models' says what takes room there, and HF_HOME names a cache elsewhere"
    )
  }

  /// Whether there is a token for gated and private models.
  package var hasToken: Bool { token != nil }

  /// Whether the hub answers: what its address says to a request for nothing much.
  ///
  /// - Throws: `HubError` when it does not within `seconds`, or nothing may be asked of it.
  package func checkReachable(withinSeconds seconds: Double) async throws {
    guard !isOffline else { throw HubError("HF_HUB_OFFLINE is set, so that nothing is asked of \(endpoint)") }
    guard let url = URL(string: endpoint + "/api/models?limit=1"), url.scheme == "https" || url.scheme == "http" else {
      throw HubError("'\(endpoint)' is no address of a hub; expected one such as https://huggingface.co")
    }
    var request = URLRequest(url: url, timeoutInterval: seconds)
    request.httpMethod = "HEAD"
    do { _ = try await URLSession.shared.data(for: request) } catch {
      throw HubError("\(endpoint) does not answer: \(error.localizedDescription)")
    }
  }

  // MARK: Listing

  private func list(_ model: String, _ revision: String, folder: String) async throws -> RepositoryListing {
    let escaped =
      revision.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(.init(charactersIn: "._-")))
      ?? revision
    let path = folder + "/listing-\(UUID().uuidString).json"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let what = "the list of files of '\(model)' at '\(revision)'"
    try await transfer(
      "/api/models/\(model)/revision/\(escaped)?blobs=true", to: path, what: what, size: nil
    ) { _ in }
    guard
      let listing = try? JSONDecoder().decode(
        RepositoryListing.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    else {
      throw HubError("\(endpoint) answered \(what) with something else than such a list")
    }
    guard Self.isCommit(listing.sha) else {
      throw HubError("\(endpoint) names the commit '\(listing.sha)', which is none")
    }
    return listing
  }

  // MARK: Files

  private func fetch(
    _ file: HubFile, of model: ModelName, commit: String, received: @escaping @Sendable (Int) -> Void
  ) async throws {
    let blob = cache.folder(of: model) + "/blobs/" + file.blob
    if Self.isWhole(blob, file) { return }
    // One writer a blob, in this process or another; whoever waited finds the file there.
    try await FileLock.hold(cache.lock(of: file.blob, of: model)) {
      if !Self.isWhole(blob, file) {
        try await download(file, of: model, commit: commit, to: blob, received: received)
      }
    }
  }

  /// Downloads one file to `blob`, by way of a partial file that outlives an interruption.
  private func download(
    _ file: HubFile, of model: ModelName, commit: String, to blob: String, received: @escaping @Sendable (Int) -> Void
  ) async throws {
    let partial = blob + ".incomplete"
    let escaped = file.name.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? file.name
    if Self.size(of: partial) ?? 0 > file.size { try? FileManager.default.removeItem(atPath: partial) }
    if Self.size(of: partial) != file.size || file.size == 0 {
      try await transfer(
        "/\(model)/resolve/\(commit)/\(escaped)", to: partial, what: "'\(file.name)' of '\(model)'", size: file.size,
        received: received)
    }
    let found = try Self.checksum(of: partial, like: file.checksum)
    guard found == file.checksum else {
      try? FileManager.default.removeItem(atPath: partial)
      throw HubError(
        "'\(file.name)' of '\(model)' arrived damaged: its checksum is \(found.text), the hub's is \(file.checksum.text); it was deleted, try again"
      )
    }
    // Replaces whatever stands there: a damaged blob, or the same one that another process has just finished.
    guard unsafe rename(partial, blob) == 0 else {
      throw HubError("cannot put '\(file.name)' in its place '\(blob)': \(unsafe String(cString: strerror(errno)))")
    }
  }

  /// Puts a link to the blob where other tools look for the file.
  private func link(_ file: HubFile, folder: String, snapshot: String) throws {
    let place = snapshot + "/" + file.name
    try make((place as NSString).deletingLastPathComponent)
    let depth = file.name.split(separator: "/").count + 1
    let target = String(repeating: "../", count: depth) + "blobs/" + file.blob
    func isLinked() -> Bool { (try? FileManager.default.destinationOfSymbolicLink(atPath: place)) == target }
    if isLinked() { return }
    try? FileManager.default.removeItem(atPath: place)
    do {
      try FileManager.default.createSymbolicLink(atPath: place, withDestinationPath: target)
    } catch {
      // Another download may have been quicker.
      guard isLinked() else { throw error }
    }
  }

  /// Gets `path` of the hub into a file, going on after dropped connections and busy servers.
  ///
  /// - Parameter size: what the file comes to, if known: less is asked for again, and no more is taken.
  private func transfer(
    _ path: String, to file: String, what: String, size: Int?, received: @escaping @Sendable (Int) -> Void
  ) async throws {
    guard let url = URL(string: endpoint + path), url.scheme == "https" || url.scheme == "http" else {
      throw HubError("'\(endpoint)' is no address of a hub; expected one such as https://huggingface.co")
    }
    var attempt = 0
    while true {
      var request = URLRequest(url: url)
      if let token { request.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization") }
      request.setValue("identity", forHTTPHeaderField: "Accept-Encoding")
      let offset = Self.size(of: file) ?? 0
      if offset > 0 { request.setValue("bytes=\(offset)-", forHTTPHeaderField: "Range") }
      let trouble: String
      var retryAfter: Double?
      do {
        let answer = try await HubTransfer.run(
          request, to: file, offset: offset, limit: size ?? Self.listingLimit, received: received)
        let status = answer.status
        retryAfter = answer.retryAfter
        let have = Self.size(of: file) ?? 0
        if (200..<300).contains(status) {
          guard let size, have < size else { return }
          trouble = "it ended after \(have) of \(size) bytes"
        } else if let refusal = refusal(status, what) {
          throw refusal
        } else {
          trouble = "status \(status)"
        }
      } catch let error as HubError {
        throw error
      } catch is CancellationError {
        throw CancellationError()
      } catch is HubTransfer.Excess {
        try? FileManager.default.removeItem(atPath: file)
        throw HubError(
          "\(endpoint) sends more of \(what) than the \(size ?? Self.listingLimit) bytes expected; it was deleted")
      } catch let error where Self.isDiskFull(error) {
        // Another try would find the disk as full.
        throw HubError(
          "the disk has no room for \(what)\(size.map { ", \($0) bytes" } ?? ""), in '\(file)'; what has come is kept, so make room and try again"
        )
      } catch {
        trouble = error.localizedDescription
      }
      // Progress earns new patience: only tries in a row without a byte count.
      if Self.size(of: file) ?? 0 > offset { attempt = 0 }
      guard attempt < pausesSeconds.count else {
        throw HubError("\(what) could not be had from \(endpoint) after \(attempt + 1) tries: \(trouble)")
      }
      // A busy server knows best when to come back, within reason.
      let pause = min(max(pausesSeconds[attempt], retryAfter ?? 0), Self.longestPause)
      waiting(trouble, pause)
      try await Task.sleep(for: .seconds(pause))
      attempt += 1
    }
  }

  /// The error for an answer that another try would not change.
  private func refusal(_ status: Int, _ what: String) -> HubError? {
    switch status {
    case 401, 403:
      HubError(
        token == nil
          ? "\(endpoint) refuses \(what) (status \(status)): there may be no such model, or it is gated or private; then accept its terms and set HF_TOKEN"
          : "\(endpoint) refuses \(what) (status \(status)) with the token given: it may lack access to this model")
    case 404: HubError("\(endpoint) does not have \(what) (status 404)")
    case 408, 416, 429, 500...: nil
    default: HubError("\(endpoint) answered \(what) with status \(status)")
    }
  }

  // MARK: Checks

  private static func isDiskFull(_ error: any Error) -> Bool {
    let error = error as NSError
    if error.domain == NSCocoaErrorDomain, error.code == CocoaError.fileWriteOutOfSpace.rawValue { return true }
    if error.domain == NSPOSIXErrorDomain { return [Int(ENOSPC), Int(EDQUOT)].contains(error.code) }
    return (error.userInfo[NSUnderlyingErrorKey] as? any Error).map(isDiskFull) ?? false
  }

  /// Seconds to wait at most, whatever a server asks for.
  private static let longestPause = 120.0

  /// No list of a model's files comes near this many bytes.
  private static let listingLimit = 64 << 20

  /// Whether `text` is the full name of a commit.
  static func isCommit(_ text: String) -> Bool {
    text.utf8.count >= 40 && text.utf8.count <= 64 && text.allSatisfy { $0.isASCII && $0.isHexDigit }
  }

  private static func size(of path: String) -> Int? {
    (try? FileManager.default.attributesOfItem(atPath: path))?[.size].flatMap { ($0 as? NSNumber)?.intValue }
  }

  /// Whether the blob is there and is what the hub has: one of the right size may hold anything.
  private static func isWhole(_ blob: String, _ file: HubFile) -> Bool {
    size(of: blob) == file.size && (try? checksum(of: blob, like: file.checksum)) == file.checksum
  }

  private static func checksum(of path: String, like wanted: HubFile.Checksum) throws -> HubFile.Checksum {
    let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
    defer { try? handle.close() }
    var digest = Digest(.sha256)
    if case .gitBlob = wanted {
      digest = Digest(.sha1)
      digest.add("blob \(size(of: path) ?? 0)\0")
    }
    while let piece = try handle.read(upToCount: 1 << 20), !piece.isEmpty { digest.add(piece.bytes) }
    return switch wanted {
    case .sha256: .sha256(digest.hexadecimal())
    case .gitBlob: .gitBlob(digest.hexadecimal())
    }
  }

  private func make(_ folder: String) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }
}

extension String {
  fileprivate func trimmingSuffix(_ suffix: String) -> String {
    hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
  }
}
