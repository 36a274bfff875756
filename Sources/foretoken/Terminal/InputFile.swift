internal import ArgumentParser
internal import Foundation

/// A file that a flag or an argument names.
enum InputFile {
  /// All of it.
  ///
  /// - Throws: `ValidationError` that names the path and the reason.
  static func read(_ path: String) throws -> Data {
    do { return try Data(contentsOf: URL(fileURLWithPath: path)) } catch {
      throw ValidationError("Cannot read '\(path)': \(error.localizedDescription)")
    }
  }
}
