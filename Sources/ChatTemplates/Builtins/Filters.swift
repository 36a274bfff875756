/// The filters that follow `|`, by name. What they do is in extensions of the renderer, grouped by subject.
enum Filters {
  /// A filter that is supported.
  enum Name: String, CaseIterable {
    case abs, attr, batch, capitalize, center, count, d, `default`, dictsort, e, escape, first, float, format, groupby
    case indent, int, items, join, last, length, list, lower, map, max, min, reject, rejectattr, replace, reverse
    case round, safe, select, selectattr, slice, sort, string, sum, title, tojson, trim, truncate, unique, upper
    case wordcount
  }

  /// Filters of Jinja that are not supported.
  private static let unsupported: Set<String> = [
    "filesizeformat", "forceescape", "pprint", "random", "striptags", "urlencode", "urlize", "wordwrap", "xmlattr",
  ]

  static func known(_ name: String) -> Bool { Name(rawValue: name) != nil || unsupported.contains(name) }

  /// The error for a filter that does not exist or is not supported, or `nil`.
  static func refusal(of name: String) -> ChatTemplateError? {
    if Name(rawValue: name) != nil { return nil }
    if unsupported.contains(name) { return .unsupported("the filter '\(name)' is not supported") }
    return ChatTemplateError(.syntax, "there is no filter '\(name)'")
  }
}

extension TemplateRenderer {
  /// Jinja's `value|name(arguments)`.
  func filter(_ name: String, _ value: Value, _ arguments: Arguments) throws(ChatTemplateError) -> Value {
    guard let filter = Filters.Name(rawValue: name) else {
      throw Filters.refusal(of: name) ?? .unsupported("the filter '\(name)' is not supported")
    }
    let callee = "the filter '\(name)'"
    try charge(1)
    switch filter {
    case .abs, .float, .int, .round, .sum: return try numberFilter(filter, value, arguments, callee)
    case .capitalize, .center, .e, .escape, .format, .indent, .lower, .replace, .safe, .string, .title, .tojson, .trim,
      .truncate, .upper, .wordcount:
      return try textFilter(filter, value, arguments, callee)
    case .batch, .count, .first, .items, .join, .last, .length, .list, .reverse, .slice:
      return try sequenceFilter(filter, value, arguments, callee)
    case .dictsort, .groupby, .max, .min, .sort, .unique: return try orderingFilter(filter, value, arguments, callee)
    case .map, .reject, .rejectattr, .select, .selectattr: return try selectingFilter(filter, value, arguments, callee)
    case .attr:
      let name = try arguments.bound(to: ["name"], required: 1, of: callee)
      guard case .string(let name)? = name[0] else { throw .evaluation("\(callee) needs a string") }
      if case .dictionary = value, !Methods.names(of: value).contains(name.string) {
        return .undefined(Undefined(message: "a dict has no attribute '\(name.string)'"))
      }
      return try attribute(name, of: value)
    case .d, .default:
      let bound = try arguments.bound(to: ["default_value", "boolean"], of: callee)
      if value.isUndefined || (bound[1]?.isTrue ?? false && !value.isTrue) { return bound[0] ?? .string("") }
      return value
    }
  }

  /// Reads `path` (`a.b.0`, an integer, or `nil` for the value itself) from `value`, as filters take attributes.
  /// `standard` stands in for what is missing on the way.
  func value(at path: Value?, of value: Value, default standard: Value? = nil) throws(ChatTemplateError) -> Value {
    func found(_ value: Value) -> Value {
      guard let standard, value.isUndefined, !Self.isNone(standard) else { return value }
      return standard
    }
    switch path {
    case nil, .some(.none): return value
    case .string(let path)?:
      var value = value
      for part in path.split(by: ".", limit: Int.max) {
        let isIndex = !part.isEmpty && part.utf8.allSatisfy { (0x30...0x39).contains($0) }
        let key: Value = isIndex ? Int(part.string).map(Value.integer) ?? .string(part) : .string(part)
        value = found(try item(key, of: value))
      }
      return value
    case .some(let key): return found(try item(key, of: value))
    }
  }

  /// An integer argument, or `standard` when it is not given.
  func integer(_ value: Value?, default standard: Int, of callee: String) throws(ChatTemplateError) -> Int {
    guard let value else { return standard }
    guard let index = value.index else { throw .evaluation("\(callee) needs an integer, found \(value.typeName)") }
    return index
  }
}
