/// Requests per second that an open loop sends; infinite for as fast as places allow. In JSON a number or `"inf"`.
package struct RequestRate: Sendable, Equatable, CustomStringConvertible {
  package let perSecond: Double

  /// A positive number, or infinity.
  package init?(_ perSecond: Double) {
    guard perSecond > 0 else { return nil }
    self.perSecond = perSecond
  }

  private init() { perSecond = .infinity }

  /// Everything at once, or as places become free.
  package static let unlimited = RequestRate()

  package var isUnlimited: Bool { perSecond.isInfinite }
  package var description: String { isUnlimited ? "inf" : "\(perSecond)" }
}

extension RequestRate: Codable {
  package init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if let text = try? value.decode(String.self) {
      guard text == "inf" else {
        throw DecodingError.dataCorruptedError(
          in: value, debugDescription: "request_rate is \"\(text)\"; expected a number or \"inf\"")
      }
      self = .unlimited
    } else {
      let number = try value.decode(Double.self)
      guard let rate = RequestRate(number) else {
        throw DecodingError.dataCorruptedError(
          in: value, debugDescription: "request_rate is \(number); expected more than 0")
      }
      self = rate
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    if isUnlimited { try value.encode("inf") } else { try value.encode(perSecond) }
  }
}
