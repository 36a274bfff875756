internal import JSON

/// Automata of JSON's own parts. They are shared by all grammars, so that what is derived from them is too.
///
/// Between tokens a text may have what models write: one space, or a line break and an indentation of at most
/// `maximumIndentation` columns. Numbers have few enough digits that every reader gets a finite value. So a text cannot
/// go on for ever in space or digits.
enum StandardAutomata {
  static let maximumIndentation = 40
  /// Most digits before the point.
  static let maximumDigits = 15
  static let maximumFractionDigits = 12

  static let space = BytePattern.optional(
    .choice([
      .literal(" "),
      .sequence([.literal("\n"), .repeated(.any(of: " \t"), minimum: 0, maximum: maximumIndentation)]),
    ]))

  // MARK: Patterns

  private static let hexadecimal = BytePattern.any(of: "0123456789abcdefABCDEF")

  /// One character of a string as any JSON writer might write it.
  static let character: BytePattern = {
    let unit = BytePattern.choice([
      .sequence([.any(of: "0123456789abcefABCEF"), hexadecimal, hexadecimal, hexadecimal]),
      .sequence([.any(of: "dD"), .range("0"..."7"), hexadecimal, hexadecimal]),
    ])
    let pair = BytePattern.sequence([
      .any(of: "dD"), .any(of: "89abAB"), hexadecimal, hexadecimal, .literal("\\u"), .any(of: "dD"),
      .any(of: "cdefCDEF"), hexadecimal, hexadecimal,
    ])
    return .choice([
      .scalars(0x20...0x21), .scalars(0x23...0x5B), .scalars(0x5D...0x10FFFF),
      .sequence([
        .literal("\\"),
        .choice([.any(of: "\"\\/bfnrt"), .sequence([.literal("u"), .choice([unit, pair])])]),
      ]),
    ])
  }()

  /// Scalars that a string cannot hold as they are, ascending.
  private static let escapedScalars: [Unicode.Scalar] = (0..<0x20).map { Unicode.Scalar(UInt8($0)) } + ["\"", "\\"]

  /// One character of a string in the one way that we write it: so equal strings are equal texts.
  static func canonicalCharacter(_ scalars: ClosedRange<UInt32>) -> BytePattern {
    var parts: [BytePattern] = []
    var low = scalars.lowerBound
    for special in escapedScalars where scalars.contains(special.value) {
      if special.value > low { parts.append(.scalars(low...(special.value - 1))) }
      parts.append(.literal(String(String(special).quotedAsJSON.dropFirst().dropLast())))
      low = special.value + 1
    }
    if low <= scalars.upperBound { parts.append(.scalars(low...scalars.upperBound)) }
    return .choice(parts)
  }

  static let integerPattern = BytePattern.sequence([
    .optional(.literal("-")),
    .choice([
      .literal("0"),
      .sequence([.range("1"..."9"), .repeated(.digit, minimum: 0, maximum: maximumDigits - 1)]),
    ]),
  ])

  static let fraction = BytePattern.sequence([
    .literal("."), .repeated(.digit, minimum: 1, maximum: maximumFractionDigits),
  ])

  // MARK: Automata

  /// Any string. State `ByteAutomaton.start` is before it; see `count` for the others.
  static let string = make(.sequence([.literal("\""), .many(character), .literal("\"")]))
  /// Any key, written in the one way.
  static let key = make(keyPattern)
  static let keyPattern = BytePattern.sequence([
    .literal("\""), .many(canonicalCharacter(0...0x10FFFF)), .literal("\""),
  ])
  static let integer = make(integerPattern)
  static let number = make(
    .sequence([
      integerPattern, .optional(fraction),
      .optional(
        .sequence([.any(of: "eE"), .optional(.any(of: "+-")), .repeated(.digit, minimum: 1, maximum: 2)])),
    ]))
  static let boolean = make(.choice([.literal("true"), .literal("false")]))
  static let null = make(.literal("null"))
  static let openObject = make(.literal("{"))
  static let emptyObject = make(.choice([.literal("{}"), .literal("{ }")]))
  static let closeObject = make(.sequence([space, .literal("}")]))
  static let openArray = make(.literal("["))
  static let emptyArray = make(.choice([.literal("[]"), .literal("[ ]")]))
  static let closeArray = make(.sequence([space, .literal("]")]))
  static let comma = make(.sequence([.literal(","), space]))
  static let optionalSpace = make(space)
  static let colonSpace = make(.sequence([.literal(":"), .optional(.literal(" "))]))

  /// All of them: their identities mark what may be kept for every grammar.
  static let all = [
    string, key, integer, number, boolean, null, openObject, emptyObject, closeObject, openArray, emptyArray,
    closeArray, comma, optionalSpace, colonSpace,
  ]

  /// The state of `string` between two characters.
  static let body = string.next(ByteAutomaton.start, UInt8(ascii: "\""))

  /// Counts the characters of a bounded string over one transition of `string`; `false` when the bounds forbid it.
  static func count(
    _ byte: UInt8, from state: Int32, to next: Int32, needed: inout Int32, room: inout Int32
  ) -> Bool {
    if state == body {
      if byte == UInt8(ascii: "\"") {
        if needed > 0 { return false }
      } else if room == 0 {
        return false
      }
    }
    if next == body, state != ByteAutomaton.start {
      needed = max(0, needed - 1)
      if room != .max { room -= 1 }
    }
    return true
  }

  private static func make(_ pattern: BytePattern) -> ByteAutomaton {
    // These patterns are constants, small and not empty, which a test checks; the fallback is never taken.
    (try? ByteAutomaton.make(pattern)) ?? ByteAutomaton.empty
  }
}
