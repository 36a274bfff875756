/// Tells a thought from what follows it, as the text comes: `<think>…</think>` at the beginning of an answer.
///
/// ```swift
/// var splitter = ReasoningSplitter(startsInside: ReasoningSplitter.startsInside(prompt: prompt))
/// for piece in splitter.append(text) { … }
/// ```
package struct ReasoningSplitter: Sendable {
  /// A piece of an answer.
  package enum Piece: Sendable, Equatable {
    /// Of the thought (`reasoning_content`).
    case reasoning(String)
    /// Of the answer proper (`content`).
    case content(String)
  }

  /// What opens a thought.
  package static let opening = "<think>"
  package static let closing = "</think>"

  private enum State {
    /// Only white space and perhaps a part of the opening tag so far.
    case beginning
    case thinking(isFirst: Bool)
    /// After the thought; its line breaks are not part of the answer.
    case between
    case answering
  }

  private var state: State
  private var held = ""

  /// A splitter for one answer.
  ///
  /// - Parameter startsInside: whether the prompt has opened the thought already.
  package init(startsInside: Bool = false) { state = startsInside ? .thinking(isFirst: true) : .beginning }

  /// Whether a prompt ends within a thought that it has opened.
  package static func startsInside(prompt: String) -> Bool {
    var text = prompt[...]
    while let last = text.last, last.isWhitespace { text = text.dropLast() }
    return text.hasSuffix(opening)
  }

  /// Whether the beginning of an answer breaks off within a thought.
  package static func isUnfinished(in answer: String) -> Bool {
    answer.drop(while: \.isWhitespace).hasPrefix(opening) && !answer.contains(closing)
  }

  /// What is known about the text up to here; what might belong to a tag is held back.
  package mutating func append(_ text: String) -> [Piece] {
    held += text
    return settle(isEnd: false)
  }

  /// The rest, when the answer has ended.
  package mutating func finish() -> [Piece] { settle(isEnd: true) }

  private mutating func settle(isEnd: Bool) -> [Piece] {
    var pieces: [Piece] = []
    while true {
      switch state {
      case .beginning:
        let text = held.drop(while: \.isWhitespace)
        if text.hasPrefix(Self.opening) {
          held = String(text.dropFirst(Self.opening.count))
          state = .thinking(isFirst: true)
        } else if !isEnd, Self.opening.hasPrefix(text) {
          return pieces
        } else {
          state = .answering
        }
      case .thinking(let isFirst):
        if isFirst {
          held = String(held.drop(while: \.isNewline))
          if held.isEmpty { return pieces }
        }
        state = .thinking(isFirst: false)
        if let range = held.firstRange(of: Self.closing) {
          let thought = held[..<range.lowerBound]
          if !thought.isEmpty { pieces.append(.reasoning(String(thought))) }
          held = String(held[range.upperBound...])
          state = .between
        } else {
          let kept = isEnd ? 0 : TextSearch.overlap(of: held, with: Self.closing)
          if held.count > kept { pieces.append(.reasoning(String(held.dropLast(kept)))) }
          held = String(held.suffix(kept))
          return pieces
        }
      case .between:
        held = String(held.drop(while: \.isNewline))
        if held.isEmpty { return pieces }
        state = .answering
      case .answering:
        if !held.isEmpty { pieces.append(.content(held)) }
        held = ""
        return pieces
      }
    }
  }
}

/// Looking for tags in text that comes in pieces.
enum TextSearch {
  /// Length of the longest end of `text` that is a proper beginning of `tag`.
  static func overlap(of text: some StringProtocol, with tag: String) -> Int {
    var length = min(text.count, tag.count - 1)
    while length > 0, !tag.hasPrefix(text.suffix(length)) { length -= 1 }
    return length
  }
}
