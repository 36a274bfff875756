/// Lets through the thought that an answer begins with, so that only what follows is looked at for stop strings.
struct ThoughtGate {
  private enum State {
    /// Nothing but white space and perhaps a part of the opening tag so far; both wait.
    case beginning
    /// Within the thought.
    case inside
    /// The answer proper.
    case over
  }

  private let opening, closing: [UInt8]
  private var state: State
  /// What waits at the beginning: white space, and what followed it.
  private var blank: [UInt8] = []
  private var begun: [UInt8] = []
  /// The end of the thought as far as it was let through, in which the closing tag may have begun.
  private var tail: [UInt8] = []

  /// A gate for an answer that may begin with `thought`; one that is open for an answer that has none.
  init(_ thought: StopConditions.Thought?) {
    opening = Array((thought?.opening ?? "").utf8)
    closing = Array((thought?.closing ?? "").utf8)
    state =
      switch thought?.isOpen {
      case nil: .over
      case true?: .inside
      case false?: .beginning
      }
  }

  /// What of the text is the thought's, and what comes after it.
  mutating func split(_ text: String) -> (thought: String, answer: String) {
    switch state {
    case .over: return ("", text)
    case .inside: return pass(Array(text.utf8)[...])
    case .beginning:
      var rest = Array(text.utf8)[...]
      if begun.isEmpty {
        let spaces = rest.prefix { $0 == 0x20 || (0x09...0x0D).contains($0) }
        blank += spaces
        rest = rest.dropFirst(spaces.count)
      }
      begun += rest
      if begun.starts(with: opening) {
        state = .inside
        let head = Self.text(blank[...]) + Self.text(begun[..<opening.count])
        let (thought, answer) = pass(begun[opening.count...])
        (blank, begun) = ([], [])
        return (head + thought, answer)
      }
      return opening.starts(with: begun) ? ("", "") : ("", finish())
    }
  }

  /// What still waits, at the end of the answer.
  mutating func finish() -> String {
    guard state == .beginning else { return "" }
    state = .over
    defer { (blank, begun) = ([], []) }
    return Self.text(blank[...]) + Self.text(begun[...])
  }

  private mutating func pass(_ bytes: ArraySlice<UInt8>) -> (thought: String, answer: String) {
    let window = tail + bytes
    for start in window.indices where window[start...].starts(with: closing) {
      state = .over
      let end = bytes.startIndex + start + closing.count - tail.count
      return (Self.text(bytes[..<end]), Self.text(bytes[end...]))
    }
    tail = window.suffix(closing.count - 1)
    return (Self.text(bytes), "")
  }

  private static func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
}
