package import Decoding
package import Measurement

/// What `foretoken tune` found: measurements, predictions, and the configuration that it chose.
///
/// The document that other commands read (`foretoken report`, `foretoken deploy --from-tuning`). Its JSON has the
/// properties' names in snake case. Times are in seconds, sizes in bytes, prices in US dollars.
package struct TuningResult: Sendable, Codable, Equatable {
  /// Names the layout. A reader refuses a number that it does not know; properties may be added within one number.
  package static let currentSchema = "foretoken.tuning/1"

  /// How the figures came about.
  package enum Source: String, Sendable, Codable {
    /// Models loaded here: every cost was measured, predictions were verified by runs.
    case local
    /// A server that cannot be reconfigured: its own window was measured, others were worked out.
    case endpoint
  }

  package struct Machine: Sendable, Codable, Equatable {
    /// The processor as the system names it; of an endpoint, its address.
    package var name: String
    package var threads: Int?
    package var kernels: String?
  }

  /// A target or a draft. What is not known is `nil`.
  package struct Model: Sendable, Codable, Equatable {
    /// As given on the command line, or as the server names it.
    package var name: String
    /// Format of the layers' matrices: none (bf16), int8 or int4.
    package var quantization: String?
    package var weightBytes, keyValueBytesPerToken: Int?
  }

  package struct Workload: Sendable, Codable, Equatable {
    /// Its name, or its file's.
    package var name: String
    /// Requests of one run.
    package var requests: Int
    /// Means of a request.
    package var promptTokens, outputTokens: Double
  }

  /// A point of T(n), or of a draft's d(n).
  package struct PassTime: Sendable, Codable, Equatable {
    /// Rows of the pass: sequences × (window + 1) while decoding.
    package var rows: Int
    package var seconds: Double
    /// The least that the machine's bandwidth and arithmetic allow; `nil` where they were not measured.
    package var floorSeconds: Double?
  }

  /// T(n) of the target or d(n) of a draft.
  package struct PassTimes: Sendable, Codable, Equatable {
    package var model: String
    package var isTarget: Bool
    /// Rows ascending.
    package var points: [PassTime]
  }

  /// A way to speculate, or not to.
  package struct Candidate: Sendable, Codable, Hashable {
    /// `nil` for plain decoding.
    @SpelledMethod package var method: SpeculationMethod?
    /// The draft's name; `nil` for methods without one.
    package var draft: String?
    /// Tokens proposed per verification (`num_speculative_tokens`); 0 for plain decoding.
    package var window: Int

    package static let plain = Candidate(method: nil, window: 0)

    package init(method: SpeculationMethod?, draft: String? = nil, window: Int) {
      self.method = method
      (self.draft, self.window) = (draft, window)
    }
  }

  /// How often proposals of one way to speculate are accepted.
  package struct Acceptance: Sendable, Codable, Equatable {
    /// Who proposes; its window is the largest that was looked at.
    package var candidate: Candidate
    /// The kind of prompt; `nil` for the whole workload.
    package var category: String?
    /// α_i: probability that position i is accepted given that those before it were. Element 0 is position 1.
    package var byPosition: [Double]
    /// Proposals at each position: what `byPosition` rests on.
    package var counts: [Int]
    /// Tokens per verification, the target's own included, at that window.
    package var meanLength: Double
  }

  /// What a candidate is expected to reach, or reached, at one concurrency.
  package struct Performance: Sendable, Codable, Equatable {
    /// Output tokens per second over the whole run.
    package var tokensPerSecond: Double
    /// Means over requests; time per output token is that after the first.
    package var timeToFirstToken, timePerOutputToken: Double
    /// What nine of ten requests stay below.
    package var timeToFirstTokenP90, timePerOutputTokenP90: Double?
  }

  /// A candidate at one concurrency: predicted, and measured where it was verified.
  package struct Entry: Sendable, Codable, Equatable {
    package var candidate: Candidate
    /// Requests at one time.
    package var concurrency: Int
    /// By the cost model; `nil` for what the model does not cover (`auto`, and what an endpoint does not let be known).
    package var predicted: Performance?
    /// Predicted tokens per second over those of plain decoding.
    package var predictedSpeedup: Double?
    /// Tokens per verification at this window; `nil` for plain decoding.
    package var meanAcceptanceLength: Double?
    /// Tokens per verification at which this window would break even.
    package var breakEvenLength: Double?
    /// Medians of the runs that verified it.
    package var measured: Performance?
    /// Tokens per second of those runs.
    package var measuredTokensPerSecond: Spread?
    /// Measured tokens per second over those of plain decoding in the same round.
    package var measuredSpeedup: Interval?
    /// Predicted over measured tokens per second, minus one.
    package var predictionError: Double?
    /// Whether it stays within the limits on latency, measured where verified; `nil` without limits.
    package var meetsObjectives: Bool?
    /// By measured throughput where verified, by predicted otherwise; `nil` without a price.
    package var dollarsPerMillionTokens: Double?

    /// Measured tokens per second where it was verified, predicted ones otherwise.
    package var bestTokensPerSecond: Double { measured?.tokensPerSecond ?? predicted?.tokensPerSecond ?? 0 }
    /// Measured speedup where it was verified, the predicted one otherwise.
    package var bestSpeedup: Double { knownSpeedup ?? 1 }
    package var knownSpeedup: Double? { measuredSpeedup?.estimate ?? predictedSpeedup }
    /// Whether the measurement leaves open if this is faster than plain decoding or slower. A single run has no interval,
    /// and a prediction none either.
    package var leavesGainOpen: Bool {
      measuredSpeedup.map { $0.lower < $0.upper && $0.lower <= 1 && $0.upper >= 1 } ?? false
    }
    /// The speedup as far as it is shown.
    package var shownSpeedup: Double { leavesGainOpen ? min(bestSpeedup, 1) : bestSpeedup }
  }

  /// An estimate and its confidence interval.
  package struct Interval: Sendable, Codable, Equatable {
    package var estimate, lower, upper: Double

    package init(estimate: Double, lower: Double, upper: Double) {
      (self.estimate, self.lower, self.upper) = (estimate, lower, upper)
    }
  }

  /// The window for a range of batch sizes.
  package struct WindowRange: Sendable, Codable, Equatable {
    package var first, last: Int
    /// Tokens to propose; 0 for plain decoding.
    package var window: Int
  }

  /// The configuration that was chosen.
  package struct Choice: Sendable, Codable, Equatable {
    /// Whether speculation pays at any concurrency that was asked for.
    package var speculates: Bool
    /// Why, in a sentence or two.
    package var reason: String
    /// `nil` when speculation does not pay.
    @SpelledMethod package var method: SpeculationMethod?
    /// The draft's name; `nil` for methods without one.
    package var draft: String?
    /// The largest window of `windows`; 0 when speculation does not pay.
    package var window: Int
    /// The window by batch size, without gaps from 1 to the largest concurrency.
    package var windows: [WindowRange]
    /// Flags for `foretoken serve` after the target; empty when speculation does not pay.
    package var flags: [String]
    /// JSON for vLLM's `--speculative-config`; `nil` when speculation does not pay or vLLM lacks the method.
    package var speculativeConfig: String?
    /// Values for Helm or Kustomize (YAML).
    package var values: String
  }

  /// Limits on latency that a choice has to keep, for nine of ten requests.
  package struct Objectives: Sendable, Codable, Equatable {
    package var timeToFirstToken, timePerOutputToken: Double?

    package init(timeToFirstToken: Double? = nil, timePerOutputToken: Double? = nil) {
      (self.timeToFirstToken, self.timePerOutputToken) = (timeToFirstToken, timePerOutputToken)
    }
  }

  package var schema = Self.currentSchema
  /// When it was measured, ISO 8601.
  package var createdAt: String
  /// The command that made it.
  package var command: String
  package var source: Source
  package var machine: Machine
  package var target: Model
  /// What was tried as drafts.
  package var drafts: [Model]
  package var workload: Workload
  /// Requests at one time that were asked for, ascending.
  package var concurrencies: [Int]
  package var objectives: Objectives
  /// T(n) and every d(n).
  package var passTimes: [PassTimes]
  /// Acceptance of every way to speculate, over the workload and by category.
  package var acceptance: [Acceptance]
  /// Every candidate at every concurrency.
  package var entries: [Entry]
  /// What is paid for the machine; `nil` when no price was given.
  package var price: Price?
  /// What each draft takes from the KV cache.
  package var draftMemory: [DraftMemory]
  /// Largest concurrency up to which speculation pays, between those measured by interpolation; `nil` where it pays
  /// at none, or still at the largest.
  package var breakEvenConcurrency: Double?
  /// What was assumed and what lies outside what was measured, a sentence each.
  package var assumptions: [String]
  package var choice: Choice

  package func entry(_ candidate: Candidate, at concurrency: Int) -> Entry? {
    entries.first { $0.candidate == candidate && $0.concurrency == concurrency }
  }
}

/// A method as documents spell it: by its own name, plain decoding as `none`.
@propertyWrapper
package struct SpelledMethod: Sendable, Codable, Hashable {
  package var wrappedValue: SpeculationMethod?

  package init(wrappedValue: SpeculationMethod?) { self.wrappedValue = wrappedValue }

  package init(from decoder: any Decoder) throws {
    let name = try decoder.singleValueContainer().decode(String.self)
    wrappedValue = SpeculationMethod(rawValue: name)
    guard wrappedValue != nil || name == Self.plain else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: "the method '\(name)' is not known"))
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(wrappedValue?.rawValue ?? Self.plain)
  }

  package static let plain = "none"
}
