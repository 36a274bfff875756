internal import JSON

/// What `multipleOf` says, in decimal: a number is a multiple when, `decimals` places to the right, it is a multiple of
/// `step`.
struct MultipleOf: Sendable, Equatable {
  let step: Int
  let decimals: Int

  /// Larger steps take automata that are too large.
  static let largestStep = 1_000

  /// The keyword of a schema; `nil` without it.
  ///
  /// - Throws: `ConstraintError` for what is no number above 0, and for steps that are not supported.
  init?(_ schema: JSONValue, at pointer: String) throws(ConstraintError) {
    guard let value = schema["multipleOf"] else { return nil }
    let text: String
    switch value {
    case .integer(let number) where number > 0: text = String(number)
    case .number(let number) where number > 0: text = "\(number)"
    default:
      throw ConstraintError(
        path: pointer + "/multipleOf", message: "is \(value.serialized()); expected a number above 0")
    }
    let parts = text.lowercased().split(separator: "e")
    let digits = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    var fraction = digits.count > 1 ? String(digits[1]) : ""
    while fraction.last == "0" { fraction.removeLast() }
    var step = Int(String(digits[0]) + fraction)
    var decimals = fraction.count - (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
    while decimals < 0, let known = step, known <= Self.largestStep { (step, decimals) = (known * 10, decimals + 1) }
    guard let step, (1...Self.largestStep).contains(step),
      (0...StandardAutomata.maximumFractionDigits).contains(decimals)
    else {
      throw ConstraintError(
        path: pointer + "/multipleOf",
        message:
          "is \(value.serialized()); expected at most \(Self.largestStep), not counting the decimal point"
      )
    }
    (self.step, self.decimals) = (step, decimals)
  }

  /// Whether all multiples are integers.
  var isWhole: Bool { decimals == 0 }

  /// Whether `value` is a multiple, as close as doubles can tell.
  func contains(_ value: Double) -> Bool {
    var value = value
    for _ in 0..<decimals { value *= 10 }
    let quotient = value / Double(step)
    return abs(quotient - quotient.rounded()) <= 1e-9 * max(1, abs(quotient))
  }

  /// The automaton of the multiples' decimal texts, leading zeros and all.
  func automaton() -> ByteAutomaton? {
    // Classes: other bytes, "-", ".", and the digits.
    var classes = Array(repeating: UInt8(0), count: 256)
    (classes[Int(UInt8(ascii: "-"))], classes[Int(UInt8(ascii: "."))]) = (1, 2)
    for digit in 0..<10 { classes[Int(UInt8(ascii: "0")) + digit] = UInt8(3 + digit) }
    let classCount = 13
    // State 0 is the start, state 1 follows the sign; then the remainder of what has been read, before the point and
    // after 0, 1, … places.
    func state(_ remainder: Int, _ places: Int?) -> Int { 2 + remainder + (places.map { $0 + 1 } ?? 0) * step }
    let count = 2 + step * (decimals + 2)
    var transitions = Array(repeating: Int32(-1), count: count * classCount)
    var accepting = Array(repeating: false, count: count)
    func connect(_ from: Int, _ byteClass: Int, _ to: Int) { transitions[from * classCount + byteClass] = Int32(to) }
    connect(0, 1, 1)
    for digit in 0..<10 {
      connect(0, 3 + digit, state(digit % step, nil))
      connect(1, 3 + digit, state(digit % step, nil))
      for remainder in 0..<step {
        let next = (remainder * 10 + digit) % step
        connect(state(remainder, nil), 3 + digit, state(next, nil))
        for places in 0..<decimals { connect(state(remainder, places), 3 + digit, state(next, places + 1)) }
      }
    }
    for remainder in 0..<step {
      if decimals > 0 { connect(state(remainder, nil), 2, state(remainder, 0)) }
      var shifted = remainder
      for places in stride(from: decimals, through: 0, by: -1) {
        // No text ends with the point.
        accepting[state(remainder, places)] = places > 0 && shifted == 0
        if places == 0 { accepting[state(remainder, nil)] = shifted == 0 }
        shifted = shifted * 10 % step
      }
    }
    return ByteAutomaton.trimmed(
      classes: classes, classCount: classCount, transitions: transitions, accepting: accepting)
  }
}
