extension ServingFigures: Codable {
  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: FlatKey.self)
    func value<Value: Decodable>(_ name: String, as: Value.Type = Value.self) throws -> Value {
      try values.decode(Value.self, forKey: FlatKey(name))
    }
    duration = try value("duration")
    completed = try value("completed")
    failed = try value("failed")
    totalInputTokens = try value("total_input_tokens")
    totalOutputTokens = try value("total_output_tokens")
    requestThroughput = try value("request_throughput")
    requestGoodput = try values.decodeIfPresent(Double.self, forKey: FlatKey("request_goodput"))
    outputThroughput = try value("output_throughput")
    totalTokenThroughput = try value("total_token_throughput")
    maxOutputTokensPerSecond =
      try values.decodeIfPresent(Double.self, forKey: FlatKey("max_output_tokens_per_s")) ?? 0
    maxConcurrentRequests = try values.decodeIfPresent(Int.self, forKey: FlatKey("max_concurrent_requests")) ?? 0
    failures = try values.decodeIfPresent([FailureCount].self, forKey: FlatKey("failures")) ?? []
    latencies = [:]
    for metric in ServingMetric.allCases {
      latencies[metric] = try LatencySummary(metric, in: values)
    }
    speculation = try SpeculationFigures(in: values)
    tokensPerStepEstimate = try values.decodeIfPresent(Double.self, forKey: FlatKey("tokens_per_step_estimate"))
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: FlatKey.self)
    try values.encode(duration, forKey: FlatKey("duration"))
    try values.encode(completed, forKey: FlatKey("completed"))
    try values.encode(failed, forKey: FlatKey("failed"))
    try values.encode(totalInputTokens, forKey: FlatKey("total_input_tokens"))
    try values.encode(totalOutputTokens, forKey: FlatKey("total_output_tokens"))
    try values.encode(requestThroughput, forKey: FlatKey("request_throughput"))
    try values.encode(requestGoodput, forKey: FlatKey("request_goodput"))
    try values.encode(outputThroughput, forKey: FlatKey("output_throughput"))
    try values.encode(totalTokenThroughput, forKey: FlatKey("total_token_throughput"))
    try values.encode(maxOutputTokensPerSecond, forKey: FlatKey("max_output_tokens_per_s"))
    try values.encode(maxConcurrentRequests, forKey: FlatKey("max_concurrent_requests"))
    if !failures.isEmpty { try values.encode(failures, forKey: FlatKey("failures")) }
    for (metric, summary) in latencies { try summary.encode(metric, in: &values) }
    try speculation?.encode(in: &values)
    try values.encodeIfPresent(tokensPerStepEstimate, forKey: FlatKey("tokens_per_step_estimate"))
  }
}

extension LatencySummary {
  /// `mean_ttft_ms`, `median_ttft_ms`, `std_ttft_ms`, `p99_ttft_ms` and so on; `nil` if the object has none.
  init?(_ metric: ServingMetric, in values: KeyedDecodingContainer<FlatKey>) throws {
    let suffix = "_\(metric.rawValue)_ms"
    guard let mean = try values.decodeIfPresent(Double.self, forKey: FlatKey("mean" + suffix)) else { return nil }
    var percentiles: [Percentile] = []
    for key in values.allKeys where key.stringValue.hasPrefix("p") && key.stringValue.hasSuffix(suffix) {
      guard let percent = Double(key.stringValue.dropFirst().dropLast(suffix.count)) else { continue }
      percentiles.append(Percentile(percent: percent, milliseconds: try values.decode(Double.self, forKey: key)))
    }
    self.init(
      count: try values.decodeIfPresent(Int.self, forKey: FlatKey("count_\(metric.rawValue)")) ?? 0, mean: mean,
      median: try values.decode(Double.self, forKey: FlatKey("median" + suffix)),
      standardDeviation: try values.decode(Double.self, forKey: FlatKey("std" + suffix)),
      percentiles: percentiles.sorted { $0.percent < $1.percent },
      distribution: try values.decodeIfPresent([Double].self, forKey: FlatKey("distribution" + suffix)) ?? [])
  }

  func encode(_ metric: ServingMetric, in values: inout KeyedEncodingContainer<FlatKey>) throws {
    let suffix = "_\(metric.rawValue)_ms"
    try values.encode(count, forKey: FlatKey("count_\(metric.rawValue)"))
    try values.encode(mean, forKey: FlatKey("mean" + suffix))
    try values.encode(median, forKey: FlatKey("median" + suffix))
    try values.encode(standardDeviation, forKey: FlatKey("std" + suffix))
    for percentile in percentiles {
      let name = "p\(FlatKey.word(forPercent: percentile.percent))" + suffix
      try values.encode(percentile.milliseconds, forKey: FlatKey(name))
    }
    if !distribution.isEmpty { try values.encode(distribution, forKey: FlatKey("distribution" + suffix)) }
  }
}

extension SpeculationFigures {
  /// The keys `spec_decode_…`; `nil` if the object has none.
  init?(in values: KeyedDecodingContainer<FlatKey>) throws {
    guard let drafts = try values.decodeIfPresent(Int.self, forKey: FlatKey("spec_decode_num_drafts")) else {
      return nil
    }
    let rates =
      try values.decodeIfPresent([Double].self, forKey: FlatKey("spec_decode_per_position_acceptance_rates")) ?? []
    self.init(
      source: try values.decodeIfPresent(Source.self, forKey: FlatKey("spec_decode_source")) ?? .metrics,
      drafts: drafts, draftTokens: try values.decode(Int.self, forKey: FlatKey("spec_decode_draft_tokens")),
      acceptedTokens: try values.decode(Int.self, forKey: FlatKey("spec_decode_accepted_tokens")),
      acceptedPerPosition: rates.prefix(OutsideNumbers.mostPositions).map { OutsideNumbers.count($0 * Double(drafts)) })
  }

  /// The rate in percent, and rates by position as shares, as vLLM writes them.
  func encode(in values: inout KeyedEncodingContainer<FlatKey>) throws {
    try values.encode(source, forKey: FlatKey("spec_decode_source"))
    try values.encode(drafts, forKey: FlatKey("spec_decode_num_drafts"))
    try values.encode(draftTokens, forKey: FlatKey("spec_decode_draft_tokens"))
    try values.encode(acceptedTokens, forKey: FlatKey("spec_decode_accepted_tokens"))
    try values.encodeIfPresent(acceptanceRate.map { $0 * 100 }, forKey: FlatKey("spec_decode_acceptance_rate"))
    try values.encodeIfPresent(acceptanceLength, forKey: FlatKey("spec_decode_acceptance_length"))
    try values.encode(acceptanceRatePerPosition, forKey: FlatKey("spec_decode_per_position_acceptance_rates"))
  }
}
