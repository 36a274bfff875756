/// What `foretoken tune` found: measurements, predictions, and the configuration that it chose.
///
/// The document that other commands read (`foretoken report`, `foretoken deploy --from-tuning`). Its JSON has the
/// properties' names in snake case. Times are in seconds, sizes in bytes, prices in US dollars.
public struct TuningResult: Sendable, Codable, Equatable {
  /// Names the layout. A reader refuses a number that it does not know; properties may be added within one number.
  public static let currentSchema = "foretoken.tuning/1"

  /// How the figures came about.
  public enum Source: String, Sendable, Codable {
    /// Models loaded here: every cost was measured, predictions were verified by runs.
    case local
    /// A server that cannot be reconfigured: its own window was measured, others were worked out.
    case endpoint
  }

  /// Where it was measured.
  public struct Machine: Sendable, Codable, Equatable {
    /// The processor as the system names it; of an endpoint, its address.
    public var name: String
    /// Threads computing; `nil` where unknown.
    public var threads: Int?
    /// Kernels used; `nil` where unknown.
    public var kernels: String?

    /// A machine.
    public init(name: String, threads: Int? = nil, kernels: String? = nil) {
      self.name = name
      self.threads = threads
      self.kernels = kernels
    }
  }

  /// A target or a draft.
  public struct Model: Sendable, Codable, Equatable {
    /// As given on the command line, or as the server names it.
    public var name: String
    /// Format of the layers' matrices: none (bf16), int8 or int4; `nil` where unknown.
    public var quantization: String?
    /// Packed weights; `nil` where unknown.
    public var weightBytes: Int?
    /// Keys and values of one position; `nil` where unknown.
    public var keyValueBytesPerToken: Int?

    /// A model.
    public init(name: String, quantization: String? = nil, weightBytes: Int? = nil, keyValueBytesPerToken: Int? = nil) {
      self.name = name
      self.quantization = quantization
      self.weightBytes = weightBytes
      self.keyValueBytesPerToken = keyValueBytesPerToken
    }
  }

  /// What was generated.
  public struct Workload: Sendable, Codable, Equatable {
    /// Its name, or its file's.
    public var name: String
    /// Requests of one run.
    public var requests: Int
    /// Mean tokens of a prompt.
    public var promptTokens: Double
    /// Mean tokens of an answer.
    public var outputTokens: Double

    /// A workload.
    public init(name: String, requests: Int, promptTokens: Double, outputTokens: Double) {
      self.name = name
      self.requests = requests
      self.promptTokens = promptTokens
      self.outputTokens = outputTokens
    }
  }

  /// A point of T(n), or of a draft's d(n).
  public struct PassTime: Sendable, Codable, Equatable {
    /// Rows of the pass: sequences × (window + 1) while decoding.
    public var rows: Int
    /// Seconds that it takes.
    public var seconds: Double
    /// The least that the machine's bandwidth and arithmetic allow; `nil` where they were not measured.
    public var floorSeconds: Double?

    /// A point.
    public init(rows: Int, seconds: Double, floorSeconds: Double? = nil) {
      self.rows = rows
      self.seconds = seconds
      self.floorSeconds = floorSeconds
    }
  }

  /// T(n) of the target or d(n) of a draft.
  public struct PassTimes: Sendable, Codable, Equatable {
    /// The model's name.
    public var model: String
    /// Whether it is the target.
    public var isTarget: Bool
    /// Rows ascending.
    public var points: [PassTime]

    /// A curve.
    public init(model: String, isTarget: Bool, points: [PassTime]) {
      self.model = model
      self.isTarget = isTarget
      self.points = points
    }
  }

  /// A way to speculate, or not to.
  public struct Candidate: Sendable, Codable, Hashable {
    /// vLLM's name: `draft_model`, `ngram`, `suffix`; `auto` for Foretoken's own; `none` for plain decoding.
    public var method: String
    /// The draft's name; `nil` for methods without one.
    public var draft: String?
    /// Tokens proposed per verification (`num_speculative_tokens`); 0 for plain decoding.
    public var window: Int

    /// Plain decoding.
    public static let plain = Candidate(method: "none", draft: nil, window: 0)

    /// A candidate.
    public init(method: String, draft: String? = nil, window: Int) {
      self.method = method
      self.draft = draft
      self.window = window
    }
  }

  /// How often proposals of one way to speculate are accepted.
  public struct Acceptance: Sendable, Codable, Equatable {
    /// Who proposes; its window is the largest that was looked at.
    public var candidate: Candidate
    /// The kind of prompt; `nil` for the whole workload.
    public var category: String?
    /// α_i: probability that position i is accepted given that those before it were. Element 0 is position 1.
    public var byPosition: [Double]
    /// Proposals at each position: what `byPosition` rests on.
    public var counts: [Int]
    /// Tokens per verification, the target's own included, at that window.
    public var meanLength: Double

    /// An acceptance.
    public init(
      candidate: Candidate, category: String? = nil, byPosition: [Double], counts: [Int], meanLength: Double
    ) {
      self.candidate = candidate
      self.category = category
      self.byPosition = byPosition
      self.counts = counts
      self.meanLength = meanLength
    }
  }

  /// What a candidate is expected to reach, or reached, at one concurrency.
  public struct Performance: Sendable, Codable, Equatable {
    /// Output tokens per second over the whole run.
    public var tokensPerSecond: Double
    /// Mean time to the first token.
    public var timeToFirstToken: Double
    /// Mean time per output token after the first, of a request.
    public var timePerOutputToken: Double
    /// The same that nine of ten requests stay below.
    public var timePerOutputTokenP90: Double?
    /// The same of the time to the first token.
    public var timeToFirstTokenP90: Double?

    /// A performance.
    public init(
      tokensPerSecond: Double, timeToFirstToken: Double, timePerOutputToken: Double,
      timeToFirstTokenP90: Double? = nil, timePerOutputTokenP90: Double? = nil
    ) {
      self.tokensPerSecond = tokensPerSecond
      self.timeToFirstToken = timeToFirstToken
      self.timePerOutputToken = timePerOutputToken
      self.timeToFirstTokenP90 = timeToFirstTokenP90
      self.timePerOutputTokenP90 = timePerOutputTokenP90
    }
  }

  /// A candidate at one concurrency: predicted, and measured where it was verified.
  public struct Entry: Sendable, Codable, Equatable {
    /// How it speculates.
    public var candidate: Candidate
    /// Requests at one time.
    public var concurrency: Int
    /// By the cost model; `nil` for what the model does not cover (`auto`).
    public var predicted: Performance?
    /// Predicted tokens per second over those of plain decoding.
    public var predictedSpeedup: Double?
    /// Tokens per verification at this window; `nil` for plain decoding.
    public var meanAcceptanceLength: Double?
    /// Tokens per verification at which this window would break even.
    public var breakEvenLength: Double?
    /// Medians of the runs that verified it.
    public var measured: Performance?
    /// Tokens per second of those runs.
    public var measuredTokensPerSecond: Spread?
    /// Measured tokens per second over those of plain decoding in the same round.
    public var measuredSpeedup: Interval?
    /// Predicted over measured tokens per second, minus one.
    public var predictionError: Double?
    /// Whether it stays within the limits on latency, measured where verified; `nil` without limits.
    public var meetsObjectives: Bool?
    /// By measured throughput where verified, by predicted otherwise; `nil` without a price.
    public var dollarsPerMillionTokens: Double?

    /// An entry.
    public init(candidate: Candidate, concurrency: Int) {
      self.candidate = candidate
      self.concurrency = concurrency
    }

    /// Measured tokens per second where it was verified, predicted ones otherwise.
    public var bestTokensPerSecond: Double { measured?.tokensPerSecond ?? predicted?.tokensPerSecond ?? 0 }
    /// Measured speedup where it was verified, the predicted one otherwise.
    public var bestSpeedup: Double { measuredSpeedup?.estimate ?? predictedSpeedup ?? 1 }
    /// Whether the measurement leaves open if this is faster than plain decoding or slower. A single run has no interval,
    /// and a prediction none either.
    package var leavesGainOpen: Bool {
      measuredSpeedup.map { $0.lower < $0.upper && $0.lower <= 1 && $0.upper >= 1 } ?? false
    }
    /// The speedup as far as it is shown.
    package var shownSpeedup: Double { leavesGainOpen ? min(bestSpeedup, 1) : bestSpeedup }
  }

  /// An estimate and its confidence interval.
  public struct Interval: Sendable, Codable, Equatable {
    /// The estimate.
    public var estimate: Double
    /// Lower end.
    public var lower: Double
    /// Upper end.
    public var upper: Double

    /// An interval.
    public init(estimate: Double, lower: Double, upper: Double) {
      self.estimate = estimate
      self.lower = lower
      self.upper = upper
    }
  }

  /// The window for a range of batch sizes.
  public struct WindowRange: Sendable, Codable, Equatable {
    /// First batch size.
    public var first: Int
    /// Last batch size.
    public var last: Int
    /// Tokens to propose; 0 for plain decoding.
    public var window: Int

    /// A range.
    public init(first: Int, last: Int, window: Int) {
      self.first = first
      self.last = last
      self.window = window
    }
  }

  /// The configuration that was chosen.
  public struct Choice: Sendable, Codable, Equatable {
    /// Whether speculation pays at any concurrency that was asked for.
    public var speculates: Bool
    /// Why, in a sentence or two.
    public var reason: String
    /// `draft_model`, `ngram`, `suffix` or `auto`; `none` when speculation does not pay.
    public var method: String
    /// The draft's name; `nil` for methods without one.
    public var draft: String?
    /// The largest window of `windows`; 0 when speculation does not pay.
    public var window: Int
    /// The window by batch size, without gaps from 1 to the largest concurrency.
    public var windows: [WindowRange]
    /// Flags for `foretoken serve` after the target; empty when speculation does not pay.
    public var flags: [String]
    /// JSON for vLLM's `--speculative-config`; `nil` when speculation does not pay or vLLM lacks the method.
    public var speculativeConfig: String?
    /// Values for Helm or Kustomize (YAML).
    public var values: String

    /// A choice.
    public init(
      speculates: Bool, reason: String, method: String, draft: String?, window: Int, windows: [WindowRange],
      flags: [String], speculativeConfig: String?, values: String
    ) {
      self.speculates = speculates
      self.reason = reason
      self.method = method
      self.draft = draft
      self.window = window
      self.windows = windows
      self.flags = flags
      self.speculativeConfig = speculativeConfig
      self.values = values
    }
  }

  /// Limits on latency that a choice has to keep, for nine of ten requests.
  public struct Objectives: Sendable, Codable, Equatable {
    /// Longest time to the first token.
    public var timeToFirstToken: Double?
    /// Longest mean time per output token.
    public var timePerOutputToken: Double?

    /// Limits, each of which may be absent.
    public init(timeToFirstToken: Double? = nil, timePerOutputToken: Double? = nil) {
      self.timeToFirstToken = timeToFirstToken
      self.timePerOutputToken = timePerOutputToken
    }
  }

  /// The layout, `currentSchema`.
  public var schema = Self.currentSchema
  /// When it was measured, ISO 8601.
  public var createdAt: String
  /// The command that made it.
  public var command: String
  /// How the figures came about.
  public var source: Source
  /// Where it was measured.
  public var machine: Machine
  /// What decides on the text.
  public var target: Model
  /// What was tried as drafts.
  public var drafts: [Model]
  /// What was generated.
  public var workload: Workload
  /// Requests at one time that were asked for, ascending.
  public var concurrencies: [Int]
  /// Limits on latency.
  public var objectives: Objectives
  /// T(n) and every d(n).
  public var passTimes: [PassTimes]
  /// Acceptance of every way to speculate, over the workload and by category.
  public var acceptance: [Acceptance]
  /// Every candidate at every concurrency.
  public var entries: [Entry]
  /// What is paid for the machine; `nil` when no price was given.
  public var price: Price?
  /// What each draft takes from the KV cache.
  public var draftMemory: [DraftMemory]
  /// Largest concurrency up to which speculation pays, between those measured by interpolation; `nil` where it pays
  /// at none, or still at the largest.
  public var breakEvenConcurrency: Double?
  /// What was assumed and what lies outside what was measured, a sentence each.
  public var assumptions: [String]
  /// The configuration that was chosen.
  public var choice: Choice

  /// A result of the current layout.
  public init(
    createdAt: String,
    command: String,
    source: Source,
    machine: Machine,
    target: Model,
    drafts: [Model],
    workload: Workload,
    concurrencies: [Int],
    objectives: Objectives,
    passTimes: [PassTimes],
    acceptance: [Acceptance],
    entries: [Entry],
    price: Price? = nil,
    draftMemory: [DraftMemory],
    breakEvenConcurrency: Double? = nil,
    assumptions: [String],
    choice: Choice
  ) {
    self.createdAt = createdAt
    self.command = command
    self.source = source
    self.machine = machine
    self.target = target
    self.drafts = drafts
    self.workload = workload
    self.concurrencies = concurrencies
    self.objectives = objectives
    self.passTimes = passTimes
    self.acceptance = acceptance
    self.entries = entries
    self.price = price
    self.draftMemory = draftMemory
    self.breakEvenConcurrency = breakEvenConcurrency
    self.assumptions = assumptions
    self.choice = choice
  }
}

extension TuningResult {
  /// The entry of a candidate at a concurrency.
  public func entry(_ candidate: Candidate, at concurrency: Int) -> Entry? {
    entries.first { $0.candidate == candidate && $0.concurrency == concurrency }
  }
}
