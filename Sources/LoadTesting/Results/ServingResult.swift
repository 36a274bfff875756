/// What `foretoken bench serve` measured: one flat object with the keys of vLLM's `--save-result`, and ours beside
/// them (`categories`, `*_itl_by_token_ms`, `failures`, `client_*`).
package struct ServingResult: Sendable, Equatable {
  /// How the run was asked for.
  package struct Header: Sendable, Equatable, Codable {
    /// When it began: `20261121-150405`, UTC.
    package var date: String
    /// `openai` or `openai-chat`.
    package var backend: String
    package var label: String?
    package var modelID: String
    package var tokenizerID: String?
    package var baseURL: String
    /// What the server says of itself at `/version`.
    package var serverVersion: String?
    /// What a Foretoken server says of what it serves, at `/v1/models`.
    package var served: [String: String]?
    /// The dataset or workload.
    package var dataset: String
    package var numPrompts: Int
    package var requestRate = RequestRate.unlimited
    package var rampUpStrategy: String?
    package var rampUpStartRPS, rampUpEndRPS: Double?
    package var burstiness = 1.0
    package var maxConcurrency: Int?
    package var seed: UInt64
    /// Whether Ctrl-C ended it before all requests were done.
    package var isPartial: Bool
    /// What the user noted with `--metadata`.
    package var metadata: [String: String]

    private enum CodingKeys: String, CodingKey {
      case date, backend, label, dataset, burstiness, seed, metadata, served
      case modelID = "model_id"
      case tokenizerID = "tokenizer_id"
      case baseURL = "base_url"
      case serverVersion = "server_version"
      case numPrompts = "num_prompts"
      case requestRate = "request_rate"
      case rampUpStrategy = "ramp_up_strategy"
      case rampUpStartRPS = "ramp_up_start_rps"
      case rampUpEndRPS = "ramp_up_end_rps"
      case maxConcurrency = "max_concurrency"
      case isPartial = "partial"
    }
  }

  /// A kind of prompt and what was measured over its requests.
  package struct Category: Sendable, Equatable {
    package var name: String
    package var figures: ServingFigures
  }

  /// What the load generator itself used.
  package struct Client: Sendable, Equatable, Codable {
    /// Processor seconds over seconds passed: 1 is one core.
    package var cpuUtilization: Double
    /// How late the latest percent of an open loop's requests went out, in milliseconds.
    package var p99SendLagMilliseconds: Double
    /// How the tokens of events were counted; more than one if requests differ.
    package var tokenCounts: [RequestRecord.TokenCounts]

    private enum CodingKeys: String, CodingKey {
      case cpuUtilization = "cpu_utilization"
      case p99SendLagMilliseconds = "p99_send_lag_ms"
      case tokenCounts = "token_counts"
    }
  }

  /// Every request's own values, as vLLM's `--save-detailed` keeps them; seconds.
  package struct Details: Sendable, Equatable, Codable {
    package var inputLengths, outputLengths: [Int]
    package var ttfts: [Double]
    package var itls: [[Double]]
    package var latencies, startTimes, queueTimes: [Double]
    package var generatedTexts: [String]
    /// Empty text for a request that completed.
    package var errors: [String]
    package var categories: [String]

    private enum CodingKeys: String, CodingKey {
      case ttfts, itls, latencies, errors
      case inputLengths = "input_lens"
      case outputLengths = "output_lens"
      case startTimes = "start_times"
      case queueTimes = "queue_times"
      case generatedTexts = "generated_texts"
      case categories = "request_categories"
    }
  }

  package var header: Header
  /// Over all requests.
  package var total: ServingFigures
  /// In the order of the workload.
  package var categories: [Category]
  package var client: Client
  package var details: Details?
}

extension ServingResult.Header {
  mutating func note(_ arrivals: ArrivalSchedule) {
    (requestRate, burstiness) = (arrivals.rate, arrivals.burstiness)
    rampUpStrategy = arrivals.rampUp?.strategy.rawValue
    (rampUpStartRPS, rampUpEndRPS) = (arrivals.rampUp?.start.perSecond, arrivals.rampUp?.end.perSecond)
  }

  /// Requests per second as asked for; `nil` in a closed loop.
  package var configuredRate: String? {
    if let rampUpStrategy, let rampUpStartRPS, let rampUpEndRPS {
      return "\(rampUpStartRPS) to \(rampUpEndRPS), \(rampUpStrategy)"
    }
    return requestRate.isUnlimited ? nil : requestRate.description
  }
}

extension ServingResult.Details {
  /// The values of `records`, in their order.
  package init(_ records: [RequestRecord]) {
    self.init(
      inputLengths: records.map(\.inputTokens), outputLengths: records.map(\.outputTokens),
      ttfts: records.map { $0.timeToFirstToken ?? 0 }, itls: records.map(\.eventGaps),
      latencies: records.map(\.latency), startTimes: records.map(\.start),
      queueTimes: records.map { $0.start - $0.arrival }, generatedTexts: records.map(\.text),
      errors: records.map { $0.failure?.description ?? "" }, categories: records.map(\.category))
  }
}

extension ServingResult: Codable {
  private enum CodingKeys: String, CodingKey { case categories, client }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      header: try Header(from: decoder), total: try ServingFigures(from: decoder),
      categories: try values.decode([Category].self, forKey: .categories),
      client: try values.decode(Client.self, forKey: .client), details: try? Details(from: decoder))
  }

  package func encode(to encoder: any Encoder) throws {
    try header.encode(to: encoder)
    try total.encode(to: encoder)
    try details?.encode(to: encoder)
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(categories, forKey: .categories)
    try values.encode(client, forKey: .client)
  }
}

extension ServingResult.Category: Codable {
  private enum CodingKeys: String, CodingKey { case name = "category" }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    self.init(name: try values.decode(String.self, forKey: .name), figures: try ServingFigures(from: decoder))
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(name, forKey: .name)
    try figures.encode(to: encoder)
  }
}
