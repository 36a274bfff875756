internal import Foundation

/// Unicode's canonical composition (NFC), as `tokenizers` has it.
enum CanonicalComposition {
  /// The composed form of `bytes[range]` (UTF-8); `nil` when that is what it is already.
  ///
  /// Only what is not plain is composed, with the one character before it, which may be what a mark combines with.
  static func composed(_ bytes: [UInt8], _ range: Range<Int>) -> [UInt8]? {
    var output: [UInt8] = []
    var copied = range.lowerBound
    var previous = range.lowerBound
    var index = range.lowerBound
    while index < range.upperBound {
      let length = plainLength(bytes, index, range.upperBound)
      if length > 0 {
        previous = index
        index += length
        continue
      }
      repeat {
        index += 1
        while index < range.upperBound, bytes[index] & 0xC0 == 0x80 { index += 1 }
      } while index < range.upperBound && plainLength(bytes, index, range.upperBound) == 0
      output.append(contentsOf: bytes[copied..<previous])
      output.append(contentsOf: composed(String(decoding: bytes[previous..<index], as: UTF8.self)).utf8)
      copied = index
      previous = index
    }
    if copied == range.lowerBound { return nil }
    output.append(contentsOf: bytes[copied..<range.upperBound])
    return output
  }

  /// Characters that take no part in it are copied, and what lies between is composed.
  private static func composed(_ text: String) -> String {
    var output = String.UnicodeScalarView()
    var run = String.UnicodeScalarView()
    var length = 0
    // Marks are put in their order here: Foundation does it by exchanging neighbours, so that a thousand marks take a
    // million exchanges.
    var marks = MarkSequence()
    func endMarks() {
      for mark in marks.takeOrdered() { run.append(mark) }
    }
    func endRun() {
      endMarks()
      output.append(contentsOf: String(run).precomposedStringWithCanonicalMapping.unicodeScalars)
      (run, length) = (String.UnicodeScalarView(), 0)
    }
    func append(_ scalar: Unicode.Scalar) {
      length += 1
      let order = scalar.properties.canonicalCombiningClass.rawValue
      guard order == 0 else { return marks.append(scalar, order: order) }
      // Foundation moves the rest of the text for each character that it composes: it gets the text in short pieces.
      if length > mostTogether, !composesWithStarter(scalar) { endRun() }
      endMarks()
      run.append(scalar)
    }
    for scalar in text.unicodeScalars {
      if let marks = decomposedMarks[scalar] {
        for mark in marks.unicodeScalars { append(mark) }
      } else if let (lead, vowel) = openSyllableParts(scalar) {
        append(lead)
        append(vowel)
      } else if standsAlone(scalar) {
        endRun()
        output.append(scalar)
      } else {
        append(scalar)
      }
    }
    endRun()
    return String(output)
  }

  /// Characters after which a piece may end.
  private static let mostTogether = 256

  /// Whether a character that is no mark may compose with the one before it: a vowel or final consonant of Hangul, or a
  /// vowel sign of an Indic script.
  private static func composesWithStarter(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x1161...0x1175, 0x11A8...0x11C2, 0x9BE, 0x9D7, 0xB3E, 0xB56, 0xB57, 0xBBE, 0xBD7, 0xCC2, 0xCD5, 0xCD6, 0xD3E,
      0xD57, 0xDCF, 0xDDF, 0x102E, 0x1B35, 0x11127, 0x1133E, 0x11357, 0x114B0, 0x114BA, 0x114BD, 0x115AF:
      true
    default: false
    }
  }

  /// The marks that stand for two marks. They are never composed again; decomposed first, each takes its place in the
  /// canonical order, which Foundation does not see to.
  private static let decomposedMarks: [Unicode.Scalar: String] = [
    "\u{344}": "\u{308}\u{301}", "\u{F73}": "\u{F71}\u{F72}", "\u{F75}": "\u{F71}\u{F74}", "\u{F81}": "\u{F71}\u{F80}",
  ]

  /// The two jamo of a Hangul syllable without a final consonant, with which Foundation does not compose one that follows.
  private static func openSyllableParts(_ scalar: Unicode.Scalar) -> (Unicode.Scalar, Unicode.Scalar)? {
    guard 0xAC00...0xD7A3 ~= scalar.value, (scalar.value - 0xAC00) % 28 == 0 else { return nil }
    let index = (scalar.value - 0xAC00) / 28
    guard let lead = Unicode.Scalar(0x1100 + index / 21), let vowel = Unicode.Scalar(0x1161 + index % 21) else {
      return nil
    }
    return (lead, vowel)
  }

  /// Whether a character neither composes, decomposes nor changes places with a neighbour.
  private static func standsAlone(_ scalar: Unicode.Scalar) -> Bool {
    guard scalar.value >= 0x7F0 else { return false }
    // Of the Hangul jamo only those of modern syllables compose; Foundation composes one vowel too many.
    switch scalar.value {
    case 0x1113...0x1160, 0x1176...0x11A7, 0x11C3...0x11FF: return true
    default: break
    }
    // The tables of `tokenizers` are those of Unicode 9: what was assigned since is unknown to them.
    guard let age = scalar.properties.age, age.major <= 9 else { return true }
    // Foundation composes by the low 16 bits: U+10054 and U+0323 would become U+1E6C, as if the first were "T". Beyond the
    // basic plane only these blocks compose or decompose: Kaithi to Siddham, musical symbols, compatibility ideographs.
    switch scalar.value {
    case ..<0x10000, 0x11080...0x115BF, 0x1D15E...0x1D1C0, 0x2F800...0x2FA1D: return false
    default: return scalar.properties.canonicalCombiningClass == .notReordered
    }
  }

  /// The length of the character at `index` if it is plain, else 0.
  ///
  /// A plain character is of a block in which none decomposes, changes places or combines with the one before it.
  private static func plainLength(_ bytes: [UInt8], _ index: Int, _ end: Int) -> Int {
    let lead = bytes[index]
    if lead < 0x80 { return 1 }
    if lead < 0xCC || lead == 0xD0 || lead == 0xD1 { return 2 }  // U+0080…U+02FF and U+0400…U+047F, Cyrillic
    guard lead >= 0xE2, index + 2 < end else { return 0 }
    let second = bytes[index + 1]
    switch lead {
    case 0xE2:
      // U+2010…U+203F, dashes and quotation marks; U+2500…U+27BF, boxes and symbols.
      let isPlain = (second == 0x80 && bytes[index + 2] >= 0x90) || 0x94...0x9E ~= second
      return isPlain ? 3 : 0
    case 0xE4...0xE9:  // U+4000…U+9FFF, ideographs
      return 3
    case 0xEB, 0xEC:  // U+B000…U+CFFF, most of the Hangul syllables
      return 3
    case 0xF0 where second == 0x9F:  // U+1F000…U+1FFFF, emoji
      return 4
    default: return 0
    }
  }
}

/// Marks that follow one character, to be put in the canonical order: by class, those of a class as they came.
private struct MarkSequence {
  private var marks: [(scalar: Unicode.Scalar, order: UInt8)] = []
  private var isOrdered = true

  mutating func append(_ scalar: Unicode.Scalar, order: UInt8) {
    if let last = marks.last, last.order > order { isOrdered = false }
    marks.append((scalar, order))
  }

  /// The marks in order; none are left.
  mutating func takeOrdered() -> [Unicode.Scalar] {
    guard !marks.isEmpty else { return [] }
    defer { (marks, isOrdered) = ([], true) }
    guard !isOrdered else { return marks.map(\.scalar) }
    var classes = Array(repeating: [Unicode.Scalar](), count: 256)
    // A counting sort, which keeps those of a class as they came.
    for mark in marks { classes[Int(mark.order)].append(mark.scalar) }
    return classes.flatMap { $0 }
  }
}
