/// A file of a model directory that cannot be used.
public struct ModelFileError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The file concerned.
  public let path: String
  /// What was found in it and what was expected.
  public let reason: String

  /// An error about `path`.
  public init(_ path: String, _ reason: String) {
    self.path = path
    self.reason = reason
  }

  /// The path and the reason.
  public var description: String { "'\(path)': \(reason)" }
}
