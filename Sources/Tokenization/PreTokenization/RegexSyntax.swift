/// Rewrites a pattern from the syntax that `tokenizers` compiles (Oniguruma, Ruby's) to PCRE2's.
///
/// Patterns of real models are almost always the same text in both. What would compile in both and mean something
/// else is rewritten where that is easy and refused by name where it is not.
enum RegexSyntax {
  /// A construct of the pattern that has another meaning, or none, in PCRE2.
  struct UnsupportedConstruct: Error, Equatable {
    let construct: String
  }

  /// The pattern in PCRE2 syntax.
  static func pcre2Pattern(from pattern: String) throws(UnsupportedConstruct) -> String {
    let scalars = Array(pattern.unicodeScalars)
    var output = String.UnicodeScalarView()
    var isInClass = false
    var index = 0

    func text(_ start: Int, _ length: Int) -> String {
      String(String.UnicodeScalarView(scalars[min(start, scalars.count)..<min(start + length, scalars.count)]))
    }
    func starts(_ prefix: String) -> Bool { text(index, prefix.unicodeScalars.count) == prefix }

    while index < scalars.count {
      let scalar = scalars[index]
      switch scalar {
      case "\\":
        let (replacement, length) = try escape(at: index, text: text)
        output.append(contentsOf: replacement.unicodeScalars)
        index += length
        continue
      case "[" where isInClass:
        guard starts("[:") else { throw UnsupportedConstruct(construct: "a character class inside another") }
      case "[":
        isInClass = true
        output.append(scalar)
        index += 1
        if starts("^") {
          output.append("^")
          index += 1
        }
        if starts("]") { throw UnsupportedConstruct(construct: "']' as the first character of a class") }
        continue
      case "]" where isInClass:
        // `[:alpha:]` ends inside the class that holds it.
        isInClass = index > 0 && scalars[index - 1] == ":" && text(0, index).contains("[:")
      case "&" where isInClass && starts("&&"):
        throw UnsupportedConstruct(construct: "'&&' in a character class")
      case "(" where !isInClass:
        try checkGroup(at: index, text: text)
      case "{" where !isInClass && starts("{,"):
        throw UnsupportedConstruct(construct: "'{,' as the start of a quantifier")
      case "}" where !isInClass && starts("}+"):
        throw UnsupportedConstruct(construct: "'+' after a counted quantifier")
      default:
        break
      }
      output.append(scalar)
      index += 1
    }
    return String(output)
  }

  /// What the escape sequence at `index` becomes, and its length in the pattern.
  private static func escape(
    at index: Int, text: (Int, Int) -> String
  ) throws(UnsupportedConstruct) -> (String, Int) {
    let sequence = text(index, 2)
    guard let letter = sequence.unicodeScalars.dropFirst().first else {
      throw UnsupportedConstruct(construct: "a backslash at the end")
    }
    switch letter {
    case "s", "S", "d", "D", "r", "n", "t", "f", "a", "e", "A", "z":
      return (sequence, 2)
    case "p", "P":
      return try braced(at: index, text: text)
    case "v":
      return ("\\x0B", 2)
    case "x":
      if text(index + 2, 1) == "{" { return try braced(at: index, text: text) }
      guard let value = Int(text(index + 2, 2), radix: 16), value < 0x80 else {
        throw UnsupportedConstruct(construct: "'\(text(index, 4))', a byte of no character")
      }
      return (text(index, 4), 4)
    case "u":
      let digits = text(index + 2, 4)
      guard digits.count == 4, UInt32(digits, radix: 16) != nil else {
        throw UnsupportedConstruct(construct: "'\\u' without four hexadecimal digits")
      }
      return ("\\x{\(digits)}", 6)
    default:
      guard letter.isASCII, !letter.properties.isAlphabetic, !("0"..."9" ~= letter) else {
        throw UnsupportedConstruct(construct: "'\(sequence)'")
      }
      return (sequence, 2)
    }
  }

  /// An escape sequence with an argument in braces, such as `\p{Lu}`.
  private static func braced(
    at index: Int, text: (Int, Int) -> String
  ) throws(UnsupportedConstruct) -> (String, Int) {
    var sequence = text(index, 3)
    var length = 3
    while sequence.hasSuffix("}") == false {
      let next = text(index + length, 1)
      guard sequence.hasPrefix("\(text(index, 2)){"), !next.isEmpty else {
        throw UnsupportedConstruct(construct: "'\(text(index, 2))' without braces")
      }
      sequence += next
      length += 1
    }
    return (sequence, length)
  }

  private static func checkGroup(
    at index: Int, text: (Int, Int) -> String
  ) throws(UnsupportedConstruct) {
    if text(index, 2) == "(*" { throw UnsupportedConstruct(construct: "'(*'") }
    guard text(index, 2) == "(?" else { return }
    let known = ["(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!", "(?i:", "(?-i:"]
    if known.contains(where: { text(index, $0.count) == $0 }) { return }
    // At the very start, and only there, both syntaxes let the flag hold for all alternatives.
    if index == 0, text(0, 4) == "(?i)" { return }
    throw UnsupportedConstruct(construct: "'\(text(index, 4))'")
  }
}
