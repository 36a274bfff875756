/// A dataset that cannot be used: where, what was found and what was expected.
package struct DatasetError: Error, Equatable, CustomStringConvertible {
  package let file: String
  /// From 1; `nil` when it concerns the whole file.
  package let line: Int?
  package let found, expected: String

  package var description: String {
    "\(file)\(line.map { ", line \($0)" } ?? ""): found \(found); expected \(expected)"
  }
}
