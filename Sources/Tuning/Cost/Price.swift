/// What an hour of the machine costs.
package struct Price: Sendable, Codable, Equatable {
  /// US dollars per hour.
  package var dollarsPerHour: Double
  /// The instance's name; `nil` for a price given by hand.
  package var instance: String?
  /// Where the figure comes from, and of what day.
  package var source: String?

  package init(dollarsPerHour: Double, instance: String? = nil, source: String? = nil) {
    (self.dollarsPerHour, self.instance, self.source) = (dollarsPerHour, instance, source)
  }

  /// What `--price-per-hour` left among a result's notes; `nil` where there is none, or no price.
  package init?(notes: [String: String]) {
    guard let dollars = notes["price_per_hour"].flatMap({ Double($0) }), dollars > 0, dollars.isFinite else {
      return nil
    }
    self.init(dollarsPerHour: dollars, instance: notes["price_instance"], source: notes["price_source"])
  }

  /// Dollars per million output tokens at `tokensPerSecond`; `nil` where nothing is generated.
  package func perMillionTokens(at tokensPerSecond: Double) -> Double? {
    guard tokensPerSecond > 0 else { return nil }
    return dollarsPerHour / 3600 / tokensPerSecond * 1_000_000
  }
}
