package import Decoding

/// A way to speculate that some engine has; names are vLLM's.
package enum DeployedMethod: Sendable, Hashable {
  case method(SpeculationMethod)
  /// A head that was trained on one target, which only vLLM has.
  case head(Head)

  package enum Head: String, Sendable {
    /// On the target's hidden states (EAGLE-3).
    case eagle3
    /// Proposes a whole block at once.
    case dflash
  }

  package static let draftModel = method(.draftModel), ngram = method(.ngram), suffix = method(.suffix)
  package static let auto = method(.automatic)
  package static let eagle3 = head(.eagle3), dflash = head(.dflash)

  /// Whether weights of their own are needed.
  package var needsDraft: Bool {
    switch self {
    case .method(let method): method.need != .nothing
    case .head: true
    }
  }

  /// Whether the draft is a head, not a model that stands alone.
  package var isHead: Bool { if case .head = self { true } else { false } }
}

extension DeployedMethod: RawRepresentable, CaseIterable {
  package static let allCases = [draftModel, eagle3, dflash, ngram, suffix, auto]

  package var rawValue: String {
    switch self {
    case .method(let method): method.rawValue
    case .head(let head): head.rawValue
    }
  }

  package init?(rawValue: String) {
    guard let found = Self.allCases.first(where: { $0.rawValue == rawValue }) else { return nil }
    self = found
  }
}
