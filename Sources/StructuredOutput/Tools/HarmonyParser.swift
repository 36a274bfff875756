/// The control tokens of gpt-oss's chat format, "harmony".
///
/// Source: the format's description, and the library `openai-harmony`.
package enum HarmonyTag {
  /// Begins a message: the author follows.
  package static let start = "<|start|>"
  /// The channel follows: `analysis`, `commentary` or `final`.
  package static let channel = "<|channel|>"
  /// The form of the content follows, such as `json`.
  package static let constrain = "<|constrain|>"
  /// The content follows.
  package static let message = "<|message|>"
  /// Ends a message.
  package static let end = "<|end|>"
  /// Ends the answer with a call.
  package static let call = "<|call|>"
  /// Ends the answer.
  package static let `return` = "<|return|>"

  static let all = [start, channel, constrain, message, end, call, `return`]
  /// The author of answers.
  static let assistant = start + "assistant"
  /// Where the functions of a request are.
  static let functions = "functions."
}

/// Reads an answer in gpt-oss's format as it comes: thoughts in the channel `analysis`, calls in messages to
/// `functions.NAME`, the answer in `final`, and what the model says beside calls in `commentary`.
///
/// What is no message of the format is the answer.
///
/// ```swift
/// var parser = HarmonyParser(prompt: prompt, names: ["get_weather"])
/// for event in parser.append(text) { … }
/// for event in parser.finish() { … }
/// ```
package struct HarmonyParser: Sendable {
  /// A piece of the answer.
  package enum Event: Sendable, Equatable {
    /// Of a thought.
    case reasoning(String)
    /// Of the answer proper, or of a call.
    case answer(ToolCallParser.Event)
  }

  /// What the message under way holds.
  package enum Place: Sendable, Equatable {
    /// None has begun.
    case header
    case reasoning, content
    case call
  }

  private enum State: Equatable {
    /// Before the content of a message; the author has been named, or may be.
    case header(namesAuthor: Bool)
    case body
    case between
  }

  /// Where the answer stands.
  package private(set) var place = Place.header
  private var state = State.header(namesAuthor: false)
  /// Text that is not settled yet.
  private var held = ""
  private var calls = 0
  /// Whether the message under way has given out text, and of what there was text before it.
  private var hasText = false
  private var hadReasoning = false
  private var hadContent = false
  private let names: Set<String>?
  private let makeID: @Sendable (Int) -> String

  private static let recipientMark = "to="
  /// Longer headers are none.
  private static let longestHeader = 1024
  /// What ends the content of a message. Models forget the end before they begin another.
  private static let endings = [
    HarmonyTag.end, HarmonyTag.call, HarmonyTag.return, HarmonyTag.start, HarmonyTag.channel,
  ]

  /// A parser for one answer.
  ///
  /// - Parameters:
  ///   - prompt: ends with the beginning of the message that the answer goes on with.
  ///   - names: the functions that can be called; a call of another is content. `nil` for none.
  ///   - makeID: makes the id of the call at an index.
  package init(
    prompt: String, names: Set<String>? = nil,
    makeID: @escaping @Sendable (Int) -> String = { _ in ToolCallParser.randomID() }
  ) {
    self.names = names
    self.makeID = makeID
    guard let begun = prompt.ranges(of: HarmonyTag.assistant).last else { return }
    _ = append(String(prompt[begun.upperBound...]))
    (hasText, hadReasoning, hadContent, calls) = (false, false, false, 0)
  }

  /// What is known about the text up to here.
  package mutating func append(_ text: String) -> [Event] {
    held += text
    var events: [Event] = []
    while step(&events, isEnd: false) {}
    return events
  }

  /// The rest, when the answer has ended.
  package mutating func finish() -> [Event] {
    var events: [Event] = []
    while step(&events, isEnd: true) {}
    endMessage(&events)
    return events
  }

  /// Settles some of the text; false when more is needed.
  private mutating func step(_ events: inout [Event], isEnd: Bool) -> Bool {
    switch state {
    case .header(let namesAuthor):
      if let end = held.firstRange(of: HarmonyTag.message) {
        let header = String(held[..<end.lowerBound])
        held = String(held[end.upperBound...])
        begin(header, &events)
        return true
      }
      if isHeader(namesAuthor: namesAuthor) {
        guard isEnd else { return false }
        // What breaks off within a header is no content either.
        let text = held.drop(while: \.isWhitespace)
        if namesAuthor || text.hasPrefix(Self.recipientMark) || text.hasPrefix("<|") {
          held = ""
          return false
        }
      }
      (state, place) = (.body, .content)
      return true
    case .body:
      let ending = Self.endings.compactMap { held.firstRange(of: $0) }.min { $0.lowerBound < $1.lowerBound }
      guard let ending else {
        let kept = isEnd ? 0 : Self.endings.map { TextSearch.overlap(of: held, with: $0) }.max() ?? 0
        give(String(held.dropLast(kept)), &events)
        held = String(held.suffix(kept))
        return false
      }
      give(String(held[..<ending.lowerBound]), &events)
      endMessage(&events)
      held = String(held[ending.lowerBound...])
      state = .between
      return true
    case .between:
      for tag in [HarmonyTag.end, HarmonyTag.call, HarmonyTag.return] where held.hasPrefix(tag) {
        held = String(held.dropFirst(tag.count))
      }
      held = String(held.drop(while: \.isWhitespace))
      if held.isEmpty { return false }
      if held.hasPrefix(HarmonyTag.start) {
        held = String(held.dropFirst(HarmonyTag.start.count))
        state = .header(namesAuthor: true)
        return true
      }
      if held.hasPrefix(HarmonyTag.channel) {
        state = .header(namesAuthor: false)
        return true
      }
      if !isEnd, Self.endings.contains(where: { $0.hasPrefix(held) }) { return false }
      (state, place) = (.body, .content)
      return true
    }
  }

  /// Whether what is held may become a header.
  private func isHeader(namesAuthor: Bool) -> Bool {
    let text = held.drop(while: \.isWhitespace)
    guard text.count <= Self.longestHeader else { return false }
    if namesAuthor || text.isEmpty { return true }
    return [HarmonyTag.channel, HarmonyTag.constrain, HarmonyTag.message, HarmonyTag.start, Self.recipientMark].contains
    {
      text.hasPrefix($0) || $0.hasPrefix(text)
    }
  }

  /// Begins the message with this header.
  private mutating func begin(_ header: String, _ events: inout [Event]) {
    func word(after mark: String) -> String? {
      header.ranges(of: mark).last.map { range in
        String(header[range.upperBound...].prefix { !$0.isWhitespace && $0 != "<" })
      }
    }
    state = .body
    hasText = false
    let recipient = word(after: Self.recipientMark) ?? ""
    let isFunction = recipient.hasPrefix(HarmonyTag.functions)
    let name = isFunction ? String(recipient.dropFirst(HarmonyTag.functions.count)) : recipient
    if !name.isEmpty, names?.contains(name) == true {
      place = .call
      events.append(.answer(.call(index: calls, id: makeID(calls), name: name)))
      calls += 1
    } else if isFunction {
      place = .content
    } else {
      // Of the tools that a model knows by itself none is here: what it writes for them is thought.
      place = word(after: HarmonyTag.channel) == "analysis" || !recipient.isEmpty ? .reasoning : .content
    }
  }

  /// Gives out text of the message under way. Messages of a kind are paragraphs of one text.
  private mutating func give(_ text: String, _ events: inout [Event]) {
    guard !text.isEmpty else { return }
    switch place {
    case .header: break
    case .reasoning: events.append(.reasoning((hadReasoning && !hasText ? "\n\n" : "") + text))
    case .content: events.append(.answer(.content((hadContent && !hasText ? "\n\n" : "") + text)))
    case .call: events.append(.answer(.arguments(index: calls - 1, text: text)))
    }
    hasText = true
  }

  private mutating func endMessage(_ events: inout [Event]) {
    switch place {
    case .header: break
    case .reasoning: hadReasoning = hadReasoning || hasText
    case .content: hadContent = hadContent || hasText
    case .call: if !hasText { events.append(.answer(.arguments(index: calls - 1, text: "{}"))) }
    }
    (place, hasText) = (.header, false)
  }
}
