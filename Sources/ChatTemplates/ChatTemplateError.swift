/// Why a chat template could not be read or rendered.
package struct ChatTemplateError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What kind of failure this is.
  package enum Kind: Sendable, Hashable {
    /// The template's text is malformed.
    case syntax
    /// The template uses a part of Jinja that is not supported.
    case unsupported
    /// An operation failed while rendering.
    case evaluation
    /// The template itself refused its input through `raise_exception`.
    case raised
    /// Rendering needed more steps, memory or depth than a template may use.
    case limit
  }

  /// What kind of failure this is.
  package let kind: Kind
  /// What was found and what was expected; for `raised` the template's own message.
  package let message: String
  /// Line of the template, from 1, where known.
  package internal(set) var line: Int?

  init(_ kind: Kind, _ message: String, line: Int? = nil) {
    self.kind = kind
    self.message = message
    self.line = line
  }

  /// A sentence that names the line and what is wrong there.
  package var description: String {
    let place = line.map { "chat template line \($0)" } ?? "chat template"
    return "\(place): \(message)"
  }

  /// This error with `line` filled in where none is known.
  func located(at line: Int) -> ChatTemplateError {
    var error = self
    if error.line == nil { error.line = line }
    return error
  }

  static func evaluation(_ message: String) -> ChatTemplateError { ChatTemplateError(.evaluation, message) }
  static func unsupported(_ message: String) -> ChatTemplateError { ChatTemplateError(.unsupported, message) }
  static func limit(_ message: String) -> ChatTemplateError { ChatTemplateError(.limit, message) }
}
