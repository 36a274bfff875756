internal import Foundation
public import Tensor
public import Tokenization

/// Chooses the token of one output position: a pure function of (logits, parameters, token counts, position).
///
/// Steps, in vLLM's order: logit bias and penalties, temperature, min-p, top-k, top-p; then the largest sum of scaled
/// logit and Gumbel noise. Ties go to the lower token id. Logprobs are those of the raw logits, before all of this.
public struct Sampler: Sendable {
  /// What the request asked for.
  public let parameters: SamplingParameters
  /// Tokens that are not chosen at output positions below `opening`, as long as there is another choice.
  private let withheld: Set<TokenID>
  /// The first output position without restriction.
  private let opening: Int

  /// A sampler for one request.
  ///
  /// - Parameters:
  ///   - withheld: tokens that wait until there are `opening` tokens (`min_tokens`).
  public init(_ parameters: SamplingParameters, withholding withheld: Set<TokenID> = [], before opening: Int = 0) {
    var parameters = parameters
    if parameters.temperature < SamplingParameters.leastTemperature { parameters.temperature = 0 }
    self.parameters = parameters
    self.withheld = withheld
    self.opening = withheld.isEmpty ? 0 : opening
  }

  /// The token for output position `position`, given row `row` of `logits`.
  ///
  /// - Parameters:
  ///   - counts: the tokens before this position.
  ///   - position: 0 for the first generated token.
  ///   - mask: the tokens to choose among, which exist for no step otherwise; `nil` for all.
  public func sample(
    _ logits: Activations, row: Int, counts: TokenCounts, position: Int, mask: TokenMask? = nil
  ) -> TokenID {
    let mask = restricted(mask, at: position, of: logits)
    if parameters.takesRawArgmax, mask == nil { return TokenID(logits.argmax(row: row)) }
    return withAdjusted(logits, row: row, counts: counts) { logits in
      if mask == nil, let token = drawUnfiltered(logits, position: position) { return token }
      return draw(logits, position: position, mask: mask)
    }
  }

  /// The probabilities that `sample` draws with, for verification by rejection.
  public func distribution(
    _ logits: Activations, row: Int, counts: TokenCounts, position: Int, mask: TokenMask? = nil
  ) -> TokenDistribution {
    let mask = restricted(mask, at: position, of: logits)
    return withAdjusted(logits, row: row, counts: counts) { logits in
      let (candidates, top) = candidates(logits, mask: mask)
      return TokenDistribution(
        tokens: candidates.map { TokenID($0.token) }, weights: candidates.map { exp($0.scaled - top) })
    }
  }

  /// Whether the token at `position` and those after it are the ones of largest logit, or of largest sum of scaled logit
  /// and noise, among all tokens.
  package func isUnrestricted(from position: Int, vocabularySize: Int) -> Bool {
    guard position >= opening, !parameters.hasPenalties, parameters.logitBias.isEmpty else { return false }
    return parameters.temperature == 0
      || (parameters.minP == 0 && parameters.topP == 1 && !(1..<vocabularySize).contains(parameters.topK))
  }

  /// `mask` without the tokens that are withheld at `position`; `mask` itself where they are all that it has.
  private func restricted(_ mask: TokenMask?, at position: Int, of logits: Activations) -> TokenMask? {
    guard position < opening else { return mask }
    let rest = (mask ?? TokenMask(allBelow: logits.columns)).subtracting(withheld)
    return rest.isEmpty ? mask : rest
  }

  /// A number from 0 to 1 that depends on the seed, the output position and the purpose alone.
  public func uniform(position: Int, purpose: DrawPurpose) -> Double {
    let counter = SIMD4(
      0, UInt32(truncatingIfNeeded: position), UInt32(truncatingIfNeeded: position >> 32), purpose.rawValue)
    return (Double(Philox(key: parameters.seed).words(at: counter).x) + 0.5) * 0x1p-32
  }

  /// Calls `body` with a row of logits after logit bias and penalties.
  private func withAdjusted<Result>(
    _ logits: Activations, row: Int, counts: TokenCounts, _ body: (Span<Float>) -> Result
  ) -> Result {
    if !parameters.hasPenalties && parameters.logitBias.isEmpty { return logits.withRow(row, body) }
    var adjusted = logits.row(row)
    adjust(&adjusted, counts: counts)
    return body(adjusted.span)
  }

  /// Applies logit bias and penalties in place.
  private func adjust(_ logits: inout [Float], counts: TokenCounts) {
    // A draft may have fewer (padded) logits than the target that these ids were checked against.
    for (token, bias) in parameters.logitBias where token < logits.count { logits[Int(token)] += Float(bias) }
    guard parameters.hasPenalties else { return }
    if parameters.repetitionPenalty != 1 {
      let penalty = Float(parameters.repetitionPenalty)
      for token in counts.prompt.union(counts.output.keys) where token < logits.count {
        let logit = logits[Int(token)]
        logits[Int(token)] = logit > 0 ? logit / penalty : logit * penalty
      }
    }
    for (token, count) in counts.output where token < logits.count {
      logits[Int(token)] -= Float(parameters.frequencyPenalty) * Float(count) + Float(parameters.presencePenalty)
    }
  }

  /// The same as `draw` where nothing is filtered: most tokens' noise need not be computed.
  ///
  /// - Returns: `nil` where something is, or the numbers are out of the ordinary.
  private func drawUnfiltered(_ logits: Span<Float>, position: Int) -> TokenID? {
    let temperature = parameters.temperature
    guard temperature > 0, parameters.minP == 0, parameters.topP == 1,
      !(1..<logits.count).contains(parameters.topK)
    else { return nil }
    var noise = GumbelNoise(seed: parameters.seed, position: position)
    var winner = DrawCandidates.argmax(logits)
    var highest = Double(logits[winner]) / temperature + noise.value(of: winner)
    guard highest.isFinite else { return nil }
    var scratch = Array(repeating: UInt32(0), count: DrawCandidates.blockSize)
    for block in 0..<(logits.count + DrawCandidates.blockSize - 1) / DrawCandidates.blockSize {
      let isOrdinary = DrawCandidates.visit(
        logits, block: block, key: parameters.seed, position: position, temperature: temperature, least: highest,
        scratch: &scratch
      ) { token in
        let value = Double(logits[token]) / temperature + noise.value(of: token)
        if value > highest || (value == highest && token < winner) { (winner, highest) = (token, value) }
      }
      guard isOrdinary else { return nil }
    }
    return TokenID(winner)
  }

  /// Draws from the softmax of `logits / temperature` over what the filters leave.
  private func draw(_ logits: Span<Float>, position: Int, mask: TokenMask?) -> TokenID {
    var noise = GumbelNoise(seed: parameters.seed, position: position)
    let (candidates, _) = candidates(logits, mask: mask)
    var winner = candidates[0].token
    var highest = -Double.infinity
    for candidate in candidates {
      let value = candidate.scaled + noise.value(of: candidate.token)
      if value > highest { (winner, highest) = (candidate.token, value) }
    }
    return TokenID(winner)
  }

  /// The tokens that can be drawn, ascending, with logits over temperature, and the largest of these.
  private func candidates(_ logits: Span<Float>, mask: TokenMask?) -> (candidates: [Candidate], top: Double) {
    guard let mask else { return candidates(logits, among: logits.indices) }
    return candidates(logits, among: mask.tokens(below: logits.count))
  }

  /// The same, of `tokens`, which ascend.
  private func candidates(
    _ logits: Span<Float>, among tokens: some Collection<Int>
  ) -> (candidates: [Candidate], top: Double) {
    guard var best = tokens.first else { return ([Candidate(token: 0, scaled: 0)], 0) }
    for token in tokens where logits[token] > logits[best] || logits[best].isNaN { best = token }
    let temperature = parameters.temperature
    guard temperature > 0 else { return ([Candidate(token: best, scaled: 0)], 0) }
    let top = Double(logits[best]) / temperature
    // Less likely tokens lose against the most likely one whatever the noise; they are not worth drawing for.
    let reach = GumbelNoise.bounds.upperBound - GumbelNoise.bounds.lowerBound
    var candidates: [Candidate] = []
    for token in tokens {
      let scaled = Double(logits[token]) / temperature
      if scaled >= top - reach { candidates.append(Candidate(token: token, scaled: scaled)) }
    }
    filter(&candidates, top: top)
    return candidates.isEmpty ? ([Candidate(token: best, scaled: top)], top) : (candidates, top)
  }

  /// Removes what min-p, top-k and top-p exclude; leaves the rest in ascending order of token id.
  private func filter(_ candidates: inout [Candidate], top: Double) {
    if parameters.minP > 0 {
      let threshold = top + log(parameters.minP)
      candidates.removeAll { $0.scaled < threshold }
    }
    let limitsCount = parameters.topK > 0 && parameters.topK < candidates.count
    guard limitsCount || parameters.topP < 1 else { return }
    let total = limitsCount ? nil : candidates.reduce(0.0) { $0 + exp($1.scaled - top) }
    keepMostLikely(
      &candidates, top: top, count: limitsCount ? parameters.topK : nil, weight: total.map { $0 * parameters.topP })
    candidates.sort { $0.scaled > $1.scaled || ($0.scaled == $1.scaled && $0.token < $1.token) }
    if limitsCount { candidates.removeLast(candidates.count - parameters.topK) }
    if parameters.topP < 1 {
      let weights = candidates.map { exp($0.scaled - top) }
      let wanted = parameters.topP * (total ?? weights.reduce(0, +))
      var (sum, kept) = (0.0, 0)
      while kept < candidates.count, kept == 0 || sum < wanted {
        sum += weights[kept]
        kept += 1
      }
      candidates.removeLast(candidates.count - kept)
    }
    candidates.sort { $0.token < $1.token }
  }

  /// Leaves out most of what top-k or top-p would leave out after sorting, so that little is left to sort: whole bins of
  /// candidates, by their distance from the top, past the one that completes `count` candidates or `weight`.
  private func keepMostLikely(_ candidates: inout [Candidate], top: Double, count: Int?, weight: Double?) {
    let binsPerUnit = 8.0
    func bin(_ candidate: Candidate) -> Int {
      let distance = (top - candidate.scaled) * binsPerUnit
      return distance.isFinite ? Int(min(distance, 1023)) : 0
    }
    var counts = Array(repeating: 0, count: 1024)
    var weights = Array(repeating: 0.0, count: weight == nil ? 0 : 1024)
    for candidate in candidates {
      let bin = bin(candidate)
      counts[bin] += 1
      if weight != nil { weights[bin] += exp(candidate.scaled - top) }
    }
    var (last, number, sum) = (0, counts[0], weights.first ?? 0)
    // A little more weight than wanted: sums in another order differ in their last digits.
    while last < 1023, number < count ?? 0 || sum < (weight ?? 0) * (1 + 1e-9) {
      last += 1
      number += counts[last]
      if weight != nil { sum += weights[last] }
    }
    candidates.removeAll { bin($0) > last }
  }

  private struct Candidate {
    let token: Int
    /// Logit over temperature.
    let scaled: Double
  }
}
