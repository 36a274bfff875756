internal import Foundation
package import JSON

/// Reads what is to be checked: a folder with YAML files, or one file.
package enum ManifestReader {
  package struct Document {
    let file: String
    package let value: JSONValue

    var apiVersion: String { value["apiVersion"]?.string ?? "" }
    package var kind: String { value["kind"]?.string ?? "" }
    package var name: String { value["metadata", "name"]?.string ?? "?" }
  }

  /// No manifest comes near this.
  private static let byteLimit = 16 << 20

  /// - Throws: `DeploymentError` for what cannot be read or is not YAML.
  static func documents(at path: String) throws(DeploymentError) -> [Document] {
    var isDirectory: ObjCBool = false
    guard unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
      throw DeploymentError("'\(path)' is not there; expected a folder or file with manifests")
    }
    guard isDirectory.boolValue else { return try documents(file: path, shown: path) }
    let names = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
    let files = names.filter { $0.hasSuffix(".yaml") || $0.hasSuffix(".yml") }.sorted()
    guard !files.isEmpty else { throw DeploymentError("'\(path)' has no .yaml files") }
    var documents: [Document] = []
    for file in files { documents += try Self.documents(file: path + "/" + file, shown: file) }
    return documents
  }

  private static func documents(file: String, shown: String) throws(DeploymentError) -> [Document] {
    guard let data = FileManager.default.contents(atPath: file) else {
      throw DeploymentError("'\(shown)' cannot be read")
    }
    guard data.count <= byteLimit else {
      throw DeploymentError("'\(shown)' has \(data.count) bytes; expected at most \(byteLimit)")
    }
    guard let text = String(data: data, encoding: .utf8) else { throw DeploymentError("'\(shown)' is not UTF-8") }
    return try documents(text: text, shown: shown)
  }

  package static func documents(text: String, shown: String) throws(DeploymentError) -> [Document] {
    do {
      return try JSONValue.documents(yaml: text).filter { $0 != .null }.map { Document(file: shown, value: $0) }
    } catch { throw DeploymentError("'\(shown)' \(error)") }
  }
}
