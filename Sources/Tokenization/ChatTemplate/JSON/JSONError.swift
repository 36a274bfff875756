/// Why a text is not the JSON document that it should be.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What was found and what was expected.
  public let message: String
  /// Line of the fault, from 1.
  public let line: Int
  /// Column of the fault in bytes, from 1.
  public let column: Int

  /// A sentence that names the place, what was found and what was expected.
  public var description: String { "JSON line \(line), column \(column): \(message)" }
}
