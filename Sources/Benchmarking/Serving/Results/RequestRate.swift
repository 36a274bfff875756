/// Requests per second that an open loop sends; infinite for as fast as places allow. In JSON a number or `"inf"`.
public struct RequestRate: Sendable, Equatable, CustomStringConvertible {
  public let perSecond: Double

  /// A positive number, or infinity.
  public init?(_ perSecond: Double) {
    guard perSecond > 0 else { return nil }
    self.perSecond = perSecond
  }

  private init() { perSecond = .infinity }

  /// Everything at once, or as places become free.
  public static let unlimited = RequestRate()

  public var isUnlimited: Bool { perSecond.isInfinite }
  public var description: String { isUnlimited ? "inf" : "\(perSecond)" }
}

extension RequestRate: Codable {
  public init(from decoder: any Decoder) throws {
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

  public func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    if isUnlimited { try value.encode("inf") } else { try value.encode(perSecond) }
  }
}
