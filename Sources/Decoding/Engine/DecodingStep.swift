internal import Tokenization
internal import Transformer

/// What a step of the loop works on, from the schedule to the verdicts, share by share.
struct DecodingStep {
  let shares: [Scheduler.Share]
  /// For which of them proposals were asked.
  var isAsked: [Bool]
  var proposals: [Proposal]
  /// What all proposers had to offer, for requests that list it.
  var offers: [[Proposal]]
  var pass = Pass(Batch())
  /// The shares' rows in the pass's logits, or among its chosen tokens.
  var logitRows: [Range<Int>] = []
  /// Where the shares' rows begin among those of `pass.hiddenRows`.
  var firstHiddenRows: [Int] = []
  var result = PassResult()
  /// The tokens that each share's sequence goes on with.
  var verified: [[TokenID]]
  var clock = StepClock()

  init(_ shares: [Scheduler.Share]) {
    self.shares = shares
    isAsked = shares.map { _ in false }
    proposals = shares.map { _ in Proposal(origin: .target) }
    offers = shares.map { _ in [] }
    verified = shares.map { _ in [] }
  }

  /// Rows of the pass.
  var rowCount: Int {
    shares.reduce(0) { $0 + $1.positions.count } + proposals.reduce(0) { $0 + $1.tokens.count }
  }

  /// The row that decides on the first proposal of a share, or on its next token.
  func decidingRow(of index: Int) -> Int { logitRows[index].upperBound - proposals[index].tokens.count - 1 }

  /// How the sequences went on that proposals were asked for, after what their constraints foresaw.
  var verdicts: [Verdict] {
    shares.indices.filter { isAsked[$0] }.map { index in
      let foreseen = proposals[index].tokens.prefix(proposals[index].forcedCount)
      let isForeseen = verified[index].starts(with: foreseen)
      return Verdict(
        request: shares[index].request, tokens: isForeseen ? Array(verified[index].dropFirst(foreseen.count)) : [])
    }
  }

  /// The pass as proposers see it.
  ///
  /// - Parameter request: a request as it was before the pass.
  func targetPass(of request: (RequestID) -> ActiveRequest?) -> TargetPass {
    let rows = zip(zip(shares, pass.batch.slices), verified).map { pair, verified in
      let (share, slice) = pair
      let rows = slice.firstRow..<slice.firstRow + slice.rowCount
      let (active, end) = (request(share.request), share.positions.upperBound)
      let known = active?.tokens ?? []
      let next = share.reachesEnd ? verified.last : end < known.count ? known[end] : nil
      let kept = share.positions.count + (share.reachesEnd ? verified.count - 1 : 0)
      return TargetPass.Share(
        request: share.request, tokens: Array(pass.batch.tokens[rows]), firstPosition: slice.firstPosition,
        promptCount: active?.request.prompt.count ?? 0, kept: kept, next: next, blocks: slice.blocks, rows: rows)
    }
    return TargetPass(shares: rows, layers: pass.taps.layers, streams: result.taps)
  }
}

extension Scheduler.Share {
  /// Whether all that it computes is the last known token.
  var goesOnByOne: Bool { reachesEnd && positions.count == 1 }
}
