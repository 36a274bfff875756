extension ProgramBuilder {
  /// Operations on two tensors of one type, element by element; raw values are StableHLO's names.
  package enum Binary: String, Sendable {
    case add, subtract, multiply, divide, maximum, minimum, remainder, and, or, xor
    case shiftRightLogical = "shift_right_logical"
    case shiftLeft = "shift_left"
  }

  /// Operations on one tensor, element by element.
  package enum Unary: String, Sendable {
    case negate, exponential, log, rsqrt, logistic
  }

  /// Comparisons of numbers.
  package enum Comparison: String, Sendable {
    case equal = "EQ"
    case less = "LT"
    case lessOrEqual = "LE"
    case greater = "GT"
    case greaterOrEqual = "GE"
  }

  /// A tensor that has `value` everywhere.
  package mutating func splat(_ value: Float, _ type: TensorType) -> Value {
    precondition(type.element.isFloat)
    return constant("stablehlo.constant dense<\(Self.literal(value, type.element))> : \(type)", type)
  }

  /// A tensor of whole numbers that has `value` everywhere.
  package mutating func splat(_ value: UInt64, _ type: TensorType) -> Value {
    precondition(!type.element.isFloat && type.element != .boolean)
    return constant("stablehlo.constant dense<\(value)> : \(type)", type)
  }

  /// The index along `dimension`.
  package mutating func iota(_ type: TensorType, dimension: Int) -> Value {
    precondition(type.shape.indices.contains(dimension))
    return constant("stablehlo.iota dim = \(dimension) : \(type)", type)
  }

  /// `left ∘ right`.
  package mutating func apply(_ operation: Binary, _ left: Value, _ right: Value) -> Value {
    precondition(left.type == right.type, "\(operation.rawValue) of \(left.type) and \(right.type)")
    return emit("stablehlo.\(operation.rawValue) \(left.name), \(right.name) : \(left.type)", left.type)
  }

  /// `∘ value`.
  package mutating func apply(_ operation: Unary, _ value: Value) -> Value {
    emit("stablehlo.\(operation.rawValue) \(value.name) : \(value.type)", value.type)
  }

  /// `left ∘ right` with one number on the right for all elements.
  package mutating func apply(_ operation: Binary, _ left: Value, _ right: Float) -> Value {
    let other = splat(right, left.type)
    return apply(operation, left, other)
  }

  /// Truths of `left ∘ right`.
  package mutating func compare(_ comparison: Comparison, _ left: Value, _ right: Value) -> Value {
    precondition(left.type == right.type, "comparison of \(left.type) and \(right.type)")
    let type = TensorType(left.shape, .boolean)
    return emit(
      "stablehlo.compare \(comparison.rawValue), \(left.name), \(right.name) : (\(left.type), \(right.type)) -> \(type)",
      type)
  }

  /// `first` where `condition` holds, else `second`.
  package mutating func select(_ condition: Value, _ first: Value, _ second: Value) -> Value {
    precondition(condition.type == TensorType(first.shape, .boolean) && first.type == second.type)
    return emit(
      "stablehlo.select \(condition.name), \(first.name), \(second.name) : \(condition.type), \(first.type)", first.type
    )
  }

  /// The same numbers in another format.
  package mutating func convert(_ value: Value, to element: ScalarType) -> Value {
    guard value.type.element != element else { return value }
    let type = TensorType(value.shape, element)
    return emit("stablehlo.convert \(value.name) : (\(value.type)) -> \(type)", type)
  }

  /// Floats as MLIR takes them without loss: the bits of the number.
  private static func literal(_ value: Float, _ element: ScalarType) -> String {
    if let whole = Int32(exactly: value) { return "\(whole).0" }
    func bits(_ pattern: some BinaryInteger, digits: Int) -> String {
      "0x" + String(pattern, radix: 16, uppercase: true).leftPadded(to: digits)
    }
    return element == .float64
      ? bits(Double(value).bitPattern, digits: 16) : bits(value.bitPattern, digits: 8)
  }
}

extension String {
  fileprivate func leftPadded(to width: Int) -> String { String(repeating: "0", count: max(0, width - count)) + self }
}
