internal import Decoding

/// An answer as a row of thoughts, texts and calls, one after the other, as it comes.
///
/// For APIs whose answers are such rows: OpenAI's responses and Anthropic's messages.
struct AnswerItems: Sendable {
  enum Kind: Sendable, Equatable {
    case thought
    case text
    /// A call of the function `name`; its text is the arguments' JSON.
    case call(id: String, name: String)
  }

  struct Item: Sendable {
    let kind: Kind
    fileprivate(set) var text = ""
    /// The tokens that the text is made of, where they are kept.
    fileprivate(set) var tokens: [GeneratedToken] = []
  }

  /// What has happened to the item at a place.
  enum Change: Sendable {
    case began(Int)
    case grew(Int, by: String, tokens: [GeneratedToken])
    case ended(Int)
  }

  private(set) var items: [Item] = []
  /// Tokens of the thought that the answer begins with, tags included.
  private(set) var thoughtTokens = 0
  private var parser: any AnswerParser
  private var isOpen = false
  private let keepsTokens: Bool
  /// Tokens whose text has not come to light.
  private var pending: [GeneratedToken] = []
  private var tokenCount = 0

  /// - Parameters:
  ///   - parser: has seen nothing yet.
  ///   - keepsTokens: whether items know the tokens of their texts.
  init(parser: any AnswerParser, keepsTokens: Bool) {
    self.parser = parser
    self.keepsTokens = keepsTokens
  }

  var hasCalls: Bool {
    items.contains { if case .call = $0.kind { true } else { false } }
  }

  mutating func consume(_ tokens: [GeneratedToken]) -> [Change] {
    var changes: [Change] = []
    for token in tokens {
      if keepsTokens { pending.append(token) }
      add(parser.consume(token.text), to: &changes)
      tokenCount += 1
    }
    return changes
  }

  /// The rest, once the answer has ended.
  mutating func finish(_ summary: GenerationSummary) -> [Change] {
    var changes: [Change] = []
    add(parser.consume(summary.remainingText) + parser.finish(isCut: summary.reason.isCut), to: &changes)
    if items.allSatisfy({ $0.kind == .thought }), !items.isEmpty { thoughtTokens = tokenCount }
    end(&changes)
    return changes
  }

  /// An empty text at the end, where an answer has to have one.
  mutating func addEmptyText() -> [Change] {
    var changes: [Change] = []
    begin(.text, &changes)
    end(&changes)
    return changes
  }

  private mutating func add(_ parts: [AnswerPart], to changes: inout [Change]) {
    for part in parts {
      switch part {
      case .reasoning(let text): grow(.thought, by: text, &changes)
      case .content(let text): grow(.text, by: text, &changes)
      case .toolCall(_, let id, let name, let arguments):
        if let id, let name { begin(.call(id: id, name: name), &changes) }
        if !arguments.isEmpty { grow(by: arguments, &changes) }
        pending = []
      }
    }
  }

  private mutating func grow(_ kind: Kind, by text: String, _ changes: inout [Change]) {
    if !isOpen || items.last?.kind != kind { begin(kind, &changes) }
    grow(by: text, &changes)
  }

  private mutating func begin(_ kind: Kind, _ changes: inout [Change]) {
    end(&changes)
    if kind != .thought, items.last?.kind == .thought { thoughtTokens = tokenCount }
    items.append(Item(kind: kind))
    isOpen = true
    changes.append(.began(items.count - 1))
  }

  private mutating func grow(by text: String, _ changes: inout [Change]) {
    let place = items.count - 1
    let tokens = takeTokens(of: text)
    items[place].text += text
    items[place].tokens += tokens
    if case .grew(place, let earlier, let before)? = changes.last {
      changes[changes.count - 1] = .grew(place, by: earlier + text, tokens: before + tokens)
    } else {
      changes.append(.grew(place, by: text, tokens: tokens))
    }
  }

  private mutating func end(_ changes: inout [Change]) {
    guard isOpen else { return }
    isOpen = false
    changes.append(.ended(items.count - 1))
  }

  /// The last pending tokens that `text` can be made of; those before it were tags.
  private mutating func takeTokens(of text: String) -> [GeneratedToken] {
    defer { pending = [] }
    var (length, start) = (0, pending.count)
    while start > 0, length < text.utf8.count || pending[start - 1].text.isEmpty {
      start -= 1
      length += pending[start].text.utf8.count
    }
    return Array(pending[start...])
  }
}
