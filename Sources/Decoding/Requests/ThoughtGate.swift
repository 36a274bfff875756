/// Lets through the thought that an answer begins with, so that only what follows is looked at for stop strings.
struct ThoughtGate {
  private enum State {
    /// Nothing but white space and perhaps a part of the opening tag so far; it waits.
    case beginning([UInt8])
    /// Within the thought; the end of what was let through, in which the closing tag may have begun.
    case inside([UInt8])
    /// The answer proper.
    case over
  }

  private let opening, closing: [UInt8]
  private var state: State

  /// A gate for an answer that may begin with `thought`; one that is open for an answer that has none.
  init(_ thought: StopConditions.Thought?) {
    opening = Array((thought?.opening ?? "").utf8)
    closing = Array((thought?.closing ?? "").utf8)
    state =
      switch thought?.isOpen {
      case nil: .over
      case true?: .inside([])
      case false?: .beginning([])
      }
  }

  /// What of the text is the thought's, and what comes after it.
  mutating func split(_ text: String) -> (thought: String, answer: String) {
    switch state {
    case .over: return ("", text)
    case .beginning(let held):
      let bytes = held + text.utf8
      let begun = bytes.drop { $0 == 0x20 || (0x09...0x0D).contains($0) }
      if begun.starts(with: opening) {
        let start = begun.startIndex + opening.count
        state = .inside([])
        let (thought, answer) = pass(bytes[start...])
        return (Self.text(bytes[..<start]) + thought, answer)
      }
      guard opening.starts(with: begun) else {
        state = .over
        return ("", Self.text(bytes[...]))
      }
      state = .beginning(bytes)
      return ("", "")
    case .inside: return pass(Array(text.utf8)[...])
    }
  }

  /// What still waits, at the end of the answer.
  mutating func finish() -> String {
    guard case .beginning(let held) = state else { return "" }
    state = .over
    return Self.text(held[...])
  }

  private mutating func pass(_ bytes: ArraySlice<UInt8>) -> (thought: String, answer: String) {
    guard case .inside(let tail) = state else { return ("", Self.text(bytes)) }
    let window = tail + bytes
    for start in window.indices where window[start...].starts(with: closing) {
      state = .over
      let end = bytes.startIndex + start + closing.count - tail.count
      return (Self.text(bytes[..<end]), Self.text(bytes[end...]))
    }
    state = .inside(window.suffix(closing.count - 1))
    return (Self.text(bytes), "")
  }

  private static func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
}
