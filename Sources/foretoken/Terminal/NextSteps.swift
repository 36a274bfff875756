internal import ArgumentParser
internal import ModelFiles
internal import Tuning

/// What to try after an error whose message does not say it.
enum NextSteps {
  /// The message, with a line that names the next command where there is one.
  ///
  /// - Parameters:
  ///   - message: of an error, usage included.
  ///   - error: what failed.
  static func adding(to message: String, after error: any Error) -> String {
    guard let step = step(after: error, message) else { return message }
    return message + "\n" + step
  }

  private static func step(after error: any Error, _ message: String) -> String? {
    if let error = error as? ModelFileError, error.reason.hasPrefix("unsupported:") {
      let model = ShellWord.quoted(folder(of: error.path))
      return "'foretoken inspect \(model)' shows the model, and 'foretoken models' lists those that can be run."
    }
    // The parser's own words, which it has no type for. Who pulls knows where models come from.
    let first = message.prefix { !$0.isNewline }
    guard first.contains("Missing expected argument"), first.contains("<model>"),
      !message.contains("foretoken pull <model>")
    else { return nil }
    return "  'foretoken models' lists the models that are here; 'foretoken pull ORG/NAME' downloads one."
  }

  /// The directory that a model's `config.json` lies in, or the file that is a model itself.
  private static func folder(of path: String) -> String {
    path.hasSuffix(".json") ? String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)]) : path
  }
}
