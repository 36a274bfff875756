internal import ArgumentParser
internal import Foundation

/// Looks before a long run whether its result can be written in the end.
enum OutputFile {
  /// Makes the folder of `path`, and writes and removes a file there.
  ///
  /// - Throws: `ValidationError` that names the path and the system's reason.
  static func check(_ path: String) throws {
    var isDirectory: ObjCBool = false
    if unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), isDirectory.boolValue {
      throw ValidationError("Cannot write '\(path)': it is a folder; expected the name of a file.")
    }
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
    let probe = folder.appendingPathComponent(".foretoken-\(UUID().uuidString)")
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try Data("probe".utf8).write(to: probe)
      try FileManager.default.removeItem(at: probe)
    } catch {
      throw ValidationError("Cannot write '\(path)': \(error.localizedDescription)")
    }
  }
}
