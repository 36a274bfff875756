import Foundation
import LoadTesting

/// Results of serving made up for tests, as the JSON that commands write.
enum ServingFixture {
  /// Counts and rates of a run of 100 requests in 10 seconds.
  static func figures(outputThroughput: Double = 500, completed: Int = 100) -> [String: Any] {
    [
      "duration": 10, "completed": completed, "failed": 0, "total_input_tokens": 1000, "total_output_tokens": 5000,
      "request_throughput": 10, "output_throughput": outputThroughput, "total_token_throughput": 600,
      "max_output_tokens_per_s": 700, "max_concurrent_requests": 4,
    ]
  }

  /// A latency under its metric's name; its mean and median are one.
  static func latency(
    _ metric: ServingMetric, mean: Double, percentiles: [String: Double], distribution: [Double] = []
  ) -> [String: Any] {
    let suffix = "_\(metric.rawValue)_ms"
    var fields: [String: Any] = [
      "count_\(metric.rawValue)": 100, "mean" + suffix: mean, "median" + suffix: mean, "std" + suffix: 1,
    ]
    for (percent, value) in percentiles { fields["p\(percent)" + suffix] = value }
    if !distribution.isEmpty { fields["distribution" + suffix] = distribution }
    return fields
  }

  static func speculation(drafts: Int, draftTokens: Int, accepted: Int, rates: [Double] = []) -> [String: Any] {
    [
      "spec_decode_source": "metrics", "spec_decode_num_drafts": drafts, "spec_decode_draft_tokens": draftTokens,
      "spec_decode_accepted_tokens": accepted, "spec_decode_per_position_acceptance_rates": rates,
    ]
  }

  /// A whole result with these figures over all, and those of its kinds of prompt.
  static func result(
    _ header: [String: Any], figures: [String: Any], categories: [String: [String: Any]] = [:]
  ) -> [String: Any] {
    var result = figures.merging(header) { $1 }
    result.merge(
      [
        "date": "20261121-150405", "backend": "openai-chat", "num_prompts": 100, "request_rate": "inf", "burstiness": 1,
        "seed": 0, "partial": false, "metadata": [String: String](),
        "client": ["cpu_utilization": 0.1, "p99_send_lag_ms": 0, "token_counts": ["continuous_usage"]],
        "categories": categories.map { $1.merging(["category": $0]) { $1 } },
      ] as [String: Any]
    ) { given, _ in given }
    return result
  }

  /// A comparison all of whose ratios are `ratio`.
  static func comparison(
    a: [String: Any], b: [String: Any], ratio: [String: Double], pairs: Int, outputs: [String: Any],
    categories: [String]
  ) -> [String: Any] {
    func category(_ name: String) -> [String: Any] {
      [
        "category": name, "pairs": pairs, "output_throughput": ratio, "ttft": ratio, "tpot": ratio, "e2el": ratio,
        "outputs": outputs,
      ]
    }
    return [
      "confidence": 0.95, "resamples": 2000, "overall": category("all"), "categories": categories.map(category), "a": a,
      "b": b,
    ]
  }

  static func data(_ object: [String: Any]) throws -> Data { try JSONSerialization.data(withJSONObject: object) }
}
