/// A schema or format that cannot be kept to.
package struct ConstraintError: Error, Sendable, Equatable, CustomStringConvertible {
  /// JSON pointer to the part at fault, such as `/properties/age/multipleOf`; empty for the whole.
  package let path: String
  /// One sentence: what was found, what was expected.
  package let message: String

  /// An error about the part at `path`.
  package init(path: String, message: String) {
    self.path = path
    self.message = message
  }

  package var description: String { path.isEmpty ? message : "\(path): \(message)" }
}
