package import JSON
package import Tokenization

/// Reads the fields of a request's JSON object, naming the field in every error. `null` counts as absent.
package struct JSONFields {
  let object: JSONObject
  /// What stands before a field's name in messages: `stream_options.`.
  private let path: String

  package init(_ object: JSONObject, path: String = "") {
    self.object = object
    self.path = path
  }

  /// The value unless it is absent or `null`.
  package func value(_ key: String) -> JSONValue? {
    guard let value = object[key], value != .null else { return nil }
    return value
  }

  package func string(_ key: String) throws(APIError) -> String? {
    guard let value = value(key) else { return nil }
    guard case .string(let string) = value else { throw wrong(key, value, "a string") }
    return string
  }

  package func bool(_ key: String) throws(APIError) -> Bool? {
    guard let value = value(key) else { return nil }
    guard case .bool(let bool) = value else { throw wrong(key, value, "true or false") }
    return bool
  }

  package func integer(_ key: String, in range: ClosedRange<Int> = .min ... .max) throws(APIError) -> Int? {
    guard let value = value(key) else { return nil }
    let expected =
      switch range {
      case .min ... .max: "a whole number"
      case _ where range.upperBound == .max: "a whole number from \(range.lowerBound) up"
      default: "a whole number from \(range.lowerBound) to \(range.upperBound)"
      }
    guard let number = value.wholeNumber, range.contains(number) else { throw wrong(key, value, expected) }
    return number
  }

  package func number(_ key: String) throws(APIError) -> Double? {
    guard let value = value(key) else { return nil }
    guard let number = value.double else { throw wrong(key, value, "a number") }
    return number
  }

  package func array(_ key: String) throws(APIError) -> [JSONValue]? {
    guard let value = value(key) else { return nil }
    guard case .array(let array) = value else { throw wrong(key, value, "an array") }
    return array
  }

  package func fields(_ key: String) throws(APIError) -> JSONFields? {
    guard let value = value(key) else { return nil }
    guard case .object(let object) = value else { throw wrong(key, value, "an object") }
    return JSONFields(object, path: name(key) + ".")
  }

  /// One string or an array of strings.
  package func strings(_ key: String) throws(APIError) -> [String]? {
    guard let value = value(key) else { return nil }
    switch value {
    case .string(let string): return [string]
    case .array(let values):
      var strings: [String] = []
      for value in values {
        guard case .string(let string) = value else { throw wrong(key, value, "a string or an array of strings") }
        strings.append(string)
      }
      return strings
    default: throw wrong(key, value, "a string or an array of strings")
    }
  }

  /// An array of token ids.
  package func tokens(_ key: String) throws(APIError) -> [TokenID]? {
    guard let value = value(key) else { return nil }
    guard case .array(let values) = value, let tokens = Self.tokens(values) else {
      throw wrong(key, value, "an array of token ids")
    }
    return tokens
  }

  /// Token ids when every value is one.
  static func tokens(_ values: [JSONValue]) -> [TokenID]? {
    var tokens: [TokenID] = []
    tokens.reserveCapacity(values.count)
    for value in values {
      guard let number = value.wholeNumber, let token = TokenID(exactly: number) else { return nil }
      tokens.append(token)
    }
    return tokens
  }

  /// The field's name with its path.
  func name(_ key: String) -> String { path + key }

  /// 400: the field holds something else than `expected`.
  func wrong(_ key: String, _ value: JSONValue, _ expected: String) -> APIError {
    .badRequest(
      "\(name(key)) is \(Self.shown(value)); expected \(expected)", parameter: name(key),
      reason: "expected \(expected)")
  }

  /// 400: the field is missing.
  func missing(_ key: String, _ expected: String) -> APIError {
    .badRequest("\(name(key)) is missing; expected \(expected)", parameter: name(key))
  }

  /// A value as messages show it: short ones in full.
  static func shown(_ value: JSONValue) -> String {
    switch value {
    case .array(let values) where values.count > 8: return "an array of \(values.count) values"
    case .object: return "an object"
    default:
      let text = value.serialized(.python)
      return text.utf8.count <= 60 ? text : text.prefix(57) + "…"
    }
  }
}
