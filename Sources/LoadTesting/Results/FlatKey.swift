/// A key of a flat JSON object whose names are put together, such as `p99_ttft_ms`.
struct FlatKey: CodingKey, Hashable {
  let stringValue: String
  var intValue: Int? { nil }

  init(_ name: String) { stringValue = name }
  init?(stringValue: String) { self.init(stringValue) }
  init?(intValue: Int) { nil }

  /// A percentile as vLLM writes it: `99`, `99.9`.
  static func word(forPercent percent: Double) -> String {
    percent == percent.rounded() && abs(percent) < 1e6 ? "\(Int(percent))" : "\(percent)"
  }
}
