internal import ArgumentParser
internal import Foundation

/// A file that a result is written to.
enum OutputFile {
  /// Writes `data` to `path`: whole or not at all where that is a file or nothing yet, and into it where it is a device or
  /// a pipe, which a new file must not take the place of.
  ///
  /// - Throws: `ValidationError` that names the path and the reason.
  static func write(_ data: Data, to path: String) throws {
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

  /// A file to write to bit by bit, made anew or, when it is a device or a pipe, opened.
  ///
  /// - Throws: `ValidationError` that names the path.
  static func open(_ path: String) throws -> FileHandle {
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
  static func isBrokenPipe(_ error: any Error) -> Bool { code(error) == EPIPE }

  /// Why it could not be written.
  static func reason(_ error: any Error) -> String {
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
