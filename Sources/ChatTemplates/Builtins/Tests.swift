/// The tests that follow `is`.
enum Tests {
  static let names: Set<String> = [
    "odd", "even", "divisibleby", "defined", "undefined", "filter", "test", "none", "boolean", "false", "true",
    "integer", "float", "lower", "upper", "string", "mapping", "number", "sequence", "iterable", "callable", "sameas",
    "escaped", "in", "==", "eq", "equalto", "!=", "ne", ">", "gt", "greaterthan", "ge", ">=", "<", "lt", "lessthan",
    "<=", "le",
  ]

  /// The error for a test that does not exist, or `nil`.
  static func refusal(of name: String) -> ChatTemplateError? {
    names.contains(name) ? nil : ChatTemplateError(.syntax, "there is no test '\(name)'")
  }
}

extension TemplateRenderer {
  /// Jinja's `value is name(arguments)`.
  func test(_ name: String, _ value: Value, _ arguments: Arguments) throws(ChatTemplateError) -> Bool {
    if let error = Tests.refusal(of: name) { throw error }
    let callee = "the test '\(name)'"
    let comparison: ComparisonOperator? =
      switch name {
      case "==", "eq", "equalto": .equal
      case "!=", "ne": .notEqual
      case "<", "lt", "lessthan": .less
      case "<=", "le": .lessOrEqual
      case ">", "gt", "greaterthan": .greater
      case ">=", "ge": .greaterOrEqual
      case "in": .isIn
      default: nil
      }
    switch name {
    case _ where comparison != nil:
      guard let comparison, let other = try arguments.positional(upTo: 1, required: 1, of: callee)[0] else {
        return false
      }
      return try compare(value, comparison, other)
    case "divisibleby":
      guard let divisor = try arguments.bound(to: ["num"], required: 1, of: callee)[0] else { return false }
      return try areEqual(try calculate(value, .modulo, divisor), .integer(0))
    case "sameas":
      guard let other = try arguments.bound(to: ["other"], required: 1, of: callee)[0] else { return false }
      switch (value, other) {
      case (.none, .none): return true
      case (.bool(let left), .bool(let right)): return left == right
      case (.namespace(let left), .namespace(let right)): return left === right
      case (.integer(let left), .integer(let right)): return left == right
      case (.string, .string), (.float, .float), (.list, .list), (.dictionary, .dictionary), (.tuple, .tuple):
        throw .unsupported("'is sameas' on two values of this type is not supported; use '=='")
      default: return false
      }
    default: break
    }
    _ = try arguments.positional(upTo: 0, of: callee)
    switch name {
    case "odd": return try areEqual(try calculate(value, .modulo, .integer(2)), .integer(1))
    case "even": return try areEqual(try calculate(value, .modulo, .integer(2)), .integer(0))
    case "defined": return !value.isUndefined
    case "undefined": return value.isUndefined
    case "filter", "test":
      guard value.isHashable else { throw refusal(callee, value) }
      guard case .string(let other) = value else { return false }
      return name == "test" ? Tests.names.contains(other.string) : Filters.known(other.string)
    case "lower": return try text(of: value).isCased(upper: false)
    case "upper": return try text(of: value).isCased(upper: true)
    default: return hasType(name, value)
    }
  }

  private func hasType(_ name: String, _ value: Value) -> Bool {
    switch (name, value) {
    case ("none", .none), ("boolean", .bool), ("integer", .integer), ("float", .float), ("string", .string),
      ("mapping", .dictionary), ("number", .bool), ("number", .integer), ("number", .float),
      ("integer", .bigInteger), ("number", .bigInteger),
      ("false", .bool(false)), ("true", .bool(true)):
      true
    case ("escaped", .string(let text)): text.isMarkup
    case ("callable", .function), ("callable", .method), ("callable", .macro), ("callable", .undefined): true
    case ("sequence", .string), ("sequence", .list), ("sequence", .tuple), ("sequence", .dictionary),
      ("sequence", .range), ("sequence", .undefined):
      true
    case ("iterable", .string), ("iterable", .list), ("iterable", .tuple), ("iterable", .dictionary),
      ("iterable", .range), ("iterable", .view), ("iterable", .iterator), ("iterable", .undefined), ("iterable", .loop):
      true
    default: false
    }
  }
}
