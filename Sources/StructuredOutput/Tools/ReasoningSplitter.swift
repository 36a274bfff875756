/// Tells a thought from what follows it, as the text comes: `<think>…</think>` at the beginning of an answer, or the tags
/// of another format.
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

  private enum State {
    /// Only white space and perhaps a part of the opening tag so far.
    case beginning
    case thinking(isFirst: Bool)
    /// After the thought; its line breaks are not part of the answer.
    case between
    case answering
  }

  private let opening, closing: String
  private var state: State
  private var held = ""

  /// A splitter for one answer.
  ///
  /// - Parameters:
  ///   - format: the tags that thoughts stand between.
  ///   - startsInside: whether the prompt has opened the thought already.
  package init(format: ReasoningFormat = .think, startsInside: Bool = false) {
    (opening, closing) = (format.opening, format.closing)
    state = startsInside ? .thinking(isFirst: true) : .beginning
  }

  /// Whether a prompt ends within a thought that it has opened.
  package static func startsInside(prompt: String, format: ReasoningFormat = .think) -> Bool {
    var text = prompt[...]
    while let last = text.last, last.isWhitespace { text = text.dropLast() }
    return text.hasSuffix(format.opening)
  }

  /// Whether the beginning of an answer breaks off within a thought.
  package static func isUnfinished(in answer: String, format: ReasoningFormat = .think) -> Bool {
    answer.drop(while: \.isWhitespace).hasPrefix(format.opening) && !answer.contains(format.closing)
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
        if text.hasPrefix(opening) {
          held = String(text.dropFirst(opening.count))
          state = .thinking(isFirst: true)
        } else if !isEnd, opening.hasPrefix(text) {
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
        if let range = held.firstRange(of: closing) {
          let thought = held[..<range.lowerBound]
          if !thought.isEmpty { pieces.append(.reasoning(String(thought))) }
          held = String(held[range.upperBound...])
          state = .between
        } else {
          let kept = isEnd ? 0 : TextSearch.overlap(of: held, with: closing)
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
