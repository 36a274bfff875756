public import Decoding

/// Makes the proposer of a method. A new method is added here, and its proposer beside the others.
public struct ProposerFactory {
  /// Tokens that prompt lookup matches.
  public var lookupLengths: ClosedRange<Int>
  /// Bounds of the suffix index.
  public var suffix: SuffixProposer.Settings
  /// The draft model or the head, loaded.
  package var draft: (any DraftSource)?

  /// Tokens that prompt lookup matches where a request asks for it and nobody said how many.
  private static let chosenLengths = 2...5

  /// A factory with the settings of all methods.
  public init(
    lookupLengths: ClosedRange<Int> = 5...5, suffix: SuffixProposer.Settings = SuffixProposer.Settings()
  ) {
    (self.lookupLengths, self.suffix) = (lookupLengths, suffix)
  }

  /// The proposer of `method`; one that proposes nothing for `nil`.
  ///
  /// - Throws: `MissingProposer` for a method of other engines, or one whose draft is not there.
  public func proposer(of method: SpeculationMethod?) throws(MissingProposer) -> any Proposer {
    switch method {
    case nil: return NoProposer()
    case .ngram: return NGramProposer(lengths: lookupLengths)
    case .suffix: return SuffixProposer(settings: suffix)
    case .draftModel, .eagle3, .dflash, .mtp:
      guard let draft, let method, draft.origin.method == method else {
        throw MissingProposer(method: method ?? .draftModel)
      }
      return draft
    case .automatic:
      let index = SuffixProposer(settings: suffix)
      var shared: [SpeculationMethod: any Proposer] = [.suffix: index]
      if let draft, let method = draft.origin.method { shared[method] = draft }
      return MethodRouter(
        deciding: AdaptiveProposer(free: [index], draft: draft), shared: shared,
        others: [.ngram: NGramProposer(lengths: Self.chosenLengths)])
    }
  }
}

/// A method that no proposer is there for.
public struct MissingProposer: Error, Sendable, Equatable, CustomStringConvertible {
  /// Which.
  public let method: SpeculationMethod
  /// One sentence.
  public var description: String { "nothing proposes by the method '\(method.rawValue)' here" }
}
