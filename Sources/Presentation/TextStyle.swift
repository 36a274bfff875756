package import Foundation

/// Colours and weights on a terminal; plain text anywhere else.
package struct TextStyle: Sendable {
  package let isEnabled: Bool

  /// Styles what goes to `handle`: only on a terminal, and not when `NO_COLOR` is set or the terminal is dumb.
  package init(for handle: FileHandle) {
    let environment = ProcessInfo.processInfo.environment
    isEnabled =
      isatty(handle.fileDescriptor) == 1 && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
  }

  package func bold(_ text: String) -> String { paint(text, "1") }
  package func dim(_ text: String) -> String { paint(text, "2") }
  package func green(_ text: String) -> String { paint(text, "32") }
  package func yellow(_ text: String) -> String { paint(text, "33") }
  package func blue(_ text: String) -> String { paint(text, "34") }
  package func red(_ text: String) -> String { paint(text, "31") }
  package func cyan(_ text: String) -> String { paint(text, "36") }

  private func paint(_ text: String, _ code: String) -> String {
    isEnabled && !text.isEmpty ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
  }
}
