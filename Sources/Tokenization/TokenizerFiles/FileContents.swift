internal import Foundation

/// Reads the small files of a model directory.
enum FileContents {
  /// The largest tokenizer files are some 40 MB.
  static let byteLimit = 1 << 29

  /// Names of the files of a folder that end so, without the ending; none when there is no such folder.
  static func names(in folder: String, endingWith ending: String) -> [String] {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return files.filter { $0.hasSuffix(ending) }.map { String($0.dropLast(ending.count)) }.sorted()
  }

  /// The bytes of a regular file; `nil` when there is none at `path` and `isOptional`.
  static func read(_ path: String, isOptional: Bool = false) throws(TokenizerError) -> [UInt8]? {
    var isDirectory: ObjCBool = false
    guard unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
      if isOptional { return nil }
      throw .unreadable(file: path, reason: "there is no such file")
    }
    do {
      let url = URL(fileURLWithPath: path).resolvingSymlinksInPath()
      let attributes = try FileManager.default.attributesOfItem(atPath: url.path)
      guard attributes[.type] as? FileAttributeType == .typeRegular else {
        throw TokenizerError.unreadable(file: path, reason: "it is not a regular file")
      }
      let size = (attributes[.size] as? NSNumber)?.intValue ?? 0
      guard size <= byteLimit else {
        throw TokenizerError.unreadable(file: path, reason: "it has \(size) bytes, more than the \(byteLimit) expected")
      }
      return Array(try Data(contentsOf: url))
    } catch let error as TokenizerError {
      throw error
    } catch {
      throw .unreadable(file: path, reason: error.localizedDescription)
    }
  }
}
