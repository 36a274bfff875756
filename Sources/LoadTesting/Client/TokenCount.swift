internal import Tokenization

/// Which events of an answer brought tokens, and how many, by the best that the answer tells.
struct TokenCount {
  /// An event with a choice.
  struct Piece {
    /// Seconds since the run began.
    let time: Double
    let text: String
    /// Whether it carries `finish_reason`.
    let ends: Bool
    /// Growth of the event's own `usage`.
    let runningUsage: Int?
    /// Log-probabilities or token ids that it carries.
    let ownTokens: Int?

    /// Nothing in it is a token for certain: it may be the end of the text, or part of a character.
    var isSilent: Bool { text.isEmpty && (runningUsage ?? 0) == 0 && (ownTokens ?? 0) == 0 }
  }

  let events: [RequestRecord.Event]
  let total: Int
  let source: RequestRecord.TokenCounts

  /// - Parameter total: `usage.completion_tokens`, if the answer said it.
  init(_ pieces: [Piece], total usage: Int?, tokenizer: Tokenizer?) {
    let spoken = pieces.filter { !$0.isSilent }
    if let counts = Self.all(spoken.map(\.runningUsage)), counts.reduce(0, +) == usage {
      self.init(spoken, counts, .continuousUsage)
    } else if let counts = Self.all(spoken.map(\.ownTokens)), usage == nil || counts.reduce(0, +) == usage {
      self.init(spoken, counts, .logprobs)
    } else if let counted = Self.onePerEvent(pieces, usage) {
      self = counted
    } else if let tokenizer, !spoken.isEmpty {
      self.init(spoken, Self.tokens(of: spoken.map(\.text), tokenizer, total: usage), .tokenizer)
    } else if let usage, !spoken.isEmpty {
      self.init(spoken, Self.shares(of: usage, by: spoken.map(\.text.utf8.count)), .estimated)
    } else {
      self.init(spoken, spoken.map { _ in 1 }, .events, total: usage)
    }
  }

  private init(_ pieces: [Piece], _ counts: [Int], _ source: RequestRecord.TokenCounts, total: Int? = nil) {
    events = zip(pieces, counts).map { RequestRecord.Event(time: $0.time, tokens: $1) }
    self.total = total ?? counts.reduce(0, +)
    self.source = source
  }

  private static func all(_ counts: [Int?]) -> [Int]? {
    let known = counts.compactMap { $0 }
    return known.count == counts.count && known.contains { $0 > 0 } ? known : nil
  }

  /// The case of as many events as tokens, with or without those that show no text; the token that ends an answer may have
  /// no event of its own.
  private static func onePerEvent(_ pieces: [Piece], _ usage: Int?) -> TokenCount? {
    let candidates = [
      pieces.filter { !$0.isSilent }, pieces.filter { !$0.isSilent || !$0.ends }, pieces,
    ]
    for candidate in candidates where candidate.count == usage {
      return TokenCount(candidate, candidate.map { _ in 1 }, .onePerEvent)
    }
    for candidate in candidates.prefix(2) where !candidate.isEmpty && candidate.count + 1 == usage {
      var counts = candidate.map { _ in 1 }
      counts[counts.count - 1] = 2
      return TokenCount(candidate, counts, .onePerEvent)
    }
    return nil
  }

  /// Tokens whose last byte lies in each text, scaled to `total` if that is known.
  private static func tokens(of texts: [String], _ tokenizer: Tokenizer, total: Int?) -> [Int] {
    var ends: [Int] = []
    var length = 0
    for token in tokenizer.encodeContinuation(texts.joined()) {
      length += tokenizer.bytes(of: token)?.count ?? 0
      ends.append(length)
    }
    var counts: [Int] = []
    var (next, bytes) = (0, 0)
    for (index, text) in texts.enumerated() {
      bytes += text.utf8.count
      let first = next
      while next < ends.count, ends[next] <= bytes || index == texts.count - 1 { next += 1 }
      counts.append(next - first)
    }
    return total.map { shares(of: $0, by: counts) } ?? counts
  }

  /// `total` in whole parts as nearly proportional to `weights` as rounding the running sum allows.
  static func shares(of total: Int, by weights: [Int]) -> [Int] {
    let sum = max(weights.reduce(0, +), 1)
    var (seen, given) = (0, 0)
    return weights.enumerated().map { index, weight in
      seen += weight
      let until =
        index == weights.count - 1 ? total : OutsideNumbers.count(Double(total) * Double(seen) / Double(sum))
      defer { given = until }
      return until - given
    }
  }
}
