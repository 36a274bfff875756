internal import StructuredOutput

/// Keeps apart what models write into one text: thoughts first, then calls of tools and content; or messages in channels.
struct ModelAnswerParser: AnswerParser {
  private enum Syntax: Sendable {
    case tags(thoughts: ReasoningSplitter?, calls: ToolCallParser?)
    case harmony(HarmonyParser)
  }

  private var syntax: Syntax
  private let givesReasoning: Bool

  /// - Parameters:
  ///   - thoughts: finds the thoughts; `nil` for a model that has none.
  ///   - calls: finds calls; `nil` when no tool may be called.
  ///   - givesReasoning: whether thoughts are given out or left out.
  init(thoughts: ReasoningSplitter?, calls: ToolCallParser?, givesReasoning: Bool = true) {
    syntax = .tags(thoughts: thoughts, calls: calls)
    self.givesReasoning = givesReasoning
  }

  /// A parser of gpt-oss's format.
  init(_ harmony: HarmonyParser, givesReasoning: Bool = true) {
    syntax = .harmony(harmony)
    self.givesReasoning = givesReasoning
  }

  mutating func consume(_ text: String) -> [AnswerPart] {
    switch syntax {
    case .tags(var thoughts, var calls):
      defer { syntax = .tags(thoughts: thoughts, calls: calls) }
      guard let pieces = thoughts?.append(text) else { return Self.afterThoughts(text, &calls) }
      return pieces.flatMap { parts(of: $0, &calls) }
    case .harmony(var parser):
      defer { syntax = .harmony(parser) }
      return parser.append(text).compactMap(part)
    }
  }

  mutating func finish(isCut: Bool) -> [AnswerPart] {
    switch syntax {
    case .tags(var thoughts, var calls):
      defer { syntax = .tags(thoughts: thoughts, calls: calls) }
      let parts = (thoughts?.finish() ?? []).flatMap { self.parts(of: $0, &calls) }
      return parts + (calls?.finish(isCut: isCut) ?? []).map(Self.part)
    case .harmony(var parser):
      defer { syntax = .harmony(parser) }
      return parser.finish().compactMap(part)
    }
  }

  private func part(_ event: HarmonyParser.Event) -> AnswerPart? {
    switch event {
    case .reasoning(let text): givesReasoning ? .reasoning(text) : nil
    case .answer(let event): Self.part(event)
    }
  }

  private func parts(of piece: ReasoningSplitter.Piece, _ calls: inout ToolCallParser?) -> [AnswerPart] {
    switch piece {
    case .reasoning(let text): givesReasoning ? [.reasoning(text)] : []
    case .content(let text): Self.afterThoughts(text, &calls)
    }
  }

  private static func afterThoughts(_ text: String, _ calls: inout ToolCallParser?) -> [AnswerPart] {
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
