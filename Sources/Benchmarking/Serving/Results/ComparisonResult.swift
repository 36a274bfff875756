/// What `foretoken compare A B` found: both sides' figures, and their ratios over the same requests.
public struct ComparisonResult: Sendable, Equatable, Codable {
  /// A ratio and the interval that holds it with the result's confidence. Above 1: A is the better one.
  public struct Ratio: Sendable, Equatable, Codable {
    public let ratio: Double
    public let lower: Double
    public let upper: Double

    public init(ratio: Double, lower: Double, upper: Double) {
      self.ratio = ratio
      self.lower = lower
      self.upper = upper
    }
  }

  /// Where two answers to one prompt part.
  public struct Difference: Sendable, Equatable, Codable {
    /// Which request.
    public let request: Int
    public let category: String
    public let prompt: String
    /// Characters that are the same.
    public let position: Int
    /// Text around that place in A's answer and in B's.
    public let a: String
    public let b: String

    public init(request: Int, category: String, prompt: String, position: Int, a: String, b: String) {
      self.request = request
      self.category = category
      self.prompt = prompt
      self.position = position
      self.a = a
      self.b = b
    }
  }

  /// Answers compared and equal.
  public struct Outputs: Sendable, Equatable, Codable {
    public let compared: Int
    public let equal: Int
    public let firstDifference: Difference?

    public init(compared: Int, equal: Int, firstDifference: Difference?) {
      self.compared = compared
      self.equal = equal
      self.firstDifference = firstDifference
    }

    private enum CodingKeys: String, CodingKey {
      case compared, equal
      case firstDifference = "first_difference"
    }
  }

  /// One kind of prompt, or all of them.
  public struct Category: Sendable, Equatable, Codable {
    public let name: String
    /// Pairs of blocks that both sides completed; the unit of resampling.
    public let pairs: Int
    /// A's output tokens per second over B's.
    public let outputThroughput: Ratio?
    /// B's mean latency over A's.
    public let ttft: Ratio?
    public let tpot: Ratio?
    public let e2el: Ratio?
    /// `nil` where answers are not to be compared (sampled ones).
    public let outputs: Outputs?

    public init(
      name: String, pairs: Int, outputThroughput: Ratio?, ttft: Ratio?, tpot: Ratio?, e2el: Ratio?,
      outputs: Outputs?
    ) {
      self.name = name
      self.pairs = pairs
      self.outputThroughput = outputThroughput
      self.ttft = ttft
      self.tpot = tpot
      self.e2el = e2el
      self.outputs = outputs
    }

    private enum CodingKeys: String, CodingKey {
      case pairs, ttft, tpot, e2el, outputs
      case name = "category"
      case outputThroughput = "output_throughput"
    }
  }

  /// Share of such intervals that hold the true ratio.
  public let confidence: Double
  public let resamples: Int
  public let overall: Category
  public let categories: [Category]
  public let a: ServingResult
  public let b: ServingResult

  public init(
    confidence: Double, resamples: Int, overall: Category, categories: [Category], a: ServingResult, b: ServingResult
  ) {
    self.confidence = confidence
    self.resamples = resamples
    self.overall = overall
    self.categories = categories
    self.a = a
    self.b = b
  }
}
