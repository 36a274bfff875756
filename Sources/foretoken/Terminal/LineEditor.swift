internal import CForetokenEditline
internal import Foundation

/// Reads lines with editing and a history that outlives the program; plain lines when input is not a terminal.
final class LineEditor {
  private let isInteractive = isatty(FileHandle.standardInput.fileDescriptor) == 1
  private let historyPath: String

  /// An editor whose history is kept in the user's state directory.
  init() {
    let environment = ProcessInfo.processInfo.environment
    let state = environment["XDG_STATE_HOME"] ?? (environment["HOME"] ?? NSHomeDirectory()) + "/.local/state"
    let folder = state + "/foretoken"
    try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    historyPath = folder + "/chat_history"
    if isInteractive {
      ft_editline_leave_signals()
      using_history()
      unsafe read_history(historyPath)
      stifle_history(1000)
    }
  }

  /// The next line; `nil` at the end of input.
  func next(prompt: String) -> String? {
    guard isInteractive else { return readLine() }
    guard let line = unsafe readline(prompt) else { return nil }
    defer { unsafe free(line) }
    let text = unsafe String(cString: line)
    if !text.isEmpty {
      unsafe add_history(line)
      unsafe write_history(historyPath)
    }
    return text
  }
}
