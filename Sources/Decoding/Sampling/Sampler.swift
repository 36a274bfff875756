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

  /// A sampler for one request.
  public init(_ parameters: SamplingParameters) {
    self.parameters = parameters
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
    if parameters.takesRawArgmax, mask == nil { return TokenID(logits.argmax(row: row)) }
    if !parameters.hasPenalties && parameters.logitBias.isEmpty {
      return logits.withRow(row) { draw($0, position: position, mask: mask) }
    }
    var adjusted = logits.row(row)
    adjust(&adjusted, counts: counts)
    return draw(adjusted.span, position: position, mask: mask)
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

  private func draw(_ logits: Span<Float>, position: Int, mask: TokenMask?) -> TokenID {
    guard let mask else { return draw(logits, position: position, among: logits.indices) }
    return draw(logits, position: position, among: mask.tokens(below: logits.count))
  }

  /// Draws from the softmax of `logits / temperature` over what the filters leave of `tokens`, which ascend.
  private func draw(_ logits: Span<Float>, position: Int, among tokens: some Collection<Int>) -> TokenID {
    guard var best = tokens.first else { return 0 }
    for token in tokens where logits[token] > logits[best] || logits[best].isNaN { best = token }
    guard parameters.temperature > 0 else { return TokenID(best) }
    var noise = GumbelNoise(seed: parameters.seed, position: position)
    let temperature = parameters.temperature
    let top = Double(logits[best]) / temperature
    // Less likely tokens lose against the most likely one whatever the noise; they are not worth drawing for.
    let reach = GumbelNoise.bounds.upperBound - GumbelNoise.bounds.lowerBound
    var candidates: [Candidate] = []
    for token in tokens {
      let scaled = Double(logits[token]) / temperature
      if scaled >= top - reach { candidates.append(Candidate(token: token, scaled: scaled)) }
    }
    filter(&candidates, top: top)
    var winner = best
    var highest = -Double.infinity
    for candidate in candidates {
      let value = candidate.scaled + noise.value(of: candidate.token)
      if value > highest { (winner, highest) = (candidate.token, value) }
    }
    return TokenID(winner)
  }

  /// Removes what min-p, top-k and top-p exclude; leaves the rest in ascending order of token id.
  private func filter(_ candidates: inout [Candidate], top: Double) {
    if parameters.minP > 0 {
      let threshold = top + log(parameters.minP)
      candidates.removeAll { $0.scaled < threshold }
    }
    let limitsCount = parameters.topK > 0 && parameters.topK < candidates.count
    guard limitsCount || parameters.topP < 1 else { return }
    candidates.sort { $0.scaled > $1.scaled || ($0.scaled == $1.scaled && $0.token < $1.token) }
    if limitsCount { candidates.removeLast(candidates.count - parameters.topK) }
    if parameters.topP < 1 {
      let weights = candidates.map { exp($0.scaled - top) }
      let wanted = parameters.topP * weights.reduce(0, +)
      var (sum, kept) = (0.0, 0)
      while kept < candidates.count, kept == 0 || sum < wanted {
        sum += weights[kept]
        kept += 1
      }
      candidates.removeLast(candidates.count - kept)
    }
    candidates.sort { $0.token < $1.token }
  }

  private struct Candidate {
    let token: Int
    /// Logit over temperature.
    let scaled: Double
  }
}
