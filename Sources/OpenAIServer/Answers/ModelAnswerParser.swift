internal import StructuredOutput

/// Keeps apart what models write into one text: thoughts first, then calls of tools and content.
struct ModelAnswerParser: AnswerParser {
  private var thoughts: ReasoningSplitter?
  private var calls: ToolCallParser?
  private let givesReasoning: Bool

  /// - Parameters:
  ///   - thoughts: finds the thoughts; `nil` for a model that has none.
  ///   - calls: finds calls; `nil` when no tool may be called.
  ///   - givesReasoning: whether thoughts are given out or left out.
  init(thoughts: ReasoningSplitter?, calls: ToolCallParser?, givesReasoning: Bool = true) {
    self.givesReasoning = givesReasoning
    self.thoughts = thoughts
    self.calls = calls
  }

  mutating func consume(_ text: String) -> [AnswerPart] {
    guard let pieces = thoughts?.append(text) else { return afterThoughts(text) }
    return pieces.flatMap { parts(of: $0) }
  }

  mutating func finish(isCut: Bool) -> [AnswerPart] {
    var parts = (thoughts?.finish() ?? []).flatMap { self.parts(of: $0) }
    parts += (calls?.finish(isCut: isCut) ?? []).map(Self.part)
    return parts
  }

  private mutating func parts(of piece: ReasoningSplitter.Piece) -> [AnswerPart] {
    switch piece {
    case .reasoning(let text): givesReasoning ? [.reasoning(text)] : []
    case .content(let text): afterThoughts(text)
    }
  }

  private mutating func afterThoughts(_ text: String) -> [AnswerPart] {
    guard let events = calls?.append(text) else { return text.isEmpty ? [] : [.content(text)] }
    return events.map(Self.part)
  }

  private static func part(_ event: ToolCallParser.Event) -> AnswerPart {
    switch event {
    case .content(let text): .content(text)
    case .call(let index, let id, let name): .toolCall(index: index, id: id, name: name, arguments: "")
    case .arguments(let index, let text): .toolCall(index: index, id: nil, name: nil, arguments: text)
    }
  }
}
