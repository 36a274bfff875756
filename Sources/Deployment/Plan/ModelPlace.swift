internal import Foundation

/// Where a model is found: a name of the hub with its revision, or a folder.
package struct ModelPlace: Sendable, Equatable {
  /// ORG/NAME of the hub, or a directory's last part.
  package let name: String
  package let isOnHub: Bool
  /// `nil` for what the hub's main branch is at the time.
  package let revision: String?

  /// - Throws: `DeploymentError` for what is neither a directory nor a name of the hub.
  package init(_ text: String, revision: String? = nil) throws(DeploymentError) {
    var isDirectory: ObjCBool = false
    let exists = unsafe FileManager.default.fileExists(atPath: text, isDirectory: &isDirectory)
    // A directory need not be on this machine, if its config.json is.
    if exists && isDirectory.boolValue || ["/", "./", "../"].contains(where: text.hasPrefix) {
      let last = URL(fileURLWithPath: text).lastPathComponent
      if let expected = Grammar.folder(last) {
        throw DeploymentError("the model directory is '\(last)'; expected \(expected)")
      }
      (name, isOnHub) = (last, false)
    } else if let expected = Grammar.repository(text) {
      throw DeploymentError("the model's name is '\(text)'; expected a directory, or \(expected)")
    } else {
      (name, isOnHub) = (text, true)
    }
    self.revision = revision
  }

  /// Its folder in a bucket or on a volume: another revision is another folder.
  var folder: String { revision.map { "\(name)/\($0)" } ?? name }
}
