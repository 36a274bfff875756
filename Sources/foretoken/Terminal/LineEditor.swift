internal import CForetokenEditline
internal import Foundation
internal import Presentation

/// Reads lines with editing and a history that outlives the program; plain lines when input is no terminal or a dumb one.
final class LineEditor {
  /// What the user entered.
  enum Entry: Equatable {
    /// A line, or several that were pasted at once.
    case text(String)
    /// Ctrl-C, on a line with text or an empty one.
    case interrupt(hadText: Bool)
  }

  let isTerminal = isatty(FileHandle.standardInput.fileDescriptor) == 1
  private let isInteractive: Bool
  private let historyPath: String

  /// What has come of a paste is there within this time, in milliseconds.
  private static let pasteWait: Int32 = 20

  /// An editor whose history is kept in the user's state directory.
  init() {
    let environment = ProcessInfo.processInfo.environment
    isInteractive = isTerminal && environment["TERM"] ?? "dumb" != "dumb"
    let state = environment["XDG_STATE_HOME"] ?? (environment["HOME"] ?? NSHomeDirectory()) + "/.local/state"
    let folder = state + "/foretoken"
    try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    historyPath = folder + "/chat_history"
    if isInteractive {
      ft_editline_start()
      using_history()
      unsafe read_history(historyPath)
      stifle_history(1000)
    }
  }

  /// The next entry; `nil` at the end of input.
  func next(prompt: String) -> Entry? {
    guard isInteractive else {
      if isTerminal { emit(prompt) }
      return readLine().map(Entry.text)
    }
    guard var text = line(prompt) else {
      let interrupt = ft_editline_take_interrupt()
      return interrupt == 0 ? nil : .interrupt(hadText: interrupt == 2)
    }
    // Nobody types this fast: further lines belong to what was pasted.
    while isMoreWaiting, let more = line("") { text += "\n" + more }
    return .text(text)
  }

  private func line(_ prompt: String) -> String? {
    guard let line = unsafe readline(prompt) else { return nil }
    defer { unsafe free(line) }
    let text = unsafe String(cString: line)
    if !text.isEmpty {
      unsafe add_history(line)
      unsafe write_history(historyPath)
    }
    return text
  }

  private var isMoreWaiting: Bool {
    var descriptor = pollfd(fd: FileHandle.standardInput.fileDescriptor, events: Int16(POLLIN), revents: 0)
    return unsafe poll(&descriptor, 1, Self.pasteWait) > 0
  }
}
