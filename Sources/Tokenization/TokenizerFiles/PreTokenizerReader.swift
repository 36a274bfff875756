internal import JSON

/// Reads the `pre_tokenizer` of a tokenizer file: Split, Digits and ByteLevel, alone or in a sequence that ends in ByteLevel.
struct PreTokenizerReader {
  private(set) var steps: [PreTokenizer.Step] = []
  /// Whether a ByteLevel step has been read. After it the text is no longer itself, so it must be the last.
  private(set) var isByteLevel = false

  mutating func read(_ part: FilePart) throws(TokenizerError) {
    if part.value == .null { return }
    let type = try part.type()
    if type == "Sequence", let members = try part["pretokenizers"]?.elements() {
      for member in members { try read(member) }
      return
    }
    guard !isByteLevel else {
      throw part.unsupported(found: "a '\(type)' step after ByteLevel", supported: "ByteLevel as the last step")
    }
    switch type {
    case "Split":
      guard let pattern = part["pattern"] else {
        throw part.malformed(found: "a Split without 'pattern'", expected: "a pattern")
      }
      let name = try part["behavior"]?.string() ?? ""
      guard let behavior = SplitBehavior(rawValue: name) else {
        throw .malformed(
          file: part.file, location: "\(part.location).behavior", found: "'\(name)'",
          expected: "one of \(SplitBehavior.allCases.map(\.rawValue).joined(separator: ", "))")
      }
      let expression =
        if let text = try pattern["Regex"]?.string() {
          try Self.compile(text, isLiteral: false, in: part)
        } else if let text = try pattern["String"]?.string() {
          try Self.compile(text, isLiteral: true, in: part)
        } else {
          throw pattern.malformed(found: "neither 'Regex' nor 'String'", expected: "one of the two")
        }
      steps.append(
        .split(pattern: expression, behavior: behavior, isInverted: try part["invert"]?.boolean() ?? false))
    case "Digits":
      let isEachAlone = try part["individual_digits"]?.boolean() ?? false
      let expression = try Self.compile(#"\p{N}"#, isLiteral: false, in: part)
      steps.append(.split(pattern: expression, behavior: isEachAlone ? .isolated : .contiguous, isInverted: false))
    case "ByteLevel":
      isByteLevel = true
      if try part["add_prefix_space"]?.boolean() ?? true { steps.append(.prefixSpace) }
      if try part["use_regex"]?.boolean() ?? true {
        let expression = try Self.compile(PreTokenizer.gpt2Pattern, isLiteral: false, in: part)
        steps.append(.split(pattern: expression, behavior: .isolated, isInverted: false))
      }
    default:
      throw part.unsupported(found: "of type '\(type)'", supported: "Split, Digits, ByteLevel and Sequence")
    }
  }

  private static func compile(
    _ pattern: String, isLiteral: Bool, in part: FilePart
  ) throws(TokenizerError) -> RegularExpression {
    let translated: String
    do {
      translated = isLiteral ? pattern : try RegexSyntax.pcre2Pattern(from: pattern)
    } catch {
      throw .unsupported(
        file: part.file, location: "\(part.location).pattern", found: "a regular expression with \(error.construct)",
        supported: "what Oniguruma and PCRE2 read alike")
    }
    do {
      return try RegularExpression(translated, isLiteral: isLiteral)
    } catch {
      throw .malformed(
        file: part.file, location: "\(part.location).pattern",
        found: "a regular expression that does not compile (\(error.message) at byte \(error.offset))",
        expected: "a regular expression")
    }
  }
}
