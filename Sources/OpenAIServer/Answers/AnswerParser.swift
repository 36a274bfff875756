/// Splits an answer's text into what the API keeps apart, as the text comes.
///
/// The seam for formats of models: thoughts, tool calls. Parsers may be put one behind the other.
protocol AnswerParser: Sendable {
  /// The parts that `text` completes.
  mutating func consume(_ text: String) -> [AnswerPart]
  /// The rest, once the answer has ended.
  ///
  /// - Parameter isCut: whether it was broken off, by a limit or a stop string.
  mutating func finish(isCut: Bool) -> [AnswerPart]
}

/// A piece of an answer.
enum AnswerPart: Sendable, Equatable {
  /// What the user reads.
  case content(String)
  /// What the model thought before it answered.
  case reasoning(String)
  /// A piece of a function call; the first piece of a call carries its id and name.
  case toolCall(index: Int, id: String?, name: String?, arguments: String)
}
