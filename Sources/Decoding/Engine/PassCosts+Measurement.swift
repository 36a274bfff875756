public import Transformer

extension PassCosts {
  private static let mostMeasuredRows = 128

  /// Times passes of `runner` that verify 1, 2, 3, … rows of one sequence; rows past those that can have logits are read.
  ///
  /// What the K/V memory holds is overwritten, so this is for a runner that serves nobody yet.
  ///
  /// - Parameters:
  ///   - limit: most rows to time. A large model is timed up to fewer, as far as `passes` passes of one row take; past
  ///     some rows arithmetic is all there is, and every row costs the same.
  ///   - known: costs of an earlier start. They are taken over when passes of one row and of eight still take about as long.
  ///   - budget: seconds to spend, if those passes take less.
  public static func measure(
    _ runner: any ModelRunner, rows limit: Int, known: PassCosts = PassCosts(), budget: Double = 0.4, passes: Int = 40
  ) throws(RunnerError) -> PassCosts {
    let capacity = runner.capacity
    let limit = min(
      limit, Self.mostMeasuredRows, capacity.rows, capacity.positions, capacity.blockCount * capacity.blockSize,
      (capacity.windows?.blockCount ?? capacity.blockCount) * capacity.blockSize)
    let blocks = Array(
      (0..<Int32(capacity.blockCount)).prefix((limit + capacity.blockSize - 1) / capacity.blockSize))
    let clock = ContinuousClock()
    func run(_ rows: Int, repeating: Bool = false) throws(RunnerError) -> (seconds: Double, experts: Int) {
      var batch = Batch()
      // Other tokens go through other experts.
      let tokens = (0..<rows).map { repeating ? 0 : Int32(($0 * 7919 + 13) % runner.vocabularySize) }
      batch.append(
        tokens, at: 0, blocks: blocks, logitCount: min(rows, capacity.logitRows),
        windowBlocks: capacity.windows == nil ? [] : blocks,
        states: capacity.measuredStates(from: 0, rows: rows, keeping: rows))
      let start = clock.now
      let result = try runner.run(Pass(batch))
      return ((clock.now - start) / .seconds(1), result.expertCount)
    }
    func time(_ rows: Int) throws(RunnerError) -> Double { try run(rows).seconds }
    // The first pass finds cold memory.
    _ = try time(1)
    let one = min(try time(1), try time(1))
    let place = min(known.seconds.count, checkedRows)
    if place >= min(limit, 4) {
      let several = min(try time(place), try time(place))
      let found = [one / known.seconds[0], several / known.seconds[place - 1]]
      if found.allSatisfy({ (0.8...1.25).contains($0) }) { return known }
    }
    let allowance = max(budget, Double(passes) * one)
    var counts = [1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 32, 48, 64, 96].filter { $0 < limit } + [limit]
    var best = counts.map { _ in Double.infinity }
    let started = clock.now
    // Rounds interleave the row counts, so that a slow moment hits all alike. The first one finds out how far they go.
    for round in 0..<8 {
      for (index, rows) in counts.enumerated() {
        let spent = (clock.now - started) / .seconds(1)
        let next = index == 0 ? 0 : best[index - 1] * Double(rows) / Double(counts[index - 1])
        if round == 0, index >= 4, spent + next > allowance / 2 {
          counts.removeLast(counts.count - index)
          break
        }
        best[index] = min(best[index], try time(rows))
      }
      if round > 0, (clock.now - started) / .seconds(1) > allowance { break }
    }
    var experts: ExpertCosts?
    if let layout = capacity.experts, let rows = counts.last(where: { $0 <= checkedRows }), rows > 1 {
      func lesser(
        _ one: (seconds: Double, experts: Int), _ other: (seconds: Double, experts: Int)
      ) -> (seconds: Double, experts: Int) { other.seconds < one.seconds ? other : one }
      var (various, alike) = ((seconds: Double.infinity, experts: 0), (seconds: Double.infinity, experts: 0))
      for _ in 0..<4 {
        various = lesser(various, try run(rows))
        alike = lesser(alike, try run(rows, repeating: true))
      }
      let more = various.experts - alike.experts
      experts = ExpertCosts(
        layout, secondsPerExpert: more > 0 ? max(0, various.seconds - alike.seconds) / Double(more) : 0, rows: rows,
        experts: various.experts)
    }
    return PassCosts(samples: zip(counts, best).map { (rows: $0, seconds: $1) }, experts: experts)
  }

  /// Rows of the larger pass that tells whether known costs still hold.
  private static let checkedRows = 8
}

extension PassCosts: Codable {
  private enum CodingKeys: String, CodingKey { case seconds, experts }

  /// Reads what `encode(to:)` wrote; numbers that no clock gives are refused.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let found = try container.decode([Double].self, forKey: .seconds)
    let experts = try container.decodeIfPresent(ExpertCosts.self, forKey: .experts)
    guard found.count <= Self.mostMeasuredRows, found.allSatisfy({ $0 > 0 && $0 < 3600 }),
      zip(found, found.dropFirst()).allSatisfy({ $0 <= $1 }), experts?.isPossible ?? true
    else {
      throw DecodingError.dataCorruptedError(forKey: .seconds, in: container, debugDescription: "not seconds by rows")
    }
    self.init()
    (seconds, self.experts) = (found, experts)
  }

  /// Seconds by rows, as they were measured.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(seconds, forKey: .seconds)
    try container.encodeIfPresent(experts, forKey: .experts)
  }
}
