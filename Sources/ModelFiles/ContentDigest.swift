internal import Foundation
internal import Tensor

/// What files hold, as one short text: equal contents have equal digests, wherever they lie.
///
/// Reading a large model takes seconds, so the digest of a file is remembered together with the file's size, times
/// and number, as `git` does for its index.
public struct ContentDigest {
  /// Folder of what is remembered.
  private let memory: String

  /// Digests that are remembered in `folder`.
  public init(rememberingIn folder: String) { memory = folder }

  private struct Remembered: Codable, Equatable {
    let path: String
    let size, inode, device: UInt64
    let seconds, nanoseconds: Int
    var sha256 = ""
  }

  /// The digest of some files and of what else matters.
  ///
  /// - Throws: `ModelFileError` when a file cannot be read.
  public func digest(of files: [String], and text: String) throws(ModelFileError) -> String {
    let whole = Digest()
    whole.add(text)
    for file in files { whole.add(try digest(of: file)) }
    return whole.hexadecimal()
  }

  /// The digest of bytes in memory.
  package static func digest(of bytes: [UInt8]) -> String {
    let digest = Digest()
    digest.add(bytes)
    return digest.hexadecimal()
  }

  private func digest(of path: String) throws(ModelFileError) -> String {
    let path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    var identity = try Self.identity(of: path)
    let name = Self.digest(of: Array(path.utf8)).prefix(32)
    let place = URL(fileURLWithPath: memory + "/" + name + ".json")
    if let data = try? Data(contentsOf: place), let known = try? JSONDecoder().decode(Remembered.self, from: data) {
      identity.sha256 = known.sha256
      if known == identity { return known.sha256 }
    }
    identity.sha256 = try Self.hash(path)
    // A file that changed a moment ago may change again within the same tick of its clock.
    if Date.now.timeIntervalSince1970 - Double(identity.seconds) > 2, let data = try? JSONEncoder().encode(identity) {
      try? FileManager.default.createDirectory(atPath: memory, withIntermediateDirectories: true)
      try? data.write(to: place, options: .atomic)
    }
    return identity.sha256
  }

  private static func identity(of path: String) throws(ModelFileError) -> Remembered {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { throw ModelFileError(path, "cannot be looked at") }
    #if os(Linux)
    let time = status.st_mtim
    #else
    let time = status.st_mtimespec
    #endif
    return Remembered(
      path: path, size: UInt64(status.st_size), inode: UInt64(status.st_ino),
      device: UInt64(truncatingIfNeeded: status.st_dev), seconds: Int(time.tv_sec), nanoseconds: Int(time.tv_nsec))
  }

  private static func hash(_ path: String) throws(ModelFileError) -> String {
    let file = try MappedFile(modelFile: path)
    let sum = Digest()
    for first in stride(from: 0, to: file.byteCount, by: 8 << 20) {
      let part = first..<min(first + 8 << 20, file.byteCount)
      file.withBytes(in: part) { sum.add($0) }
      file.releasePages(in: part)
    }
    return sum.hexadecimal()
  }
}
