/// What can go wrong with a plugin, its devices and their programs.
package enum PJRTError: Error, Sendable, Equatable, CustomStringConvertible {
  /// No plugin of that name is where such plugins are put.
  case notFound(name: String, places: [String])
  /// The file cannot be loaded: it is missing, no library, for another processor, or lacks a library that it needs.
  case notLoadable(path: String, reason: String)
  /// A library, but not a PJRT plugin.
  case notAPlugin(path: String)
  /// The plugin speaks another major version of the interface.
  case version(path: String, found: String, expected: Int)
  /// The plugin lacks a function that is needed.
  case missingFunction(path: String, function: String)
  /// The plugin reports an error in its own words.
  case reported(operation: String, message: String)
  /// The devices are not those that were asked for.
  case devices(found: Int, expected: Int)
  /// A result has another size than the program promises.
  case size(of: String, found: Int, expected: Int)

  /// A sentence that names the plugin or the operation, and what is wrong.
  package var description: String {
    switch self {
    case .notFound(let name, let places):
      """
      no PJRT plugin '\(name)': none of these is there: \(places.joined(separator: ", ")); give its path, or the folder \
      in FORETOKEN_PJRT_PLUGIN_DIR
      """
    case .notLoadable(let path, let reason): "PJRT plugin '\(path)' cannot be loaded: \(reason)"
    case .notAPlugin(let path): "'\(path)' is a library, but no PJRT plugin: it has no GetPjrtApi"
    case .version(let path, let found, let expected):
      "PJRT plugin '\(path)' has version \(found) of the interface; expected major version \(expected)"
    case .missingFunction(let path, let function):
      "PJRT plugin '\(path)' lacks the function '\(function)'; it is too old or incomplete"
    case .reported(let operation, let message): "PJRT: \(operation): \(message)"
    case .devices(let found, let expected): "PJRT: \(expected) devices are needed, and the plugin offers \(found)"
    case .size(let what, let found, let expected): "PJRT: \(what) has \(found) bytes; expected \(expected)"
    }
  }
}
