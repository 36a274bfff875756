internal import JSON

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
      [JSONStyle.python, .compact].map(constant.serialized)
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
    do {
      return try withWork { work throws(ByteAutomaton.TooLarge) in try ByteAutomaton.make(pattern, work: &work) }
    } catch {
      throw ConstraintError(path: pointer, message: "\(name) is too complex to compile")
    }
  }

  // MARK: Numbers

  private mutating func numberNode(_ parts: [Int], isInteger: Bool) throws -> Int {
    let range = try range(of: parts)
    let pointer = document.parts[parts[0]].pointer
    let multiples = try multiples(of: parts)
    guard multiples.isEmpty else { return try node(of: multiples, within: range, isInteger: isInteger, at: pointer) }
    if range.isUnbounded { return isInteger ? json.integer : json.number }
    guard range.isWritable else {
      throw ConstraintError(
        path: pointer, message: "bounds numbers beyond \(Int(NumberRange.greatest)), which is not supported")
    }
    if isInteger { return try text(range.integers, at: pointer, name: "the range") }
    do {
      let decimals = try withWork { work throws(ByteAutomaton.TooLarge) in try range.decimals(work: &work) }
      guard let automaton = decimals else { return try builder.choice([]) }
      return try builder.terminal(automaton)
    } catch is ByteAutomaton.TooLarge {
      throw ConstraintError(path: pointer, message: "the range is too complex to compile")
    }
  }

  /// What `multipleOf` says but that numbers are integers.
  private func multiples(of parts: [Int]) throws(ConstraintError) -> [MultipleOf] {
    var multiples: [MultipleOf] = []
    for part in parts {
      guard let own = try MultipleOf(document.parts[part].value, at: document.parts[part].pointer) else { continue }
      if own.step > 1 || !own.isWhole { multiples.append(own) }
    }
    return multiples
  }

  /// Numbers within `range` that are multiples of all of some steps.
  private mutating func node(
    of multiples: [MultipleOf], within range: NumberRange, isInteger: Bool, at pointer: String
  ) throws -> Int {
    let place = pointer + "/multipleOf"
    guard range.isWritable else {
      throw ConstraintError(
        path: pointer, message: "bounds numbers beyond \(Int(NumberRange.greatest)), which is not supported")
    }
    do {
      var numbers =
        if isInteger {
          try automaton(
            range.isUnbounded ? StandardAutomata.integerPattern : range.integers, at: pointer, name: "the range")
        } else if range.isUnbounded {
          try automaton(
            .sequence([StandardAutomata.integerPattern, .optional(StandardAutomata.fraction)]), at: pointer,
            name: "the range")
        } else {
          try withWork { work throws(ByteAutomaton.TooLarge) in try range.decimals(work: &work) }
        }
      for multiple in multiples {
        guard let known = numbers, let own = multiple.automaton() else { break }
        numbers = try combined(known, own) { $0 && $1 }
      }
      return try numbers.map { try builder.terminal($0) } ?? builder.choice([])
    } catch is ByteAutomaton.TooLarge {
      throw ConstraintError(path: place, message: "is too complex to compile with the range of the number")
    }
  }

  // MARK: Strings

  /// What parts say about a string together.
  struct StringTexts {
    var minimum = 0
    var maximum: Int?
    /// Contents as they are written; `nil` for any.
    var content: ByteAutomaton?
    /// Where the last pattern stands.
    var pointer = ""
    /// Whether there are such strings.
    var isPossible = true
  }

  /// Bounds on the length, and the contents that patterns and formats leave.
  mutating func stringTexts(of parts: [Int]) throws(ConstraintError) -> StringTexts {
    var texts = StringTexts()
    for part in parts {
      let (schema, pointer) = (document.parts[part].value, document.parts[part].pointer)
      let bounds = try SchemaBounds.read("minLength", "maxLength", of: schema, at: pointer)
      texts.minimum = max(texts.minimum, bounds.minimum)
      if let most = bounds.maximum { texts.maximum = min(texts.maximum ?? most, most) }
      for name in ["pattern", "format"] {
        guard let value = schema[name]?.string,
          let expression = name == "pattern" ? value : SchemaFormats.expression(for: value)
        else { continue }
        texts.pointer = pointer + "/\(name)"
        guard let own = try contents(of: expression, at: texts.pointer),
          let both = try intersection(texts.content, own, at: texts.pointer)
        else {
          texts.isPossible = false
          return texts
        }
        texts.content = both
      }
    }
    if let maximum = texts.maximum, maximum < texts.minimum { texts.isPossible = false }
    // Bounds that the contents keep anyway.
    if let content = texts.content {
      if texts.minimum == 1, !content.accepting[Int(ByteAutomaton.start)] { texts.minimum = 0 }
      if let maximum = texts.maximum, let longest = content.longestText, longest <= maximum { texts.maximum = nil }
    }
    return texts
  }

  /// The contents within the bounds on the length; `nil` when there are none.
  mutating func bounded(_ texts: StringTexts, at pointer: String) throws(ConstraintError) -> ByteAutomaton? {
    let length = BytePattern.repeated(
      StandardAutomata.canonicalCharacter(0...ScalarSet.maximum), minimum: texts.minimum, maximum: texts.maximum)
    let name = texts.content == nil ? "the length" : "the pattern with its bounds on the length"
    guard let bounds = try automaton(length, at: pointer, name: name) else { return nil }
    return try intersection(texts.content, bounds, at: pointer)
  }

  private mutating func stringNode(_ parts: [Int]) throws -> Int {
    let texts = try stringTexts(of: parts)
    guard texts.isPossible else { return try builder.choice([]) }
    let isBounded = texts.minimum > 0 || texts.maximum != nil
    guard let content = texts.content else {
      guard isBounded else { return json.string }
      return try builder.terminal(
        StandardAutomata.string,
        length: Grammar.Length(
          minimum: Int32(clamping: texts.minimum), maximum: texts.maximum.map { Int32(clamping: $0) } ?? .max))
    }
    guard isBounded else { return try builder.terminal(content.quoted()) }
    guard let both = try bounded(texts, at: texts.pointer) else { return try builder.choice([]) }
    return try builder.terminal(both.quoted())
  }

  /// The contents of strings in which a regular expression finds a match, as they are written.
  mutating func contents(of expression: String, at pointer: String) throws(ConstraintError) -> ByteAutomaton? {
    do {
      let language = try SchemaRegex.search(expression) { StandardAutomata.canonicalCharacter($0) }
      return try withWork { work throws(ByteAutomaton.TooLarge) in try language.automaton(work: &work) }
    } catch let failure as SchemaRegex.Failure {
      throw ConstraintError(path: pointer, message: "the pattern \(failure.message)")
    } catch {
      throw ConstraintError(path: pointer, message: "the pattern is too complex to compile")
    }
  }

  private func intersection(
    _ first: ByteAutomaton?, _ second: ByteAutomaton, at pointer: String
  ) throws(ConstraintError) -> ByteAutomaton? {
    guard let first else { return second }
    do { return try combined(first, second) { $0 && $1 } } catch {
      throw ConstraintError(path: pointer, message: "the pattern is too complex to compile with its bounds")
    }
  }

  /// `ByteAutomaton.combine` within the budget.
  func combined(
    _ first: ByteAutomaton, _ second: ByteAutomaton, accepts: (Bool, Bool) -> Bool
  ) throws(ByteAutomaton.TooLarge) -> ByteAutomaton? {
    try withWork { work throws(ByteAutomaton.TooLarge) in
      try ByteAutomaton.combine(first, second, work: &work, accepts: accepts)
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
    if maximum ?? .max > 1,
      let distinct = parts.first(where: { document.parts[$0].value["uniqueItems"] == .bool(true) })
    {
      return try distinctNode(
        items, minimum: minimum, maximum: maximum, at: document.parts[distinct].pointer + "/uniqueItems")
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

  /// Most constants that an array of distinct elements may choose from: every set of them is a node.
  private static let maximumDistinctConstants = 10

  /// Arrays of distinct elements (`uniqueItems`), where there are only so many.
  private mutating func distinctNode(
    _ items: [SchemaItems], minimum: Int, maximum: Int?, at pointer: String
  ) throws -> Int {
    guard items.allSatisfy(\.prefix.isEmpty), let constants = try elements(items.compactMap(\.rest)),
      constants.count <= Self.maximumDistinctConstants
    else {
      throw ConstraintError(
        path: pointer,
        message:
          "'uniqueItems' is only supported where 'items' lists the elements: at most \(Self.maximumDistinctConstants) constants"
      )
    }
    let maximum = min(maximum ?? .max, constants.count)
    let comma = try builder.terminal(StandardAutomata.comma)
    let space = try builder.terminal(StandardAutomata.optionalSpace)
    let elements = try constants.map { try node(of: [$0], at: pointer) }
    // From the back: what may follow once a set of elements, by its bits, has been written.
    var rests = Array(repeating: 0, count: 1 << constants.count)
    for used in rests.indices.reversed() {
      var choices = used.nonzeroBitCount >= minimum ? [try builder.sequence([])] : []
      for (index, element) in elements.enumerated() where used >> index & 1 == 0 && used.nonzeroBitCount < maximum {
        let lead = used == 0 ? space : comma
        choices.append(try builder.sequence([lead, element, rests[used | 1 << index]]))
      }
      rests[used] = try builder.choice(choices)
    }
    let array = try builder.sequence([
      try builder.terminal(StandardAutomata.openArray), rests[0], try builder.terminal(StandardAutomata.closeArray),
    ])
    return minimum == 0 ? try builder.choice([try builder.terminal(StandardAutomata.emptyArray), array]) : array
  }

  /// All values that parts allow together, where they are constants; `nil` otherwise.
  private mutating func elements(_ parts: [Int]) throws(ConstraintError) -> [JSONValue]? {
    var alternatives: [[Int]] = [[]]
    for part in parts {
      let own = try self.alternatives(of: part)
      guard alternatives.count * own.count <= Self.maximumDistinctConstants else { return nil }
      alternatives = alternatives.flatMap { known in own.map { known + $0 } }
    }
    var values: [JSONValue] = []
    var known: Set<CanonicalValue> = []
    for alternative in alternatives {
      guard !alternative.isEmpty else { return nil }
      let types = try types(of: alternative)
      let own: [JSONValue]
      if let constants = try constants(of: alternative) {
        own = constants
      } else if types.isSubset(of: [.boolean, .null]) {
        own = (types.contains(.boolean) ? [true, false] : []) + (types.contains(.null) ? [.null] : [])
      } else {
        return nil
      }
      for value in own where known.insert(CanonicalValue(value)).inserted { values.append(value) }
    }
    return values
  }
}
