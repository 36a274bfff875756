internal import ArgumentParser
internal import Foundation
internal import ModelFiles
internal import PJRT

/// What shells offer for values that are no files of one kind. The scripts ask the program itself.
extension CompletionKind {
  /// Models of the cache by their names, and directories and GGUF files.
  static var model: CompletionKind {
    .custom { _, _, typed in
      let cache = HubCache()
      let names = cache.contents().flatMap { model in
        model.revisions.first { $0.name == "main" }.map { HubCache.references(to: model.name, in: $0.path) } ?? []
      }
      return forShell(names + paths(typed) { GGUFName.isModel($0) })
    }
  }

  /// Names of plugins, and libraries.
  static var pjrtPlugin: CompletionKind {
    .custom { _, _, typed in forShell(PJRTPluginLocation.names + paths(typed) { $0.hasSuffix(".so") }) }
  }

  /// The values as the shell that asks reads them: to zsh, what follows a colon is a description.
  private static func forShell(_ values: [String]) -> [String] {
    CompletionShell.requesting == .zsh ? values.map { $0.replacing(":", with: "\\:") } : values
  }

  /// Directories, and files that are wanted, which begin as `typed` does.
  private static func paths(_ typed: String, _ isWanted: (String) -> Bool) -> [String] {
    let folder = typed.contains("/") ? String(typed[...(typed.lastIndex(of: "/") ?? typed.startIndex)]) : ""
    let place = folder.isEmpty ? "." : (folder as NSString).expandingTildeInPath
    let names = ((try? FileManager.default.contentsOfDirectory(atPath: place)) ?? []).sorted()
    return names.filter { !$0.hasPrefix(".") }.compactMap { name in
      var isDirectory: ObjCBool = false
      let exists = unsafe FileManager.default.fileExists(atPath: place + "/" + name, isDirectory: &isDirectory)
      guard exists, isDirectory.boolValue || isWanted(name) else { return nil }
      return folder + name + (isDirectory.boolValue ? "/" : "")
    }
  }
}
