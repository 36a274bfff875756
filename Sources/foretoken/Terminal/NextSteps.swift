internal import ArgumentParser
internal import Inference
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
    if let error = error as? ModelFileError {
      let model = ShellWord.quoted(folder(of: error.path))
      if error.reason.hasPrefix("unsupported:") {
        return "'foretoken inspect \(model)' shows the model, and 'foretoken models' lists those that can be run."
      }
      if error.reason.hasPrefix("has no config.json") { return "'foretoken models \(model)' lists the models in it." }
      if error.reason.hasPrefix("does not fit this target") { return fitting }
    }
    if error is VocabularyMismatch { return fitting }
    if let error = error as? HubError, error.description.contains(" tries: ") {
      return "'foretoken models' lists the models that are here; HF_ENDPOINT names another hub, https_proxy a proxy."
    }
    // The parser's own words, which it has no type for. Who pulls knows where models come from.
    let first = message.prefix { !$0.isNewline }
    guard first.contains("Missing expected argument"), first.contains("<model>"),
      !message.contains("foretoken pull <model>")
    else { return nil }
    return "  'foretoken models' lists the models that are here; 'foretoken pull ORG/NAME' downloads one."
  }

  private static let fitting = "'foretoken models' lists what goes together."

  /// The directory that a model's `config.json` lies in, or the file that is a model itself.
  private static func folder(of path: String) -> String {
    path.hasSuffix(".json") ? String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)]) : path
  }
}
