/// A schema or format that cannot be kept to.
public struct ConstraintError: Error, Sendable, Equatable, CustomStringConvertible {
  /// JSON pointer to the part at fault, such as `/properties/age/multipleOf`; empty for the whole.
  public let path: String
  /// One sentence: what was found, what was expected.
  public let message: String

  /// An error about the part at `path`.
  public init(path: String, message: String) {
    self.path = path
    self.message = message
  }

  /// Path and message.
  public var description: String { path.isEmpty ? message : "\(path): \(message)" }
}
