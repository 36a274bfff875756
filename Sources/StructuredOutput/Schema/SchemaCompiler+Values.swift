internal import Tokenization

extension SchemaCompiler {
  /// The node of parts whose own keywords hold together.
  mutating func merge(_ parts: [Int]) throws -> Int {
    if let constants = try constants(of: parts) { return try node(of: constants, at: document.parts[parts[0]].pointer) }
    let types = try types(of: parts)
    var choices: [Int] = []
    if types.contains(.object) { choices.append(try objectNode(parts)) }
    if types.contains(.array) { choices.append(try arrayNode(parts)) }
    if types.contains(.string) { choices.append(try stringNode(parts)) }
    if types.contains(.integer) { choices.append(try numberNode(parts, isInteger: !types.contains(.fractional))) }
    if types.contains(.boolean) { choices.append(json.boolean) }
    if types.contains(.null) { choices.append(json.null) }
    return try builder.choice(choices)
  }

  /// One of some constants.
  private mutating func node(of constants: [JSONValue], at pointer: String) throws -> Int {
    let texts = constants.flatMap { constant in
      [JSONStyle.python, .compact].map { constant.string.map(JSONText.quoted) ?? constant.serialized($0) }
    }
    do { return try builder.literals(texts) } catch is ByteAutomaton.TooLarge {
      throw ConstraintError(path: pointer + "/enum", message: "holds too many constants to compile")
    }
  }

  /// A terminal of `pattern`.
  private mutating func text(_ pattern: BytePattern, at pointer: String, name: String) throws -> Int {
    guard let automaton = try automaton(pattern, at: pointer, name: name) else { return try builder.choice([]) }
    return try builder.terminal(automaton)
  }

  private mutating func automaton(
    _ pattern: BytePattern, at pointer: String, name: String
  ) throws(ConstraintError) -> ByteAutomaton? {
    do { return try ByteAutomaton.make(pattern, work: &automatonWork) } catch {
      throw ConstraintError(path: pointer, message: "\(name) is too complex to compile")
    }
  }

  // MARK: Numbers

  private mutating func numberNode(_ parts: [Int], isInteger: Bool) throws -> Int {
    let range = try range(of: parts)
    if range.isUnbounded { return isInteger ? json.integer : json.number }
    let pointer = document.parts[parts[0]].pointer
    guard range.isWritable else {
      throw ConstraintError(
        path: pointer, message: "bounds numbers beyond \(Int(NumberRange.greatest)), which is not supported")
    }
    if isInteger { return try text(range.integers, at: pointer, name: "the range") }
    do {
      guard let automaton = try range.decimals() else { return try builder.choice([]) }
      return try builder.terminal(automaton)
    } catch is ByteAutomaton.TooLarge {
      throw ConstraintError(path: pointer, message: "the range is too complex to compile")
    }
  }

  // MARK: Strings

  private mutating func stringNode(_ parts: [Int]) throws -> Int {
    var (minimum, maximum): (Int, Int?) = (0, nil)
    var content: ByteAutomaton?
    var lastPointer = ""
    for part in parts {
      let (schema, pointer) = (document.parts[part].value, document.parts[part].pointer)
      let bounds = try SchemaBounds.read("minLength", "maxLength", of: schema, at: pointer)
      minimum = max(minimum, bounds.minimum)
      if let most = bounds.maximum { maximum = min(maximum ?? most, most) }
      for name in ["pattern", "format"] {
        guard let value = schema[name]?.string,
          let expression = name == "pattern" ? value : SchemaFormats.expression(for: value)
        else { continue }
        lastPointer = pointer + "/\(name)"
        let own = try contents(of: expression, at: lastPointer)
        guard let own else { return try builder.choice([]) }
        guard let both = try intersection(content, own, at: lastPointer) else { return try builder.choice([]) }
        content = both
      }
    }
    if let maximum, maximum < minimum { return try builder.choice([]) }
    guard var content else {
      if minimum == 0, maximum == nil { return json.string }
      return try builder.terminal(
        StandardAutomata.string,
        length: Grammar.Length(
          minimum: Int32(clamping: minimum), maximum: maximum.map { Int32(clamping: $0) } ?? .max))
    }
    if minimum > 0 || maximum != nil {
      let length = BytePattern.repeated(
        StandardAutomata.canonicalCharacter(0...ScalarSet.maximum), minimum: minimum, maximum: maximum)
      guard let bounds = try automaton(length, at: lastPointer, name: "the pattern with its bounds on the length"),
        let both = try intersection(content, bounds, at: lastPointer)
      else { return try builder.choice([]) }
      content = both
    }
    return try builder.terminal(content.quoted())
  }

  private mutating func contents(of expression: String, at pointer: String) throws(ConstraintError) -> ByteAutomaton? {
    let pattern: BytePattern
    do {
      pattern = try SchemaRegex.search(expression) { StandardAutomata.canonicalCharacter($0) }
    } catch {
      throw ConstraintError(path: pointer, message: "the pattern \(error.message)")
    }
    return try automaton(pattern, at: pointer, name: "the pattern")
  }

  private func intersection(
    _ first: ByteAutomaton?, _ second: ByteAutomaton, at pointer: String
  ) throws(ConstraintError) -> ByteAutomaton? {
    guard let first else { return second }
    do { return try ByteAutomaton.combine(first, second) { $0 && $1 } } catch {
      throw ConstraintError(path: pointer, message: "the pattern is too complex to compile with its bounds")
    }
  }

  // MARK: Arrays

  private mutating func arrayNode(_ parts: [Int]) throws -> Int {
    var (minimum, maximum): (Int, Int?) = (0, nil)
    var items: [SchemaItems] = []
    for part in parts {
      let (schema, pointer) = (document.parts[part].value, document.parts[part].pointer)
      let bounds = try SchemaBounds.read("minItems", "maxItems", of: schema, at: pointer)
      minimum = max(minimum, bounds.minimum)
      if let most = bounds.maximum { maximum = min(maximum ?? most, most) }
      items.append(SchemaItems(schema, at: pointer, in: &document))
    }
    let prefixCount = min(items.map(\.prefix.count).max() ?? 0, maximum ?? .max)
    func element(_ index: Int) -> [Int] {
      items.compactMap { index < $0.prefix.count ? $0.prefix[index] : $0.rest }
    }
    let comma = try builder.terminal(StandardAutomata.comma)
    let space = try builder.terminal(StandardAutomata.optionalSpace)
    let rest = try node(for: items.compactMap(\.rest))
    let isOpen = maximum.map { $0 > prefixCount } ?? true
    // From the back: what follows `index` elements.
    var tail = try builder.sequence([])
    if isOpen {
      let start = max(prefixCount, 1)
      tail = try builder.loop(
        try builder.sequence([comma, rest]), minimum: max(0, minimum - start), maximum: maximum.map { $0 - start })
    }
    for index in stride(from: prefixCount - 1, to: 0, by: -1) {
      let more = try builder.sequence([comma, try node(for: element(index)), tail])
      tail = index >= minimum ? try builder.choice([try builder.sequence([]), more]) : more
    }
    var choices: [Int] = []
    if minimum == 0 { choices.append(try builder.terminal(StandardAutomata.emptyArray)) }
    if prefixCount > 0 || isOpen, minimum <= maximum ?? .max {
      choices.append(
        try builder.sequence([
          try builder.terminal(StandardAutomata.openArray), space, prefixCount > 0 ? try node(for: element(0)) : rest,
          tail, try builder.terminal(StandardAutomata.closeArray),
        ]))
    }
    return try builder.choice(choices)
  }
}
