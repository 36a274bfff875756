extension Value: Hashable {
  /// Python's `==`: numbers by value whatever their type, containers by content, the rest by identity.
  static func == (left: Value, right: Value) -> Bool {
    if case (.bigInteger(let left), .bigInteger(let right)) = (left, right) { return left == right }
    if let left = left.number, let right = right.number { return left == right }
    switch (left, right) {
    case (.undefined, .undefined), (.none, .none): return true
    case (.string(let left), .string(let right)): return left == right
    case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)): return left.items == right.items
    case (.dictionary(let left), .dictionary(let right)):
      return left.map.count == right.map.count
        && zip(left.map.keys, left.map.values).allSatisfy { key, value in right.map[key] == value }
    case (.range(let left), .range(let right)):
      return left.count == right.count
        && (left.count == 0 || left.start == right.start && (left.count == 1 || left.step == right.step))
    case (.view(let left), .view(let right)):
      return left.kind != .values && left.kind == right.kind && Set(left.elements.items) == Set(right.elements.items)
    case (.iterator(let left), .iterator(let right)): return left === right
    case (.namespace(let left), .namespace(let right)): return left === right
    case (.loop(let left), .loop(let right)): return left === right
    case (.macro(let left), .macro(let right)): return left === right
    case (.function(let left), .function(let right)): return left == right
    default: return false
    }
  }

  func hash(into hasher: inout Hasher) {
    if let number {
      hasher.combine(number)
      return
    }
    switch self {
    case .string(let text): hasher.combine(text)
    case .tuple(let elements), .list(let elements): hasher.combine(elements.items)
    case .range(let range):
      hasher.combine(range.count)
      if range.count > 0 { hasher.combine(range.start) }
    case .iterator(let iterator): hasher.combine(ObjectIdentifier(iterator))
    case .namespace(let namespace): hasher.combine(ObjectIdentifier(namespace))
    case .loop(let loop): hasher.combine(ObjectIdentifier(loop))
    case .macro(let macro): hasher.combine(ObjectIdentifier(macro))
    default: hasher.combine(typeName)
    }
  }

  /// Whether Python allows the value as a key.
  var isHashable: Bool {
    switch self {
    case .list, .dictionary, .view: false
    case .tuple(let elements): elements.items.allSatisfy(\.isHashable)
    default: true
    }
  }

  /// The value as a number; bools count as 0 and 1, an integer beyond 64 bits as the nearest float.
  var number: Number? {
    switch self {
    case .bool(let value): .integer(value ? 1 : 0)
    case .integer(let value): .integer(value)
    case .bigInteger(let digits): Double(digits.string).map(Number.float)
    case .float(let value): .float(value)
    default: nil
    }
  }

  /// The value as an integer where Python takes one for an index.
  var index: Int? {
    if case .integer(let value) = number { value } else { nil }
  }
}

/// An int or a float.
enum Number: Hashable {
  case integer(Int)
  case float(Double)

  init(_ value: Double) { self = .float(value) }

  var double: Double {
    switch self {
    case .integer(let value): Double(value)
    case .float(let value): value
    }
  }

  var value: Value {
    switch self {
    case .integer(let value): .integer(value)
    case .float(let value): .float(value)
    }
  }

  static func == (left: Number, right: Number) -> Bool {
    switch (left, right) {
    case (.integer(let left), .integer(let right)): left == right
    case (.float(let left), .float(let right)): left == right
    case (.integer(let integer), .float(let float)), (.float(let float), .integer(let integer)):
      Int(exactly: float) == integer
    }
  }

  static func < (left: Number, right: Number) -> Bool {
    if case (.integer(let left), .integer(let right)) = (left, right) { return left < right }
    return left.double < right.double
  }

  func hash(into hasher: inout Hasher) {
    switch self {
    case .integer(let value): hasher.combine(value)
    case .float(let value):
      if let integer = Int(exactly: value) { hasher.combine(integer) } else { hasher.combine(value) }
    }
  }
}
