import Decoding
import Foundation
import Tuning

/// A tuning made up for tests, read as the JSON that it is kept as.
enum TuningFixture {
  private static func decoded<Value: Decodable>(_ object: [String: Any]) -> Value {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    guard let data = try? JSONSerialization.data(withJSONObject: object),
      let value = try? decoder.decode(Value.self, from: data)
    else { fatalError("the fixture is no \(Value.self)") }
    return value
  }

  private static func object(
    _ method: String, _ window: Int, at concurrency: Int, speedup: Double, isMeasured: Bool = true,
    draft: String? = nil, meets: Bool? = nil
  ) -> [String: Any] {
    var candidate: [String: Any] = ["method": method, "window": window]
    if let draft, window > 0 { candidate["draft"] = draft }
    let performance = [
      "tokens_per_second": 100 * speedup, "time_to_first_token": 0.1, "time_per_output_token": 0.01 / speedup,
    ]
    var entry: [String: Any] = [
      "candidate": candidate, "concurrency": concurrency, "predicted": performance, "predicted_speedup": speedup,
    ]
    if isMeasured {
      let rate = 100 * speedup
      entry["measured"] = performance
      entry["measured_tokens_per_second"] = [
        "median": rate, "lower_quartile": rate, "upper_quartile": rate, "minimum": rate,
      ]
      entry["measured_speedup"] = ["estimate": speedup, "lower": speedup * 0.95, "upper": speedup * 1.05]
      entry["prediction_error"] = 0.01
    }
    if window > 0 { (entry["mean_acceptance_length"], entry["break_even_length"]) = (2.5, 1.4) }
    if let meets { entry["meets_objectives"] = meets }
    return entry
  }

  /// A candidate at a concurrency with a speedup over plain decoding's 100 tokens per second.
  static func entry(
    _ method: SpeculationMethod?, _ window: Int, at concurrency: Int, speedup: Double, isMeasured: Bool = true,
    draft: String? = nil, meets: Bool? = nil
  ) -> TuningResult.Entry {
    decoded(
      object(
        method?.rawValue ?? "none", window, at: concurrency, speedup: speedup, isMeasured: isMeasured, draft: draft,
        meets: meets))
  }

  /// A whole result whose every text is `text`.
  static func result(text: String = "text") -> TuningResult {
    let entries = [1, 4].flatMap { concurrency in
      [
        object("none", 0, at: concurrency, speedup: 1),
        object("draft_model", 3, at: concurrency, speedup: 1.5, draft: text),
        object("draft_model", 4, at: concurrency, speedup: 1.4, isMeasured: false, draft: text),
      ]
    }
    return decoded([
      "schema": TuningResult.currentSchema, "created_at": text, "command": text, "source": "local",
      "machine": ["name": text, "threads": 2, "kernels": text],
      "target": ["name": text, "quantization": text, "weight_bytes": 1_000_000, "key_value_bytes_per_token": 100],
      "drafts": [["name": text, "quantization": text, "weight_bytes": 100_000, "key_value_bytes_per_token": 20]],
      "workload": ["name": text, "requests": 8, "prompt_tokens": 20, "output_tokens": 100], "concurrencies": [1, 4],
      "objectives": ["time_to_first_token": 0.5],
      "pass_times": [
        [
          "model": text, "is_target": true,
          "points": [
            ["rows": 1, "seconds": 0.01, "floor_seconds": 0.008],
            ["rows": 4, "seconds": 0.011, "floor_seconds": 0.008],
          ],
        ]
      ],
      "acceptance": [
        [
          "candidate": ["method": "draft_model", "draft": text, "window": 4], "category": text,
          "by_position": [0.9, 0.8, 0.7], "counts": [100, 90, 72], "mean_length": 3,
        ]
      ],
      "entries": entries, "price": ["dollars_per_hour": 1.2, "instance": text, "source": text],
      "draft_memory": [
        [
          "draft": text, "weight_bytes": 100_000, "key_value_bytes_per_token": 20, "target_weight_bytes": 1_000_000,
          "target_key_value_bytes_per_token": 100, "budget_bytes": 2_000_000,
        ]
      ],
      "break_even_concurrency": 6, "assumptions": [text],
      "choice": [
        "speculates": true, "reason": text, "method": "draft_model", "draft": text, "window": 3,
        "windows": [["first": 1, "last": 4, "window": 3]], "flags": ["--draft-model", text],
        "speculative_config": text, "values": text,
      ],
    ])
  }
}
