/// What `foretoken compare A B` found: both sides' figures, and their ratios over the same requests.
package struct ServingComparisonResult: Sendable, Equatable, Codable {
  /// A ratio and the interval that holds it with the result's confidence; no interval where there were too few pairs.
  /// Above 1: A is the better one.
  package struct Ratio: Sendable, Equatable, Codable {
    package let ratio: Double
    package let lower, upper: Double?
  }

  /// Where two answers to one prompt part.
  package struct Difference: Sendable, Equatable, Codable {
    package let request: Int
    package let category, prompt: String
    /// Characters that are the same.
    package let position: Int
    /// Text around that place in A's answer and in B's.
    package let a: String
    package let b: String
  }

  /// Answers compared and equal.
  package struct Outputs: Sendable, Equatable, Codable {
    package let compared, equal: Int
    package let firstDifference: Difference?

    private enum CodingKeys: String, CodingKey {
      case compared, equal
      case firstDifference = "first_difference"
    }
  }

  /// One kind of prompt, or all of them.
  package struct Category: Sendable, Equatable, Codable {
    package let name: String
    /// Pairs of blocks that both sides completed; the unit of resampling.
    package let pairs: Int
    /// A's output tokens per second over B's.
    package let outputThroughput: Ratio?
    /// B's mean latency over A's.
    package let ttft: Ratio?
    package let tpot, e2el: Ratio?
    /// `nil` where answers are not to be compared (sampled ones).
    package let outputs: Outputs?

    private enum CodingKeys: String, CodingKey {
      case pairs, ttft, tpot, e2el, outputs
      case name = "category"
      case outputThroughput = "output_throughput"
    }
  }

  /// Share of such intervals that hold the true ratio.
  package let confidence: Double
  package let resamples: Int
  package let overall: Category
  package let categories: [Category]
  package let a, b: ServingResult
}
