internal import Foundation
public import Transformer

/// Seconds that a pass takes by its number of rows: T(n) of the target, or d(n) of a draft.
///
/// Measured when the model is loaded, and refined by every pass afterwards.
public struct PassCosts: Sendable, Equatable {
  /// Seconds by rows: element `n - 1` is T(n). Empty while nothing was measured.
  private var seconds: [Double] = []
  /// What passes take at present, over what they took when `seconds` was measured: other load, longer contexts.
  public private(set) var drift = 1.0
  /// Passes learnt from, by rows.
  private var visits: [Int] = []
  /// Passes in a row that were held up.
  private var heldUp = 0

  /// Costs that nothing is known of.
  public init() {}

  /// Costs through measured points, straight lines between them.
  ///
  /// - Parameter samples: rows and seconds; rows ascending from 1. A pass over more rows never costs less.
  public init(samples: [(rows: Int, seconds: Double)]) {
    var (last, floor) = ((rows: 0, seconds: 0.0), 0.0)
    for sample in samples {
      floor = max(floor, sample.seconds)
      let start = last.rows == 0 ? floor : last.seconds
      for rows in last.rows..<sample.rows {
        seconds.append(start + (floor - start) * Double(rows + 1 - last.rows) / Double(sample.rows - last.rows))
      }
      last = (sample.rows, floor)
    }
  }

  /// Whether anything was measured.
  public var isKnown: Bool { !seconds.isEmpty }

  /// Seconds of a pass over `rows` rows; past the last measured point, by the slope of its second half.
  public func seconds(rows: Int) -> Double {
    guard let last = seconds.last, rows > 0 else { return 0 }
    if rows <= seconds.count { return seconds[rows - 1] * drift }
    let half = seconds.count / 2
    let slope = half > 0 ? (last - seconds[half - 1]) / Double(seconds.count - half) : last
    return (last + slope * Double(rows - seconds.count)) * drift
  }

  /// What one more row costs at `rows` rows, when rows are added `count` at a time: the least average over one, two or
  /// four times as many, as kernels that compute rows in tiles make costs a staircase.
  public func marginal(rows: Int, adding count: Int = 1) -> Double {
    let start = seconds(rows: rows)
    return [1, 2, 4].reduce(.infinity) { least, steps in
      min(least, (seconds(rows: rows + steps * count) - start) / Double(steps * count))
    }
  }

  /// The same costs where everything takes `factor` times as long.
  public func scaled(by factor: Double) -> PassCosts {
    var scaled = self
    scaled.drift *= factor
    return scaled
  }

  /// Of so many passes in a row that were held up, one counts.
  private static let heldUpInterval = 16

  /// Learns from a pass.
  ///
  /// - Parameter wasHeldUp: whether others had the processor meanwhile. What such a pass took says nothing about its size;
  ///   some of them count for the pace, so that a machine that is always busy is known as it is.
  public mutating func observe(rows: Int, seconds measured: Double, wasHeldUp: Bool = false) {
    guard rows > 0, isKnown else { return }
    heldUp = wasHeldUp ? heldUp + 1 : 0
    guard heldUp % Self.heldUpInterval == 0 else { return }
    // How far off, at most by two thirds: the system may have interrupted the pass.
    let error = min(max(log(measured / self.seconds(rows: rows)), -0.5), 0.5)
    // The whole follows at once, as hosts change their pace. How passes of different sizes compare, on which decisions
    // rest, hardly changes, but may have been measured in a bad moment: the first passes of a size count for much.
    drift *= exp(0.3 * error)
    guard rows <= seconds.count, !wasHeldUp else { return }
    if visits.isEmpty { visits = seconds.map { _ in 0 } }
    visits[rows - 1] += 1
    let step = error * max(0.03, 0.3 / Double(visits[rows - 1]).squareRoot())
    // Passes of about as many rows cost about as much: those of half or twice as many learn nothing.
    for other in rows / 2 + 1..<max(rows / 2 + 1, min(2 * rows, seconds.count + 1)) {
      let closeness = other < rows ? 2 * Double(other) / Double(rows) - 1 : 2 - Double(other) / Double(rows)
      seconds[other - 1] *= exp(step * closeness)
    }
  }

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
    func time(_ rows: Int) throws(RunnerError) -> Double {
      var batch = Batch()
      batch.append(
        Array(repeating: 0, count: rows), at: 0, blocks: blocks, logitCount: min(rows, capacity.logitRows),
        windowBlocks: capacity.windows == nil ? [] : blocks, states: capacity.stateSlots > 0 ? StatePlan() : nil)
      let start = clock.now
      _ = try runner.logits(of: batch)
      return (clock.now - start) / .seconds(1)
    }
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
    return PassCosts(samples: zip(counts, best).map { (rows: $0, seconds: $1) })
  }

  /// Rows of the larger pass that tells whether known costs still hold.
  private static let checkedRows = 8
}

extension PassCosts: Codable {
  /// Reads what `encode(to:)` wrote; numbers that no clock gives are refused.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let found = try container.decode([Double].self)
    guard found.count <= Self.mostMeasuredRows, found.allSatisfy({ $0 > 0 && $0 < 3600 }),
      zip(found, found.dropFirst()).allSatisfy({ $0 <= $1 })
    else { throw DecodingError.dataCorruptedError(in: container, debugDescription: "not seconds by rows") }
    self.init()
    seconds = found
  }

  /// Seconds by rows, as they were measured.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(seconds)
  }
}
