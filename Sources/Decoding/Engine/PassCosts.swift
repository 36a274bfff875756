internal import Foundation

/// Seconds that a pass takes by its number of rows: T(n) of the target, or d(n) of a draft.
///
/// Measured when the model is loaded, and refined by every pass afterwards.
public struct PassCosts: Sendable, Equatable {
  /// Seconds by rows: element `n - 1` is T(n). Empty while nothing was measured.
  var seconds: [Double] = []
  /// What of it depends on the experts that a pass reads; `nil` for models without any.
  public internal(set) var experts: ExpertCosts?
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
  public init(samples: [(rows: Int, seconds: Double)], experts: ExpertCosts? = nil) {
    self.experts = experts
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
  /// Of a model with experts, with as many as so many rows are expected to go through, or as they did.
  ///
  /// - Parameter read: experts that the pass reads, added up over layers; those that are expected when `nil`.
  public func seconds(rows: Int, experts read: Int? = nil) -> Double {
    guard let last = seconds.last, rows > 0 else { return 0 }
    let additional = experts?.seconds(rows: rows, experts: read) ?? 0
    // Fewer experts than usual make a pass cheaper, but never free.
    func pass(_ usual: Double) -> Double { max(usual + additional, 0.1 * usual) * drift }
    if rows <= seconds.count { return pass(seconds[rows - 1]) }
    let half = seconds.count / 2
    let slope = half > 0 ? (last - seconds[half - 1]) / Double(seconds.count - half) : last
    return pass(last + slope * Double(rows - seconds.count))
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
  /// - Parameter read: experts that it read, added up over layers; 0 where there are none.
  public mutating func observe(rows: Int, seconds measured: Double, experts read: Int = 0, wasHeldUp: Bool = false) {
    guard rows > 0, isKnown else { return }
    let expected = seconds(rows: rows, experts: read > 0 ? read : nil)
    if read > 0 { experts?.observe(rows: rows, experts: read) }
    heldUp = wasHeldUp ? heldUp + 1 : 0
    guard heldUp % Self.heldUpInterval == 0 else { return }
    // How far off, at most by two thirds: the system may have interrupted the pass.
    let error = min(max(log(measured / expected), -0.5), 0.5)
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
}
