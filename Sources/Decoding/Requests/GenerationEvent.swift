public import Tokenization

/// What an engine tells a request's client.
public enum GenerationEvent: Sendable, Equatable {
  /// A token of the answer.
  case token(GeneratedToken)
  /// The end; nothing follows.
  case finished(GenerationSummary)
}

/// A token of an answer.
public struct GeneratedToken: Sendable, Equatable {
  /// Token id.
  public let id: TokenID
  /// Text that this token completes; empty while a character or a possible stop string is incomplete.
  public var text: String
  /// Who wrote it.
  public let origin: TokenOrigin
  /// Its log-probability and the alternatives', when asked for.
  public let logprobs: TokenLogprobs?
  /// On the first token of each step: why as much was proposed as was, when asked for.
  public var decision: SpeculationDecision?
  /// What was proposed at its place, when asked for.
  public package(set) var proposals: TokenProposals?
  /// With the first token, when asked for: those of the prompt's tokens from the second on.
  public package(set) var promptLogprobs: [TokenLogprobs]?
}

/// Who wrote a token. The target decided on every one; the question is who named it first.
public enum TokenOrigin: String, Sendable, Equatable {
  /// Computed by the target itself: plain decoding, the correction after a rejection, the bonus after a full window.
  case target
  /// Proposed by a draft model, and accepted.
  case draftModel = "draft_model"
  /// Proposed by an EAGLE-3 head, and accepted.
  case eagle3
  /// Proposed by a DFlash head, and accepted.
  case dflash
  /// Proposed by the target's own MTP layer, and accepted.
  case mtp
  /// Proposed by prompt lookup, and accepted.
  case ngram
  /// Proposed from the suffix index, and accepted.
  case suffix
  /// Foreseen by the structure that the answer has to keep to, and chosen by the target.
  case grammar

  /// The method by which such tokens are proposed; `nil` for those that no method proposes.
  public var method: SpeculationMethod? { SpeculationMethod(rawValue: rawValue) }

  /// Whether somebody guessed the token before the target computed it.
  public var isProposed: Bool { self != .target }
}

/// The end of an answer.
public struct GenerationSummary: Sendable, Equatable {
  /// Why it ended.
  public let reason: FinishReason
  /// Text still held back when it ended; follows the last token's.
  public let remainingText: String
  /// Tokens of the prompt.
  public let promptTokens: Int
  /// Of these, tokens whose keys and values were in the cache already.
  public let cachedTokens: Int
  /// Tokens generated.
  public let outputTokens: Int
  /// How speculation went.
  public let speculation: SpeculationCounts
  /// Every verification of at least one proposal, in order; empty unless asked for (`listsVerifications`).
  public let verifications: [VerificationCounts]
  /// How long it took.
  public let timing: GenerationTiming
  /// What was wanted of the prompt (`GenerationRequest.pooling`); empty for an answer.
  public let pooled: [Float]
}

/// Durations of one request.
public struct GenerationTiming: Sendable, Equatable {
  /// From submission until the first pass that worked on it.
  public var queueSeconds: Double = 0
  /// From submission to the first token.
  public var firstTokenSeconds: Double = 0
  /// From submission to the end.
  public var totalSeconds: Double = 0
  /// Spent on making proposals: this request's part of what each step spent.
  public var proposingSeconds: Double = 0
  /// Spent on passes of the target, likewise.
  public var verifyingSeconds: Double = 0
  /// Spent on sampling, text and bookkeeping, likewise.
  public var otherSeconds: Double = 0
  /// Passes of the target that worked on it.
  public var passes = 0
  /// What its output tokens would have cost in passes of one row each, as measured; 0 when passes were not measured.
  public var plainSeconds: Double = 0

  /// Mean seconds per output token after the first (TPOT); `nil` when there was no second one.
  public func secondsPerOutputToken(_ outputTokens: Int) -> Double? {
    outputTokens > 1 ? (totalSeconds - firstTokenSeconds) / Double(outputTokens - 1) : nil
  }
}

/// One verification.
public struct VerificationCounts: Sendable, Equatable {
  /// Proposed tokens; at least one.
  public let proposed: Int
  /// Of these, those that stood.
  public let accepted: Int
}

/// Counters of speculation; every rate derives from them.
public struct SpeculationCounts: Sendable, Equatable {
  /// Verifications that checked at least one proposal.
  public private(set) var drafts = 0
  /// Proposed tokens.
  public private(set) var draftTokens = 0
  /// Proposals accepted.
  public private(set) var acceptedTokens = 0
  /// Accepted proposals by their place in the window.
  public private(set) var acceptedPerPosition: [Int] = []
  /// Proposals by their place in the window: not every verification has as many.
  public private(set) var proposedPerPosition: [Int] = []

  /// Nothing counted yet.
  public init() {}

  /// Counts one verification.
  public mutating func record(proposed: Int, accepted: Int) {
    guard proposed > 0 else { return }
    drafts += 1
    draftTokens += proposed
    acceptedTokens += accepted
    if acceptedPerPosition.count < proposed {
      acceptedPerPosition += Array(repeating: 0, count: proposed - acceptedPerPosition.count)
      proposedPerPosition += Array(repeating: 0, count: proposed - proposedPerPosition.count)
    }
    for position in 0..<accepted { acceptedPerPosition[position] += 1 }
    for position in 0..<proposed { proposedPerPosition[position] += 1 }
  }

  /// Adds another request's counters.
  public mutating func add(_ other: SpeculationCounts) {
    drafts += other.drafts
    draftTokens += other.draftTokens
    acceptedTokens += other.acceptedTokens
    acceptedPerPosition = Self.sum(acceptedPerPosition, other.acceptedPerPosition)
    proposedPerPosition = Self.sum(proposedPerPosition, other.proposedPerPosition)
  }

  /// Place by place; a list that ends has nothing further on.
  private static func sum(_ left: [Int], _ right: [Int]) -> [Int] {
    (0..<max(left.count, right.count)).map { place in
      (place < left.count ? left[place] : 0) + (place < right.count ? right[place] : 0)
    }
  }

  /// Accepted over proposed; `nil` when nothing was proposed.
  public var acceptanceRate: Double? {
    draftTokens > 0 ? Double(acceptedTokens) / Double(draftTokens) : nil
  }
  /// Tokens per verification, the target's own included: 1 + accepted / drafts; `nil` without drafts.
  public var meanAcceptanceLength: Double? {
    drafts > 0 ? 1 + Double(acceptedTokens) / Double(drafts) : nil
  }
}
