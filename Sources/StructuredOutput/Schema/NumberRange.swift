internal import JSON

/// Bounds on a number.
struct NumberRange: Sendable, Equatable {
  /// A bound and whether the bound itself is outside.
  struct Bound: Sendable, Equatable {
    let value: Double
    let isExclusive: Bool
  }

  private(set) var lower: Bound?
  private(set) var upper: Bound?

  /// Numbers as long as these are written in full.
  static let greatest = 999_999_999_999_999.0

  mutating func raise(to bound: Bound) {
    guard let known = lower else { return lower = bound }
    if bound.value > known.value || (bound.value == known.value && bound.isExclusive) { lower = bound }
  }

  mutating func reduce(to bound: Bound) {
    guard let known = upper else { return upper = bound }
    if bound.value < known.value || (bound.value == known.value && bound.isExclusive) { upper = bound }
  }

  var isUnbounded: Bool { lower == nil && upper == nil }

  func contains(_ value: Double) -> Bool {
    if let lower, value < lower.value || (lower.isExclusive && value == lower.value) { return false }
    if let upper, value > upper.value || (upper.isExclusive && value == upper.value) { return false }
    return true
  }

  /// Whether numbers within the bounds can be written at all: the nearer ends are not beyond `greatest`.
  var isWritable: Bool { lower?.value ?? 0 <= Self.greatest && upper?.value ?? 0 >= -Self.greatest }

  // MARK: Integers

  /// The integers within the bounds.
  var integers: BytePattern {
    let least = lower.map { $0.value.rounded(.up) == $0.value && $0.isExclusive ? $0.value + 1 : $0.value.rounded(.up) }
    let most = upper.map {
      $0.value.rounded(.down) == $0.value && $0.isExclusive ? $0.value - 1 : $0.value.rounded(.down)
    }
    let low = Int(max(least ?? -Self.greatest, -Self.greatest))
    let high = Int(min(most ?? Self.greatest, Self.greatest))
    guard low <= high else { return .never }
    var parts: [BytePattern] = []
    if high >= 0 { parts.append(Self.naturals(max(low, 0), high)) }
    if low < 0 { parts.append(.sequence([.literal("-"), Self.naturals(max(1, -high), -low)])) }
    return .choice(parts)
  }

  /// The natural numbers from `low` through `high`.
  static func naturals(_ low: Int, _ high: Int) -> BytePattern {
    guard low <= high else { return .never }
    var parts: [BytePattern] = []
    var start = low
    // Numbers of one length at a time.
    while start <= high {
      var end = 9
      while end < start { end = end * 10 + 9 }
      end = min(end, high)
      parts.append(digits(Array(String(start).utf8)[...], Array(String(end).utf8)[...]))
      start = end + 1
    }
    return .choice(parts)
  }

  /// Digit strings of one length from `low` through `high`.
  private static func digits(_ low: ArraySlice<UInt8>, _ high: ArraySlice<UInt8>) -> BytePattern {
    guard let first = low.first, let last = high.first else { return .nothing }
    let (zero, nine) = (UInt8(ascii: "0"), UInt8(ascii: "9"))
    if low.allSatisfy({ $0 == zero }), high.allSatisfy({ $0 == nine }) {
      return .repeated(.digit, minimum: low.count, maximum: low.count)
    }
    let rest = low.count - 1
    func head(_ range: ClosedRange<UInt8>) -> BytePattern { .bytes(ByteSet(range)) }
    let anyRest = BytePattern.repeated(.digit, minimum: rest, maximum: rest)
    if first == last { return .sequence([head(first...first), digits(low.dropFirst(), high.dropFirst())]) }
    let nines = Array(repeating: nine, count: rest)[...]
    let zeros = Array(repeating: zero, count: rest)[...]
    var parts: [BytePattern] = [
      .sequence([head(first...first), digits(low.dropFirst(), nines)]),
      .sequence([head(last...last), digits(zeros, high.dropFirst())]),
    ]
    if last - first > 1 { parts.append(.sequence([head(first + 1...last - 1), anyRest])) }
    return .choice(parts)
  }

  // MARK: Decimals

  /// Automata whose common texts are the decimal numbers within the bounds.
  ///
  /// - Parameter work: steps that may be taken, which those taken are subtracted from.
  func decimals(work: inout Int) throws(ByteAutomaton.TooLarge) -> ByteAutomaton? {
    let widest = max(lower?.value.magnitude ?? 0, upper?.value.magnitude ?? 0)
    // Few enough digits that reading the text as a double cannot round it onto a bound.
    let room = max(0, min(StandardAutomata.maximumFractionDigits, 15 - String(Int(min(widest, Self.greatest))).count))
    let fraction: BytePattern =
      room == 0
      ? .nothing : .optional(.sequence([.literal("."), .repeated(.digit, minimum: 1, maximum: room)]))
    let shape = BytePattern.sequence([StandardAutomata.integerPattern, fraction])
    let wholes = BytePattern.choice([magnitudes(negative: false, least: true), magnitudes(negative: true, least: true)])
    let limits = BytePattern.choice([
      magnitudes(negative: false, least: false), magnitudes(negative: true, least: false),
    ])
    guard let first = try ByteAutomaton.make(shape, work: &work),
      let second = try ByteAutomaton.make(wholes, work: &work),
      let third = try ByteAutomaton.make(limits, work: &work),
      let both = try ByteAutomaton.combine(first, second, work: &work, accepts: { $0 && $1 })
    else { return nil }
    return try ByteAutomaton.combine(both, third, work: &work, accepts: { $0 && $1 })
  }

  /// Texts of one sign that keep to the bound on the magnitude from below (`least`) or from above.
  private func magnitudes(negative: Bool, least: Bool) -> BytePattern {
    let sign: BytePattern = negative ? .literal("-") : .nothing
    // For negative numbers the bounds change places.
    let (near, far) = negative ? (upper, lower) : (lower, upper)
    let direction = negative ? -1.0 : 1.0
    // No number of this sign lies beyond a bound of the other sign.
    if let far {
      let end = far.value * direction
      if end < 0 || (end == 0 && (far.isExclusive || negative)) { return .never }
    }
    guard let bound = least ? near : far else { return .sequence([sign, Self.anyDecimal]) }
    let value = bound.value * direction
    if least {
      if value < 0 { return .sequence([sign, Self.anyDecimal]) }
      return .sequence([sign, Self.atLeast(value, isExclusive: bound.isExclusive)])
    }
    return .sequence([sign, Self.atMost(value, isExclusive: bound.isExclusive)])
  }

  private static let anyDecimal = BytePattern.sequence([.many(.digit), anyFraction])
  private static let anyFraction = BytePattern.optional(.sequence([.literal("."), .many(.digit)]))

  /// Decimals not less than `value`, which is not negative.
  private static func atLeast(_ value: Double, isExclusive: Bool) -> BytePattern {
    let (whole, fraction) = parts(of: value)
    var parts: [BytePattern] = [.sequence([naturals(whole + 1, Int(greatest)), anyFraction])]
    var tails: [BytePattern] = []
    if fraction.isEmpty {
      let more = BytePattern.sequence([
        .literal("."), .many(.literal("0")), .range("1"..."9"), .many(.digit),
      ])
      tails.append(isExclusive ? more : anyFraction)
    } else {
      for (place, digit) in fraction.enumerated() where digit < UInt8(ascii: "9") {
        tails.append(
          .sequence([
            .literal("."), .literal(Array(fraction[..<place])), .bytes(ByteSet(digit + 1...UInt8(ascii: "9"))),
            .many(.digit),
          ]))
      }
      let exact = BytePattern.sequence([.literal("."), .literal(fraction)])
      tails.append(
        .sequence([
          exact,
          isExclusive ? .sequence([.many(.literal("0")), .range("1"..."9"), .many(.digit)]) : .many(.digit),
        ]))
    }
    parts.append(.sequence([.literal(String(whole)), .choice(tails)]))
    return .choice(parts)
  }

  /// Decimals not greater than `value`, which is not negative.
  private static func atMost(_ value: Double, isExclusive: Bool) -> BytePattern {
    let (whole, fraction) = parts(of: value)
    var parts: [BytePattern] = []
    if whole > 0 { parts.append(.sequence([naturals(0, whole - 1), anyFraction])) }
    var tails: [BytePattern] = []
    let zeros = BytePattern.many(.literal("0"))
    if fraction.isEmpty {
      if !isExclusive { tails += [.nothing, .sequence([.literal("."), zeros])] }
    } else {
      tails.append(.nothing)
      for (place, digit) in fraction.enumerated() {
        let start = BytePattern.sequence([.literal("."), .literal(Array(fraction[..<place]))])
        // Shorter than the bound's digits is less than it, as those do not end in zero.
        if place > 0 { tails.append(start) }
        if digit > UInt8(ascii: "0") {
          tails.append(.sequence([start, .bytes(ByteSet(UInt8(ascii: "0")...digit - 1)), .many(.digit)]))
        }
      }
      if !isExclusive { tails.append(.sequence([.literal("."), .literal(fraction), zeros])) }
    }
    parts.append(.sequence([.literal(String(whole)), .choice(tails)]))
    return .choice(parts)
  }

  /// The digits before and after the point of a number that is not negative; no zeros at the end.
  private static func parts(of value: Double) -> (whole: Int, fraction: [UInt8]) {
    guard value < greatest else { return (Int(greatest), []) }
    let whole = Int(value)
    // The shortest digits that read back as the value, laid out without an exponent.
    let text = value.description
    let pieces = text.split(separator: "e", maxSplits: 1)
    let exponent = pieces.count > 1 ? Int(pieces[1]) ?? 0 : 0
    let mantissa = pieces[0].split(separator: ".", omittingEmptySubsequences: false)
    let before = Array(mantissa[0].utf8)
    let after = mantissa.count > 1 ? Array(mantissa[1].utf8) : []
    var digits = before + after
    let point = before.count + exponent
    if point < 0 { digits = Array(repeating: UInt8(ascii: "0"), count: -point) + digits }
    var fraction = point < digits.count ? Array(digits[max(0, point)...]) : []
    while fraction.last == UInt8(ascii: "0") { fraction.removeLast() }
    // More digits than are ever written make no difference to what is less or more.
    return (whole, Array(fraction.prefix(40)))
  }
}
