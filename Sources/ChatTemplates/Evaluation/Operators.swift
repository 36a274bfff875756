import Foundation

/// Arithmetic and comparison as Python defines them. Integers that leave 64 bits are errors.
extension TemplateRenderer {
  func refusal(_ operation: String, _ values: Value...) -> ChatTemplateError {
    for value in values {
      if case .undefined(let undefined) = value { return .evaluation("\(undefined.message), found in \(operation)") }
    }
    return .evaluation("\(operation) does not apply to \(values.map(\.typeName).joined(separator: " and "))")
  }

  func calculate(_ left: Value, _ operation: BinaryOperator, _ right: Value) throws(ChatTemplateError) -> Value {
    try charge(1)
    if operation != .concatenate {
      for case .bigInteger(let digits) in [left, right] where left.number != nil && right.number != nil {
        throw .evaluation("'\(operation.rawValue)' is for integers of 64 bits, and \(digits.string) has more")
      }
      if let left = left.number, let right = right.number { return try calculate(left, operation, right) }
    }
    switch (operation, left, right) {
    case (.add, .string(let left), .string(let right)):
      try checkLength(left.utf8.count + right.utf8.count)
      guard left.isMarkup || right.isMarkup else { return try string(left + right) }
      return try string(Text(utf8: left.escaped.utf8 + right.escaped.utf8, isMarkup: true))
    case (.add, .list(let left), .list(let right)): return try list(left.items + right.items)
    case (.add, .tuple(let left), .tuple(let right)): return try tuple(left.items + right.items)
    case (.multiply, .string(let text), _), (.multiply, _, .string(let text)):
      guard let count = (right.index ?? left.index).map({ max($0, 0) }) else { break }
      let (length, overflow) = text.utf8.count.multipliedReportingOverflow(by: count)
      try checkLength(overflow ? Int.max : length)
      if length == 0 { return .string("") }
      try charge(length / 16 + count)
      var bytes: [UInt8] = []
      for _ in 0..<count { bytes.append(contentsOf: text.utf8) }
      return try string(Text(utf8: bytes))
    case (.multiply, .list(let elements), _), (.multiply, _, .list(let elements)):
      guard let count = right.index ?? left.index else { break }
      return try list(try repeated(elements.items, count))
    case (.multiply, .tuple(let elements), _), (.multiply, _, .tuple(let elements)):
      guard let count = right.index ?? left.index else { break }
      return try tuple(try repeated(elements.items, count))
    case (.modulo, .string(let format), _):
      if case .undefined = right { break }
      if case .tuple(let elements) = right { return try formatted(format, elements.items, keyed: nil) }
      return try formatted(format, [right], keyed: right)
    case (.concatenate, _, _):
      return try string(try text(of: left) + text(of: right))
    default: break
    }
    throw refusal("'\(operation.rawValue)'", left, right)
  }

  private func repeated(_ items: [Value], _ count: Int) throws(ChatTemplateError) -> [Value] {
    guard count > 0, !items.isEmpty else { return [] }
    let (length, overflow) = items.count.multipliedReportingOverflow(by: count)
    try checkElements(overflow ? Int.max : length)
    return (0..<count).flatMap { _ in items }
  }

  func negated(_ value: Value) throws(ChatTemplateError) -> Value {
    if case .bigInteger(let digits) = value {
      return .bigInteger(Text(digits.string.hasPrefix("-") ? String(digits.string.dropFirst()) : "-" + digits.string))
    }
    guard let number = value.number else { throw refusal("unary '-'", value) }
    return try calculate(.integer(0), .subtract, number, negatesZero: true)
  }

  private func calculate(
    _ left: Number, _ operation: BinaryOperator, _ right: Number, negatesZero: Bool = false
  ) throws(ChatTemplateError) -> Value {
    if case (.integer(let left), .integer(let right)) = (left, right) {
      return try calculate(left, operation, right)
    }
    let (a, b) = (left.double, right.double)
    switch operation {
    case .add: return .float(a + b)
    case .subtract: return .float(negatesZero ? -b : a - b)
    case .multiply: return .float(a * b)
    case .divide:
      try refuseZero(b)
      return .float(a / b)
    case .floorDivide:
      try refuseZero(b)
      return .float(floorDivision(a, b).quotient)
    case .modulo:
      try refuseZero(b)
      return .float(floorDivision(a, b).remainder)
    case .power: return .float(try power(a, b))
    case .concatenate: throw .evaluation("'~' joins texts")
    }
  }

  private func refuseZero(_ divisor: Double) throws(ChatTemplateError) {
    guard divisor != 0 else { throw .evaluation("division by zero") }
  }

  /// Quotient rounded down and the remainder with the divisor's sign, as Python's `divmod` on floats.
  private func floorDivision(_ a: Double, _ b: Double) -> (quotient: Double, remainder: Double) {
    var remainder = fmod(a, b)
    var quotient = (a - remainder) / b
    if remainder != 0 {
      if (b < 0) != (remainder < 0) {
        remainder += b
        quotient -= 1
      }
    } else {
      remainder = b.sign == .minus ? -0.0 : 0.0
    }
    let floor = quotient.rounded(.down)
    return (quotient == 0 ? (a / b).sign == .minus ? -0.0 : 0.0 : quotient - floor > 0.5 ? floor + 1 : floor, remainder)
  }

  private func power(_ a: Double, _ b: Double) throws(ChatTemplateError) -> Double {
    if a == 0, b < 0 { throw .evaluation("zero cannot be raised to a negative power") }
    let result = pow(a, b)
    if result.isNaN, !a.isNaN, !b.isNaN {
      throw .unsupported("a negative number raised to a fraction is complex, which is not supported")
    }
    if result.isInfinite, a.isFinite, b.isFinite { throw .evaluation("the result of '**' is too large") }
    return result
  }

  private func calculate(_ left: Int, _ operation: BinaryOperator, _ right: Int) throws(ChatTemplateError) -> Value {
    let result: (partialValue: Int, overflow: Bool)
    switch operation {
    case .add: result = left.addingReportingOverflow(right)
    case .subtract: result = left.subtractingReportingOverflow(right)
    case .multiply: result = left.multipliedReportingOverflow(by: right)
    case .divide:
      try refuseZero(Double(right))
      return .float(Double(left) / Double(right))
    case .floorDivide:
      try refuseZero(Double(right))
      result = left.dividedReportingOverflow(by: right)
      if !result.overflow, result.partialValue * right != left, (left < 0) != (right < 0) {
        return .integer(result.partialValue - 1)
      }
    case .modulo:
      try refuseZero(Double(right))
      result = left.remainderReportingOverflow(dividingBy: right)
      if result.overflow { return .integer(0) }
      let remainder = result.partialValue
      return .integer(remainder != 0 && (remainder < 0) != (right < 0) ? remainder + right : remainder)
    case .power:
      guard right >= 0 else { return .float(try power(Double(left), Double(right))) }
      result = integerPower(left, right)
    case .concatenate: throw .evaluation("'~' joins texts")
    }
    guard !result.overflow else {
      throw .evaluation("the result of '\(operation.rawValue)' does not fit 64 bits")
    }
    return .integer(result.partialValue)
  }

  private func integerPower(_ base: Int, _ exponent: Int) -> (partialValue: Int, overflow: Bool) {
    if base == 0 || base == 1 { return (exponent == 0 ? 1 : base, false) }
    if base == -1 { return (exponent % 2 == 0 ? 1 : -1, false) }
    guard exponent < 64 else { return (0, true) }
    var value = 1
    for _ in 0..<exponent {
      let (product, overflow) = value.multipliedReportingOverflow(by: base)
      if overflow { return (0, true) }
      value = product
    }
    return (value, false)
  }

  // MARK: Comparison

  func compare(_ left: Value, _ operation: ComparisonOperator, _ right: Value) throws(ChatTemplateError) -> Bool {
    switch operation {
    case .equal: return try areEqual(left, right)
    case .notEqual: return try !areEqual(left, right)
    case .isIn: return try contains(right, left)
    case .isNotIn: return try !contains(right, left)
    case .less: return try isOrdered(left, before: right, orEqual: false, "<")
    case .lessOrEqual: return try isOrdered(left, before: right, orEqual: true, "<=")
    case .greater: return try isOrdered(right, before: left, orEqual: false, ">")
    case .greaterOrEqual: return try isOrdered(right, before: left, orEqual: true, ">=")
    }
  }

  func areEqual(_ left: Value, _ right: Value) throws(ChatTemplateError) -> Bool {
    try charge(min(left.weight, right.weight))
    return left == right
  }

  /// Whether `left` comes before `right`; `sign` is how the template wrote it.
  func isOrdered(_ left: Value, before right: Value, orEqual: Bool, _ sign: String) throws(ChatTemplateError) -> Bool {
    if let left = left.number, let right = right.number {
      return left < right || (orEqual && left == right)
    }
    try charge(min(left.weight, right.weight))
    switch (left, right) {
    case (.string(let left), .string(let right)): return orEqual ? !(right < left) : left < right
    case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)):
      for (a, b) in zip(left.items, right.items) where a != b {
        return try isOrdered(a, before: b, orEqual: orEqual, sign)
      }
      return orEqual ? left.items.count <= right.items.count : left.items.count < right.items.count
    default: throw refusal("'\(sign)'", left, right)
    }
  }

  /// Python's `element in container`.
  func contains(_ container: Value, _ element: Value) throws(ChatTemplateError) -> Bool {
    switch container {
    case .string(let text):
      guard case .string(let needle) = element else { throw refusal("'in'", element, container) }
      try charge(text.utf8.count / 16)
      return text.contains(needle)
    case .dictionary(let entries):
      try checkKey(element)
      return entries.map[element] != nil
    case .range(let range):
      guard let number = element.number, let index = Int(exactly: number.double) else { return false }
      guard range.count > 0 else { return false }
      let (low, high) = (
        min(range.start, range.element(range.count - 1)), max(range.start, range.element(range.count - 1))
      )
      return index >= low && index <= high && (index - range.start) % range.step == 0
    case .iterator(let iterator):
      while let item = try iterator.next() {
        if try areEqual(item, element) { return true }
      }
      return false
    default:
      for item in try items(of: container, purpose: "look with 'in' into") where try areEqual(item, element) {
        return true
      }
      return false
    }
  }
}
