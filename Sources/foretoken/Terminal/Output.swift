internal import Foundation

/// Writes text to standard output at once, without a newline of its own.
func emit(_ text: String) {
  FileHandle.standardOutput.write(Data(text.utf8))
}

/// Writes a line to standard error.
func note(_ text: String) {
  FileHandle.standardError.write(Data((text + "\n").utf8))
}

/// Prints a value as JSON, keys sorted.
func emitJSON(_ value: some Encodable) throws {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  emit(String(decoding: try encoder.encode(value), as: UTF8.self) + "\n")
}

/// A byte count for people: "12.3 MB".
func readable(bytes: Int) -> String {
  var value = Double(bytes)
  for unit in ["B", "kB", "MB", "GB"] {
    if value < 1000 { return String(format: unit == "B" ? "%.0f %@" : "%.1f %@", value, unit) }
    value /= 1000
  }
  return String(format: "%.2f TB", value)
}

extension Optional where Wrapped == Double {
  /// The number with `digits` decimals, or a dash.
  func formatted(digits: Int, suffix: String = "") -> String {
    map { String(format: "%.\(digits)f", $0) + suffix } ?? "–"
  }
}
