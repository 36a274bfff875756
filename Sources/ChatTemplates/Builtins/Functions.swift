/// The functions that templates can call by name.
extension TemplateRenderer {
  func call(_ function: BuiltinFunction, _ arguments: Arguments) throws(ChatTemplateError) -> Value {
    switch function {
    case .range: return try range(arguments)
    case .dict:
      let map = try mapping(arguments, of: "dict")
      return try dictionary(map)
    case .namespace:
      var attributes = OrderedMap<Text, Value>()
      let map = try mapping(arguments, of: "namespace")
      for (key, value) in zip(map.keys, map.values) {
        guard case .string(let name) = key else {
          throw .evaluation("the attributes of a namespace must be named by strings")
        }
        try checkNamespaceAttribute(name)
        attributes.set(value, for: name)
      }
      return try namespace(attributes)
    case .raiseException:
      let message = try arguments.bound(to: ["message"], required: 1, of: "raise_exception")
      throw ChatTemplateError(
        .raised, try message[0].map { value throws(ChatTemplateError) in try text(of: value).string } ?? "")
    case .strftimeNow:
      let format = try arguments.bound(to: ["format"], required: 1, of: "strftime_now")
      guard case .string(let format)? = format[0] else { throw .evaluation("strftime_now needs a string") }
      return try string(try DateText.formatted(now, format, in: timeZone))
    }
  }

  private func range(_ arguments: Arguments) throws(ChatTemplateError) -> Value {
    let values = try arguments.positional(upTo: 3, required: 1, of: "range")
    var bounds: [Int] = []
    for value in values {
      guard let value else { continue }
      guard let bound = value.index else { throw refusal("range", value) }
      bounds.append(bound)
    }
    let step = bounds.count > 2 ? bounds[2] : 1
    guard step != 0 else { throw .evaluation("the step of range is 0") }
    guard
      let range = IntegerRange(
        start: bounds.count > 1 ? bounds[0] : 0, stop: bounds.count > 1 ? bounds[1] : bounds[0], step: step),
      range.count <= limits.elements
    else { throw .limit("a range has more than \(limits.elements) elements") }
    return .range(range)
  }

  /// What Python's `dict(…)` builds: entries of a dictionary or pairs, then the keyword arguments.
  private func mapping(_ arguments: Arguments, of callee: String) throws(ChatTemplateError) -> OrderedMap<Value, Value>
  {
    guard arguments.positional.count <= 1 else {
      throw .evaluation("\(callee) takes at most 1 positional argument, found \(arguments.positional.count)")
    }
    var map = OrderedMap<Value, Value>()
    if case .dictionary(let entries)? = arguments.positional.first {
      map = entries.map
    } else if let pairs = arguments.positional.first {
      for pair in try items(of: pairs, purpose: "build a \(callee) from") {
        let pair = try items(of: pair, purpose: "build an entry from")
        guard pair.count == 2 else { throw .evaluation("an entry of \(callee) has \(pair.count) elements, expected 2") }
        try checkKey(pair[0])
        map.set(pair[1], for: pair[0])
      }
    }
    for (name, value) in arguments.keyword { map.set(value, for: .string(name)) }
    return map
  }
}
