import Foundation

/// Filters that make numbers.
extension TemplateRenderer {
  func numberFilter(
    _ filter: Filters.Name, _ value: Value, _ arguments: Arguments, _ callee: String
  )
    throws(ChatTemplateError) -> Value
  {
    switch filter {
    case .abs:
      _ = try arguments.positional(upTo: 0, of: callee)
      if case .bigInteger(let digits) = value {
        return digits.string.hasPrefix("-") ? try negated(value) : value
      }
      guard let number = value.number else { throw refusal(callee, value) }
      switch number {
      case .float(let value): return .float(value.magnitude)
      case .integer(let integer): return integer < 0 ? try negated(.integer(integer)) : .integer(integer)
      }
    case .float:
      let standard = try arguments.bound(to: ["default"], of: callee)[0] ?? .float(0)
      if case .undefined = value { throw refusal(callee, value) }
      return float(value).map(Value.float) ?? standard
    case .int: return try integer(value, arguments, callee)
    case .round: return try rounded(value, arguments, callee)
    default:
      let bound = try arguments.bound(to: ["attribute", "start"], of: callee)
      var total = bound[1] ?? .integer(0)
      if case .string = total { throw .evaluation("\(callee) cannot add strings") }
      for element in try items(of: value, purpose: "sum") {
        total = try calculate(total, .add, try self.value(at: bound[0], of: element))
      }
      return total
    }
  }

  /// Python's `float(value)`; `nil` where that fails.
  func float(_ value: Value) -> Double? {
    if let number = value.number { return number.double }
    guard case .string(let text) = value else { return nil }
    var literal = text.stripped(nil).string
    if literal.contains("_") {
      let bytes = Array(literal.utf8)
      for (offset, byte) in bytes.enumerated() where byte == UInt8(ascii: "_") {
        guard offset > 0, offset + 1 < bytes.count, (0x30...0x39).contains(bytes[offset - 1]),
          (0x30...0x39).contains(bytes[offset + 1])
        else { return nil }
      }
      literal.removeAll { $0 == "_" }
    }
    let unsigned = literal.hasPrefix("-") || literal.hasPrefix("+") ? String(literal.dropFirst()) : literal
    let sign = literal.hasPrefix("-") ? -1.0 : 1.0
    switch unsigned.lowercased() {
    case "inf", "infinity": return sign * Double.infinity
    case "nan": return Double.nan
    default: break
    }
    guard unsigned.utf8.allSatisfy({ (0x30...0x39).contains($0) || ".eE+-".utf8.contains($0) }) else { return nil }
    guard let first = unsigned.utf8.first, first != UInt8(ascii: "+"), first != UInt8(ascii: "-") else { return nil }
    let padded = (unsigned.hasPrefix(".") ? "0" : "") + unsigned
    return Double(padded).map { sign * $0 }
  }

  private func integer(_ value: Value, _ arguments: Arguments, _ callee: String) throws(ChatTemplateError) -> Value {
    let bound = try arguments.bound(to: ["default", "base"], of: callee)
    let standard = bound[0] ?? .integer(0)
    let base = try integer(bound[1], default: 10, of: callee)
    if case .undefined = value { throw refusal(callee, value) }
    if case .string(let text) = value {
      guard base == 0 || (2...36).contains(base) else { return float(value).flatMap(truncated) ?? standard }
      if let integer = try Self.parsed(text, base: base) { return .integer(integer) }
      guard let double = float(value) else { return standard }
      return truncated(double) ?? standard
    }
    if case .bigInteger = value { return value }
    guard let number = value.number else { return standard }
    if case .integer(let integer) = number { return .integer(integer) }
    guard number.double.isFinite else { return standard }
    guard let integer = truncated(number.double) else { throw .evaluation("\(number.double) does not fit 64 bits") }
    return integer
  }

  private func truncated(_ value: Double) -> Value? {
    Int(exactly: value.rounded(.towardZero)).map(Value.integer)
  }

  /// Python's `int(text, base)`; `nil` where that fails.
  static func parsed(_ text: Text, base: Int) throws(ChatTemplateError) -> Int? {
    var digits = text.stripped(nil).string[...]
    let isNegative = digits.hasPrefix("-")
    if isNegative || digits.hasPrefix("+") { digits = digits.dropFirst() }
    var base = base
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)]
    where digits.lowercased().hasPrefix(prefix) && (base == radix || base == 0) {
      digits = digits.dropFirst(2)
      base = radix
      if digits.hasPrefix("_") { digits = digits.dropFirst() }
    }
    if base == 0 {
      base = 10
      if digits.count > 1, digits.hasPrefix("0"), !digits.allSatisfy({ $0 == "0" || $0 == "_" }) { return nil }
    }
    guard !digits.isEmpty, !digits.hasPrefix("_"), !digits.hasSuffix("_"), !digits.contains("__") else { return nil }
    let plain = digits.filter { $0 != "_" }
    guard plain.utf8.allSatisfy({ Unicode.Scalar($0).properties.isAlphabetic || (0x30...0x39).contains($0) }) else {
      return nil
    }
    guard plain.allSatisfy({ character in Int(String(character), radix: base) != nil }) else { return nil }
    guard let value = Int((isNegative ? "-" : "") + plain, radix: base) else {
      throw .evaluation("the integer \(plain.prefix(40)) does not fit 64 bits")
    }
    return value
  }

  private func rounded(_ value: Value, _ arguments: Arguments, _ callee: String) throws(ChatTemplateError) -> Value {
    let bound = try arguments.bound(to: ["precision", "method"], of: callee)
    let precision = try integer(bound[0], default: 0, of: callee)
    var method: Text = "common"
    if let given = bound[1] {
      guard case .string(let text) = given else { throw refusal(callee, given) }
      method = text
    }
    guard method == "common" || method == "ceil" || method == "floor" else {
      throw .evaluation("the method of \(callee) must be 'common', 'ceil' or 'floor', found '\(method.string)'")
    }
    guard let number = value.number else { throw refusal(callee, value) }
    guard (-400...400).contains(precision) else { throw .limit("the precision of \(callee) is beyond 400 digits") }
    guard method == "common" else {
      let scale = pow(10, Double(precision))
      let scaled = (number.double * scale).rounded(method == "ceil" ? .up : .down)
      guard scaled.isFinite else { throw .evaluation("\(callee) cannot round \(number.double)") }
      return .float(scaled / scale)
    }
    switch number {
    case .integer(let integer):
      if precision >= 0 { return .integer(integer) }
      guard precision > -19 else { return .integer(0) }
      let unit = (0..<(-precision)).reduce(1) { unit, _ in unit * 10 }
      let (quotient, remainder) = integer.quotientAndRemainder(dividingBy: unit)
      let doubled = remainder.magnitude.multipliedReportingOverflow(by: 2)
      let isUp = doubled.overflow || doubled.partialValue > unit || (doubled.partialValue == unit && quotient % 2 != 0)
      return try calculate(.integer(quotient + (isUp ? integer.signum() : 0)), .multiply, .integer(unit))
    case .float(let double):
      guard double.isFinite else { return .float(double) }
      if precision < 0 {
        let unit = pow(10, Double(-precision))
        return .float(unit.isFinite ? (double / unit).rounded(.toNearestOrEven) * unit : 0)
      }
      // The decimal expansion of a double is exact in printf, which rounds it half to even, as Python's round does.
      return .float(Double(String(format: "%.\(precision)f", double)) ?? double)
    }
  }
}
