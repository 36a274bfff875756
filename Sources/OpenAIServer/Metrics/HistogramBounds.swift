internal import Decoding

extension Histogram {
  /// From a fraction of a millisecond to minutes: times between tokens and to the first one.
  static let tokenSeconds: [Double] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5,
    7.5, 10, 20, 40, 80,
  ]
  /// From milliseconds to an hour: whole requests.
  static let requestSeconds: [Double] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960,
    1920,
  ]
  /// Token counts of prompts and answers.
  static let tokenCounts: [Double] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000]
}
