internal import ArgumentParser
package import Foundation

/// A file that a result is written to.
package enum OutputFile {
  /// Writes `data` to `path`: whole or not at all where that is a file or nothing yet, and into it where it is a device or
  /// a pipe, which a new file must not take the place of.
  ///
  /// - Throws: `ValidationError` that names the path and the reason.
  package static func write(_ data: Data, to path: String) throws {
    do {
      if try isSpecial(path) {
        guard let handle = FileHandle(forWritingAtPath: path) else { throw CocoaError(.fileWriteNoPermission) }
        defer { try? handle.close() }
        try handle.write(contentsOf: data)
      } else {
        try data.write(to: URL(fileURLWithPath: path), options: .atomic)
      }
    } catch {
      if isBrokenPipe(error) { throw ExitCode(128 + SIGPIPE) }
      throw ValidationError("Cannot write '\(path)': \(reason(error))")
    }
  }

  /// Writes a result, and says so where that does not work; the caller then shows it instead, so that it is not lost.
  ///
  /// - Returns: whether it was written.
  package static func keeps(_ data: Data, in path: String) throws -> Bool {
    do { try write(data, to: path) } catch let error as ValidationError {
      note("foretoken: \(error.message) The result follows.")
      return false
    }
    return true
  }

  /// Looks before a long run whether its result can be written in the end: makes the folder of `path`, and writes and
  /// removes a file there.
  ///
  /// - Throws: `ValidationError` that names the path and the system's reason.
  package static func check(_ path: String) throws {
    var isDirectory: ObjCBool = false
    let exists = unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
    guard !isDirectory.boolValue else {
      throw ValidationError("Cannot write '\(path)': it is a folder; expected the name of a file.")
    }
    // A device or a pipe is written to where it is.
    if exists, try isSpecial(path) { return }
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
    let probe = folder.appendingPathComponent(".foretoken-\(UUID().uuidString)")
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try Data("probe".utf8).write(to: probe)
      try FileManager.default.removeItem(at: probe)
    } catch {
      throw ValidationError("Cannot write '\(path)': \(reason(error))")
    }
  }

  /// A file to write to bit by bit, made anew or, when it is a device or a pipe, opened.
  ///
  /// - Throws: `ValidationError` that names the path.
  package static func open(_ path: String) throws -> FileHandle {
    if try !isSpecial(path), !FileManager.default.createFile(atPath: path, contents: nil) {
      throw ValidationError("Cannot write '\(path)'.")
    }
    guard let handle = FileHandle(forWritingAtPath: path) else { throw ValidationError("Cannot write '\(path)'.") }
    return handle
  }

  /// Whether there is something at `path` that is no file.
  private static func isSpecial(_ path: String) throws -> Bool {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return false }
    return status.st_mode & S_IFMT != S_IFREG
  }

  /// Whether nobody reads any more.
  package static func isBrokenPipe(_ error: any Error) -> Bool { code(error) == EPIPE }

  /// Why it could not be written.
  package static func reason(_ error: any Error) -> String {
    code(error).map { unsafe String(cString: strerror($0)) } ?? error.localizedDescription
  }

  private static func code(_ error: any Error) -> Int32? {
    var error = error as NSError
    while error.domain != NSPOSIXErrorDomain {
      guard let below = error.userInfo[NSUnderlyingErrorKey] as? NSError else { return nil }
      error = below
    }
    return Int32(exactly: error.code)
  }
}
