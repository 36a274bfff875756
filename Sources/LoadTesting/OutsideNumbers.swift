package import JSON

/// Numbers that servers and files give: whatever they are, figures are made of them without a trap.
package enum OutsideNumbers {
  /// The largest count that is believed; beyond it the other side is wrong. Sums of millions of them fit 64 bits.
  package static let mostCounted = 10_000_000_000_000.0
  /// Most tokens of one answer, for which there is a place in memory each.
  static let mostTokens = 10_000_000
  package static let mostPositions = 1024

  /// The whole number nearest to `value` among those from 0 to `mostCounted`.
  package static func count(_ value: Double) -> Int {
    value > 0 ? Int(min(value, mostCounted).rounded()) : 0
  }

  /// The whole nanoseconds in `seconds`, from 0 to some thirty years: what a flag or a rate may ask for and a clock can
  /// still add to its time.
  static func nanoseconds(_ seconds: Double) -> Int64 {
    seconds > 0 ? Int64(min(seconds * 1e9, 1e18)) : 0
  }

  /// Refuses a document with a count that no measurement gives. What is larger still fits no integer, and is refused or
  /// drawn for what it is.
  ///
  /// - Parameter name: the file's name, for the error.
  package static func check(_ document: JSONValue, name: String) throws(ResultFileError) {
    var pending: [(key: String, value: JSONValue)] = [("", document)]
    while let (key, value) = pending.popLast() {
      switch value {
      case .object(let object): pending += object.pairs.map { ($0.key, $0.value) }
      case .array(let elements): pending += elements.map { (key, $0) }
      case .integer, .bigInteger, .number:
        guard key != "seed", let number = value.double, (mostCounted...1e19).contains(abs(number)) else { continue }
        throw ResultFileError(
          "'\(name)': '\(key)' is \(value.serialized()); expected a number of at most \(mostCounted), as a measurement gives"
        )
      case .null, .bool, .string: break
      }
    }
  }
}
