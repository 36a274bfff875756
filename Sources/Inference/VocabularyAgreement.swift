package import Tokenization

/// Checks that a draft's token ids mean what the target's mean.
///
/// Sizes may differ by padding, as they do within one family of models; a token that differs would turn every
/// proposal after it into nonsense.
package enum VocabularyAgreement {
  /// Compares the token tables.
  ///
  /// - Throws: `VocabularyMismatch` with the first differences.
  package static func check(target: Tokenizer, draft: Tokenizer) throws(VocabularyMismatch) {
    let differences = target.differences(from: draft, limit: VocabularyMismatch.shownCount + 1)
    guard differences.isEmpty else { throw VocabularyMismatch(differences: differences) }
  }
}

/// Target and draft do not share a vocabulary.
package struct VocabularyMismatch: Error, Sendable, CustomStringConvertible {
  /// The first differences, by token id.
  package let differences: [VocabularyDifference]

  static let shownCount = 5

  /// One sentence with the first differences.
  package var description: String {
    let shown = differences.prefix(Self.shownCount).map { "\($0)" }.joined(separator: "; ")
    let more = differences.count > Self.shownCount ? "; and more" : ""
    return "target and draft do not share a vocabulary, so the draft cannot propose tokens: \(shown)\(more)"
  }
}
