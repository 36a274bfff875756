/// Why a text is not the JSON document that it should be.
package struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What was found and what was expected.
  package let message: String
  /// Line of the fault, from 1.
  package let line: Int
  /// Column of the fault in bytes, from 1.
  package let column: Int

  package var description: String { "JSON line \(line), column \(column): \(message)" }
}
