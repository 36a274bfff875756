internal import Foundation
internal import JSON
internal import Tensor

/// Writes text to standard output at once, without a newline of its own.
///
/// Ends the process when it cannot be written: quietly when nobody reads it any more, as a signal would have done, else
/// with a sentence.
func emit(_ text: String) { emit(Data(text.utf8)) }

/// The same with bytes.
func emit(_ data: Data) {
  do { try FileHandle.standardOutput.write(contentsOf: data) } catch {
    if OutputFile.isBrokenPipe(error) { exit(128 + SIGPIPE) }
    note("Error: cannot write standard output: \(OutputFile.reason(error))")
    exit(EXIT_FAILURE)
  }
}

/// Writes a line to standard error, control characters escaped: it may quote files and servers.
func note(_ text: String) {
  // There is nobody to tell if that does not work.
  try? FileHandle.standardError.write(contentsOf: Data((text.escapingControls + "\n").utf8))
}

/// Prints a value as JSON, keys sorted.
func emitJSON(_ value: some Encodable) throws {
  emit(try JSONEncoder.sorted(indented: true).encode(value) + Data("\n".utf8))
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
