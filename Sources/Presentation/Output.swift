internal import ArgumentParser
package import Foundation
internal import JSON
internal import Tensor

/// Writes text to standard output at once, without a newline of its own.
///
/// Ends the process when it cannot be written: quietly when nobody reads it any more, as a signal would have done, else
/// with a sentence.
package func emit(_ text: String) { emit(Data(text.utf8)) }

/// The same with bytes.
package func emit(_ data: Data) {
  do { try FileHandle.standardOutput.write(contentsOf: data) } catch {
    if OutputFile.isBrokenPipe(error) { exit(128 + SIGPIPE) }
    note("Error: cannot write standard output: \(OutputFile.reason(error))")
    exit(EXIT_FAILURE)
  }
}

/// Writes a line to standard error, control characters escaped: it may quote files and servers.
package func note(_ text: String) {
  // There is nobody to tell if that does not work.
  try? FileHandle.standardError.write(contentsOf: Data((text.escapingControls + "\n").utf8))
}

/// Fails where outputs differed from plain decoding's.
package func requireLossless(_ holds: Bool) throws {
  guard !holds else { return }
  note("foretoken: speculation changed an output, which must never happen")
  throw ExitCode.failure
}

/// Prints a value as JSON, keys sorted.
package func emitJSON(_ value: some Encodable) throws {
  emit(try JSONEncoder.sorted(indented: true).encode(value) + Data("\n".utf8))
}

/// Writes parts of a report to standard output.
package func emit(_ blocks: ReportPage.Block...) {
  emit(TerminalWriter(style: TextStyle(for: .standardOutput)).text(blocks))
}

/// The same with a heading.
package func emit(_ section: ReportPage.Section) {
  emit(TerminalWriter(style: TextStyle(for: .standardOutput)).text(section))
}

/// Writes parts of a report to standard error.
package func note(_ blocks: ReportPage.Block...) {
  let text = TerminalWriter(style: TextStyle(for: .standardError)).text(blocks)
  try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
}
