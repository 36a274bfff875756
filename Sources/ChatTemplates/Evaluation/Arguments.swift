/// The evaluated arguments of a call, a filter or a test.
struct Arguments {
  var positional: [Value] = []
  var keyword: [(name: Text, value: Value)] = []

  var isEmpty: Bool { positional.isEmpty && keyword.isEmpty }

  /// The arguments in the order of `names`; those not given are `nil`.
  ///
  /// - Throws: when more are given than there are names, one is given twice or unknown, or one of the first
  ///   `required` is missing. `callee` names the function in the message.
  func bound(to names: [String], required: Int = 0, of callee: String) throws(ChatTemplateError) -> [Value?] {
    guard positional.count <= names.count else {
      throw .evaluation("\(callee) takes at most \(names.count) arguments, found \(positional.count)")
    }
    var values: [Value?] = positional
    values.append(contentsOf: [Value?](repeating: nil, count: names.count - positional.count))
    for (name, value) in keyword {
      guard let place = names.firstIndex(where: { Text($0) == name }) else {
        throw .evaluation("\(callee) takes no argument '\(name.string)'")
      }
      guard values[place] == nil else {
        throw .evaluation("\(callee) is given the argument '\(name.string)' twice")
      }
      values[place] = value
    }
    for place in 0..<required where values[place] == nil {
      throw .evaluation("\(callee) needs the argument '\(names[place])'")
    }
    return values
  }

  /// `count` positional arguments at least `required` of which are given; no keyword arguments.
  func positional(upTo count: Int, required: Int = 0, of callee: String) throws(ChatTemplateError) -> [Value?] {
    guard keyword.isEmpty else { throw .evaluation("\(callee) takes no keyword arguments") }
    guard positional.count <= count, positional.count >= required else {
      let expected = required == count ? "\(count)" : "\(required) to \(count)"
      throw .evaluation("\(callee) takes \(expected) arguments, found \(positional.count)")
    }
    return positional.map(Optional.some) + [Value?](repeating: nil, count: count - positional.count)
  }
}
