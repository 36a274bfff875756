/// Reads the `pre_tokenizer` of a tokenizer file: Split, Digits and ByteLevel, alone or in a sequence that ends in ByteLevel.
struct PreTokenizerReader {
  private(set) var steps: [PreTokenizer.Step] = []
  /// Whether a ByteLevel step has been read. After it the text is no longer itself, so it must be the last.
  private(set) var isByteLevel = false

  /// The members of a pre-tokenizer's object, whatever its type.
  private struct Members {
    var type = ""
    var pattern: (text: String, isLiteral: Bool)?
    var behavior = ""
    var isInverted = false
    var isEachDigitAlone = false
    var addsPrefixSpace = true
    var usesPattern = true
    var hasSteps = false
  }

  mutating func read(_ scanner: inout JSONScanner, location: String) throws(TokenizerError) {
    if scanner.consumeNull() { return }
    var members = Members()
    try scanner.beginObject()
    while let key = try scanner.nextKey() {
      switch key {
      case "type": members.type = try scanner.readString()
      case "pattern": members.pattern = try Self.readPattern(&scanner, location: "\(location).pattern")
      case "behavior": members.behavior = try scanner.readString()
      case "invert": members.isInverted = try scanner.readBoolean()
      case "individual_digits": members.isEachDigitAlone = try scanner.readBoolean()
      case "add_prefix_space": members.addsPrefixSpace = try scanner.readBoolean()
      case "use_regex": members.usesPattern = try scanner.readBoolean()
      case "pretokenizers":
        members.hasSteps = true
        try scanner.beginArray()
        var index = 0
        while try scanner.nextElement() {
          try read(&scanner, location: "\(location).pretokenizers[\(index)]")
          index += 1
        }
      default: try scanner.skipValue()
      }
    }
    if members.type == "Sequence", members.hasSteps { return }
    guard !isByteLevel else {
      throw .unsupported(
        file: scanner.file, location: location, found: "a '\(members.type)' step after ByteLevel",
        supported: "ByteLevel as the last step")
    }
    try append(members, file: scanner.file, location: location)
  }

  private mutating func append(_ members: Members, file: String, location: String) throws(TokenizerError) {
    switch members.type {
    case "Split":
      guard let pattern = members.pattern else {
        throw .malformed(file: file, location: location, found: "a Split without 'pattern'", expected: "a pattern")
      }
      guard let behavior = SplitBehavior(rawValue: members.behavior) else {
        throw .malformed(
          file: file, location: "\(location).behavior", found: "'\(members.behavior)'",
          expected: "one of \(SplitBehavior.allCases.map(\.rawValue).joined(separator: ", "))")
      }
      let expression = try Self.compile(pattern.text, isLiteral: pattern.isLiteral, file: file, location: location)
      steps.append(.split(pattern: expression, behavior: behavior, isInverted: members.isInverted))
    case "Digits":
      let expression = try Self.compile(#"\p{N}"#, isLiteral: false, file: file, location: location)
      let behavior: SplitBehavior = members.isEachDigitAlone ? .isolated : .contiguous
      steps.append(.split(pattern: expression, behavior: behavior, isInverted: false))
    case "ByteLevel":
      isByteLevel = true
      if members.addsPrefixSpace { steps.append(.prefixSpace) }
      if members.usesPattern {
        let pattern = PreTokenizer.gpt2Pattern
        let expression = try Self.compile(pattern, isLiteral: false, file: file, location: location)
        steps.append(.split(pattern: expression, behavior: .isolated, isInverted: false))
      }
    default:
      throw .unsupported(
        file: file, location: location, found: "of type '\(members.type)'",
        supported: "Split, Digits, ByteLevel and Sequence")
    }
  }

  private static func readPattern(
    _ scanner: inout JSONScanner, location: String
  ) throws(TokenizerError) -> (text: String, isLiteral: Bool) {
    var pattern: (text: String, isLiteral: Bool)?
    try scanner.beginObject()
    while let key = try scanner.nextKey() {
      switch key {
      case "Regex": pattern = (try scanner.readString(), false)
      case "String": pattern = (try scanner.readString(), true)
      default: try scanner.skipValue()
      }
    }
    guard let pattern else {
      throw .malformed(
        file: scanner.file, location: location, found: "neither 'Regex' nor 'String'", expected: "one of the two")
    }
    return pattern
  }

  private static func compile(
    _ pattern: String, isLiteral: Bool, file: String, location: String
  ) throws(TokenizerError) -> RegularExpression {
    let translated: String
    do {
      translated = isLiteral ? pattern : try RegexSyntax.pcre2Pattern(from: pattern)
    } catch {
      throw .unsupported(
        file: file, location: "\(location).pattern", found: "a regular expression with \(error.construct)",
        supported: "what Oniguruma and PCRE2 read alike")
    }
    do {
      return try RegularExpression(translated, isLiteral: isLiteral)
    } catch {
      throw .malformed(
        file: file, location: "\(location).pattern",
        found: "a regular expression that does not compile (\(error.message) at byte \(error.offset))",
        expected: "a regular expression")
    }
  }
}
