internal import JSON

/// Reads the `pre_tokenizer` of a tokenizer file: Split, Digits, Metaspace and ByteLevel, alone or in a
/// sequence, which ByteLevel can only end.
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
          try part.expression(text, isLiteral: false)
        } else if let text = try pattern["String"]?.string() {
          try part.expression(text, isLiteral: true)
        } else {
          throw pattern.malformed(found: "neither 'Regex' nor 'String'", expected: "one of the two")
        }
      steps.append(
        .split(pattern: expression, behavior: behavior, isInverted: try part["invert"]?.boolean() ?? false))
    case "Digits":
      let isEachAlone = try part["individual_digits"]?.boolean() ?? false
      let expression = try part.expression(#"\p{N}"#, isLiteral: false)
      steps.append(.split(pattern: expression, behavior: isEachAlone ? .isolated : .contiguous, isInverted: false))
    case "Metaspace": steps.append(.metaspace(try part.metaspace()))
    case "ByteLevel":
      isByteLevel = true
      if try part["add_prefix_space"]?.boolean() ?? true { steps.append(.prefixSpace) }
      if try part["use_regex"]?.boolean() ?? true {
        let expression = try part.expression(PreTokenizer.gpt2Pattern, isLiteral: false)
        steps.append(.split(pattern: expression, behavior: .isolated, isInverted: false))
      }
    default:
      throw part.unsupported(found: "of type '\(type)'", supported: "Split, Digits, Metaspace, ByteLevel and Sequence")
    }
  }
}

extension FilePart {
  /// A Metaspace, of a pre-tokenizer or a decoder.
  func metaspace() throws(TokenizerError) -> Metaspace {
    let character = try self["replacement"]?.string() ?? ""
    guard character.unicodeScalars.count == 1 else {
      throw malformed(found: "with the replacement '\(character)'", expected: "one character")
    }
    let name = try self["prepend_scheme"]?.string()
    guard let scheme = Metaspace.PrependScheme(rawValue: name ?? "always") else {
      throw malformed(
        found: "with the prepend_scheme '\(name ?? "")'",
        expected: "one of \(Metaspace.PrependScheme.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    // Of older files.
    let addsSpace = try self["add_prefix_space"]?.boolean() ?? true
    return Metaspace(
      character: Array(character.utf8), prepends: addsSpace ? scheme : .never,
      splits: try self["split"]?.boolean() ?? true)
  }

  /// A regular expression of `tokenizers`, or with `isLiteral` a text to look for.
  func expression(_ pattern: String, isLiteral: Bool) throws(TokenizerError) -> RegularExpression {
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
