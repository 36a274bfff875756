/// A regular expression of ECMA-262, as JSON Schema's `pattern` has it, read into a pattern over bytes.
///
/// References back, looking behind, and looking ahead from anywhere but the text's beginning are refused, and so are
/// word boundaries and Unicode properties.
struct SchemaRegex {
  /// Why an expression was refused.
  struct Failure: Error {
    let message: String
  }

  /// How a set of scalars is written as bytes: in UTF-8, or as the contents of a JSON string.
  let encode: (ClosedRange<UInt32>) -> BytePattern
  private var scalars: [UInt32]
  private var position = 0
  private var depth = 0

  private static let maximumDepth = 64
  /// Larger counts are beyond what an automaton is built for.
  private static let maximumCount = 100_000

  /// The texts in which `expression` finds a match somewhere.
  static func search(
    _ expression: String, encode: @escaping (ClosedRange<UInt32>) -> BytePattern
  ) throws(Failure) -> RegexLanguage {
    let language = try match(expression, encode: encode)
    let anything = BytePattern.many(encode(0...ScalarSet.maximum))
    return RegexLanguage(
      pattern: .sequence([anything, language.pattern, anything]), conditions: language.conditions)
  }

  /// The texts that `expression` matches as a whole.
  static func match(
    _ expression: String, encode: @escaping (ClosedRange<UInt32>) -> BytePattern
  ) throws(Failure) -> RegexLanguage {
    var parser = SchemaRegex(encode: encode, scalars: expression.unicodeScalars.map(\.value))
    let conditions = try parser.conditions()
    let match = try conditions.isEmpty ? parser.alternatives() : parser.sequence()
    if !conditions.isEmpty, parser.current == "|" {
      throw Failure(message: "looks ahead in one of several alternatives, which is not supported")
    }
    guard parser.position == parser.scalars.count else { throw Failure(message: "has an unmatched ')'") }
    return RegexLanguage(pattern: conditions.isEmpty ? match : .sequence([.atStart, match]), conditions: conditions)
  }

  /// What the expression looks ahead for from the text's beginning: `^(?=…)(?!…)`.
  private mutating func conditions() throws(Failure) -> [RegexLanguage.Condition] {
    let start = position
    guard take("^") else { return [] }
    var conditions: [RegexLanguage.Condition] = []
    while true {
      let isNegative = take("(?!")
      guard isNegative || take("(?=") else { break }
      let pattern = try alternatives()
      guard take(")") else { throw Failure(message: "has an unmatched '('") }
      conditions.append(
        RegexLanguage.Condition(
          pattern: .sequence([.atStart, pattern, .many(encode(0...ScalarSet.maximum))]), isNegative: isNegative))
    }
    if conditions.isEmpty { position = start }
    return conditions
  }

  private init(encode: @escaping (ClosedRange<UInt32>) -> BytePattern, scalars: [UInt32]) {
    self.encode = encode
    self.scalars = scalars
  }

  private var current: Character? {
    position < scalars.count ? Unicode.Scalar(scalars[position]).map(Character.init) : nil
  }

  private mutating func take(_ text: String) -> Bool {
    let wanted = text.unicodeScalars.map(\.value)
    guard scalars[position...].starts(with: wanted) else { return false }
    position += wanted.count
    return true
  }

  private mutating func alternatives() throws(Failure) -> BytePattern {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.maximumDepth else { throw Failure(message: "nests more than \(Self.maximumDepth) groups") }
    var parts = [try sequence()]
    while take("|") { parts.append(try sequence()) }
    return .choice(parts)
  }

  private mutating func sequence() throws(Failure) -> BytePattern {
    var parts: [BytePattern] = []
    while let character = current, character != "|", character != ")" { parts.append(try term()) }
    return .sequence(parts)
  }

  private mutating func term() throws(Failure) -> BytePattern {
    if take("^") { return .atStart }
    if take("$") { return .atEnd }
    let atom = try atom()
    var (minimum, maximum): (Int, Int?)
    switch current {
    case "*": (minimum, maximum) = (0, nil)
    case "+": (minimum, maximum) = (1, nil)
    case "?": (minimum, maximum) = (0, 1)
    case "{":
      guard let bounds = try counts() else { return atom }
      (minimum, maximum) = bounds
      position -= 1
    default: return atom
    }
    position += 1
    // A lazy quantifier matches the same texts.
    _ = take("?")
    if let current, "*+?".contains(current) { throw Failure(message: "has nothing to repeat before '\(current)'") }
    return .repeated(atom, minimum: minimum, maximum: maximum)
  }

  /// The bounds in braces, after which the position is; `nil` when the brace stands for itself.
  private mutating func counts() throws(Failure) -> (Int, Int?)? {
    let start = position
    position += 1
    guard let minimum = try count() else {
      position = start
      return nil
    }
    var maximum: Int? = minimum
    if take(",") { maximum = try count() }
    guard take("}") else {
      position = start
      return nil
    }
    if let maximum, maximum < minimum { throw Failure(message: "repeats {\(minimum),\(maximum)}, which is backwards") }
    return (minimum, maximum)
  }

  private mutating func count() throws(Failure) -> Int? {
    var value: Int?
    while let digit = current?.wholeNumberValue, current?.isASCII == true {
      value = (value ?? 0) * 10 + digit
      position += 1
      guard value ?? 0 <= Self.maximumCount else {
        throw Failure(message: "repeats more than \(Self.maximumCount) times")
      }
    }
    return value
  }

  private mutating func atom() throws(Failure) -> BytePattern {
    switch current {
    case "(":
      for prefix in ["(?=", "(?!", "(?<=", "(?<!"] where take(prefix) {
        throw Failure(
          message: "looks ahead or behind ('\(prefix)'); only '^(?=…)' and '^(?!…)' at its beginning are supported")
      }
      if !take("(?:") {
        if take("(?<") {
          while let character = current, character != ">" { position += 1 }
          guard take(">") else { throw Failure(message: "has an unfinished group name") }
        } else if take("(?") {
          throw Failure(message: "has an unknown kind of group")
        } else {
          position += 1
        }
      }
      let inner = try alternatives()
      guard take(")") else { throw Failure(message: "has an unmatched '('") }
      return inner
    case "[": return pattern(of: try characterClass())
    case ".":
      position += 1
      return pattern(of: ScalarSet.lineEnds.inverted)
    case "*", "+", "?": throw Failure(message: "has nothing to repeat at its start")
    case "\\":
      position += 1
      return pattern(of: try escape(inClass: false))
    case nil: throw Failure(message: "ends too early")
    default:
      defer { position += 1 }
      return pattern(of: ScalarSet([scalars[position]...scalars[position]]))
    }
  }

  private func pattern(of set: ScalarSet) -> BytePattern { .choice(set.ranges.map(encode)) }

  private mutating func characterClass() throws(Failure) -> ScalarSet {
    position += 1
    let isNegated = take("^")
    var set = ScalarSet([])
    while current != "]" {
      let (low, first) = try classMember()
      guard current == "-", position + 1 < scalars.count, scalars[position + 1] != 0x5D else {
        set = set.union(first)
        continue
      }
      position += 1
      let (high, second) = try classMember()
      if let low, let high {
        guard low <= high else { throw Failure(message: "has a character range that runs backwards") }
        set = set.union(ScalarSet([low...high]))
      } else {
        set = set.union(first).union(second).union(ScalarSet("-"))
      }
    }
    position += 1
    return isNegated ? set.inverted : set
  }

  /// A single character, or a class such as `\d`.
  private mutating func classMember() throws(Failure) -> (single: UInt32?, set: ScalarSet) {
    guard position < scalars.count else { throw Failure(message: "has an unmatched '['") }
    let set: ScalarSet
    if take("\\") {
      set = try escape(inClass: true)
    } else {
      set = ScalarSet([scalars[position]...scalars[position]])
      position += 1
    }
    let only = set.ranges.count == 1 ? set.ranges[0] : nil
    return (only?.count == 1 ? only?.lowerBound : nil, set)
  }

  private mutating func escape(inClass: Bool) throws(Failure) -> ScalarSet {
    guard let character = current else { throw Failure(message: "ends in a backslash") }
    position += 1
    func single(_ value: UInt32) -> ScalarSet { ScalarSet([value...value]) }
    switch character {
    case "d": return .digits
    case "D": return ScalarSet.digits.inverted
    case "w": return .wordCharacters
    case "W": return ScalarSet.wordCharacters.inverted
    case "s": return .spaces
    case "S": return ScalarSet.spaces.inverted
    case "t": return single(0x09)
    case "n": return single(0x0A)
    case "v": return single(0x0B)
    case "f": return single(0x0C)
    case "r": return single(0x0D)
    case "b" where inClass: return single(0x08)
    case "b", "B": throw Failure(message: "asks for a word boundary, which is not supported")
    case "p", "P": throw Failure(message: "asks for a Unicode property, which is not supported")
    case "k": throw Failure(message: "refers back to a group, which is not supported")
    case "0": return single(0)
    case "1"..."9": throw Failure(message: "refers back to a group, which is not supported")
    case "x": return single(try hexadecimal(digits: 2))
    case "u":
      if take("{") {
        var value: UInt32 = 0
        while let digit = current?.hexDigitValue, value <= ScalarSet.maximum {
          value = value << 4 | UInt32(digit)
          position += 1
        }
        guard take("}"), value <= ScalarSet.maximum else { throw Failure(message: "has a malformed \\u{…}") }
        return single(value)
      }
      let unit = try hexadecimal(digits: 4)
      if (0xD800..<0xDC00).contains(unit), take("\\u") {
        let low = try hexadecimal(digits: 4)
        guard (0xDC00..<0xE000).contains(low) else { throw Failure(message: "has half a surrogate pair") }
        return single(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00))
      }
      return single(unit)
    case "a"..."z", "A"..."Z": throw Failure(message: "has the unknown escape '\\\(character)'")
    default: return single(scalars[position - 1])
    }
  }

  private mutating func hexadecimal(digits: Int) throws(Failure) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<digits {
      guard let digit = current?.hexDigitValue else { throw Failure(message: "has a malformed hexadecimal escape") }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }
}
