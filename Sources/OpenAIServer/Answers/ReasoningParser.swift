/// Keeps thoughts apart: what an answer begins with between `<think>` and `</think>`.
///
/// A chat template may have opened the thoughts already, at the end of the prompt.
package struct ReasoningParser: AnswerParser {
  static let opening = "<think>"
  static let closing = "</think>"

  private enum State {
    /// Nothing but white space has come.
    case beginning
    case thinking
    /// The thoughts are over; white space before the answer is dropped.
    case between
    case answering
  }

  private var state: State
  /// Text that may be the beginning of a tag, or white space whose place is not known.
  private var held = ""

  /// A parser for the answer to `prompt`.
  package init(prompt: String) {
    let lastOpening = prompt.range(of: Self.opening, backwards: true)
    let lastClosing = prompt.range(of: Self.closing, backwards: true)
    switch (lastOpening, lastClosing) {
    case (let opening?, nil) where prompt[opening.upperBound...].allSatisfy(\.isWhitespace): state = .thinking
    case (let opening?, let closing?)
    where opening.lowerBound > closing.lowerBound && prompt[opening.upperBound...].allSatisfy(\.isWhitespace):
      state = .thinking
    default: state = .beginning
    }
  }

  package mutating func consume(_ text: String) -> [AnswerPart] {
    held += text
    var parts: [AnswerPart] = []
    while let part = step() { parts.append(part) }
    return parts
  }

  package mutating func finish() -> [AnswerPart] {
    let rest = held
    held = ""
    switch state {
    case .beginning, .answering: return rest.isEmpty ? [] : [.content(rest)]
    case .thinking: return rest.isEmpty ? [] : [.reasoning(rest)]
    case .between: return []
    }
  }

  /// The next part that is certain, if any.
  private mutating func step() -> AnswerPart? {
    switch state {
    case .beginning:
      let start = held.drop { $0.isWhitespace }
      if start.hasPrefix(Self.opening) {
        held = String(start.dropFirst(Self.opening.count))
        state = .thinking
        return step()
      }
      guard !start.isEmpty, !Self.opening.hasPrefix(start) else { return nil }
      state = .answering
      return step()
    case .thinking:
      if let end = held.range(of: Self.closing) {
        let thoughts = String(held[..<end.lowerBound])
        held = String(held[end.upperBound...])
        state = .between
        return thoughts.isEmpty ? step() : .reasoning(thoughts)
      }
      return release(keeping: Self.overlap(of: held, with: Self.closing)).map { .reasoning($0) }
    case .between:
      held = String(held.drop { $0.isWhitespace })
      guard !held.isEmpty else { return nil }
      state = .answering
      return step()
    case .answering: return release(keeping: 0).map { .content($0) }
    }
  }

  /// Hands out all but the last `count` characters.
  private mutating func release(keeping count: Int) -> String? {
    let text = String(held.dropLast(count))
    guard !text.isEmpty else { return nil }
    held = String(held.suffix(count))
    return text
  }

  /// Characters at the end of `text` that `tag` may begin with.
  private static func overlap(of text: String, with tag: String) -> Int {
    var length = min(text.count, tag.count - 1)
    while length > 0, !tag.hasPrefix(text.suffix(length)) { length -= 1 }
    return length
  }
}

extension String {
  /// Where `tag` stands first, or last.
  fileprivate func range(of tag: String, backwards: Bool = false) -> Range<String.Index>? {
    backwards ? ranges(of: tag).last : firstRange(of: tag)
  }
}
