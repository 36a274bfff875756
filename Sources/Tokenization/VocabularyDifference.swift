/// An id that two tokenizers use differently.
public struct VocabularyDifference: Equatable, Sendable, CustomStringConvertible {
  /// The id.
  public let token: TokenID
  /// The text that the first tokenizer, the target's, has for it; `nil` if it does not use the id.
  public let targetText: String?
  /// The text that the other tokenizer, the draft's, has for it; `nil` if it does not use the id.
  public let draftText: String?

  /// For example `id 151: target 'foo', draft 'bar'`.
  public var description: String {
    func quoted(_ text: String?) -> String { text.map { "'\($0)'" } ?? "none" }
    return "id \(token): target \(quoted(targetText)), draft \(quoted(draftText))"
  }
}

extension Tokenizer {
  /// The first `limit` ids, ascending, that `self` (the target's tokenizer) and `other` (the draft's) do not use alike.
  ///
  /// An id that neither uses is padding and no difference, so vocabularies of different sizes can be equal.
  public func differences(from other: Tokenizer, limit: Int) -> [VocabularyDifference] {
    var differences: [VocabularyDifference] = []
    for id in 0..<TokenID(truncatingIfNeeded: max(vocabularySize, other.vocabularySize)) {
      guard differences.count < limit else { break }
      // GGUF files write spaces of added tokens otherwise than `tokenizer.json`; what decides is what tokens stand for.
      if vocabulary.utf8(of: id) != other.vocabulary.utf8(of: id),
        vocabulary.bytes(of: id) != other.vocabulary.bytes(of: id)
      {
        differences.append(
          VocabularyDifference(token: id, targetText: text(of: id), draftText: other.text(of: id)))
      }
    }
    return differences
  }
}
