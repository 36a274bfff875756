/// What is done to a text between added tokens before it is cut into words.
struct Normalizer: Sendable {
  /// One step; each works on what the one before it made.
  enum Step: Sendable {
    /// Canonical composition (NFC).
    case composition
    /// A text (UTF-8) is put before what is not empty.
    case prepend([UInt8])
    case replacement(Replacement)
  }

  var steps: [Step]

  static let none = Normalizer(steps: [])
  static let nfc = Normalizer(steps: [.composition])

  /// The normalized form of `bytes[range]` (UTF-8); `nil` when that is what it is already.
  ///
  /// - Parameter continuesText: whether text stands before it already, so that nothing is put before it.
  func normalized(_ bytes: [UInt8], _ range: Range<Int>, continuesText: Bool = false) -> [UInt8]? {
    var result: [UInt8]?
    func apply(_ change: ([UInt8], Range<Int>) -> [UInt8]?) {
      if let changed = result.map({ change($0, $0.indices) }) ?? change(bytes, range) { result = changed }
    }
    for step in steps {
      switch step {
      case .composition: apply(CanonicalComposition.composed)
      case .prepend(let text): if !continuesText { apply { $1.isEmpty ? nil : text + $0[$1] } }
      case .replacement(let replacement): apply(replacement.applied(to:_:))
      }
    }
    return result
  }

  func normalized(_ text: String) -> String {
    let bytes = Array(text.utf8)
    return normalized(bytes, bytes.indices).map { String(decoding: $0, as: UTF8.self) } ?? text
  }

  /// How many bytes of text a byte of its normalized form may stand for at most; `nil` for any number.
  var mostBytesOfByte: Int? {
    var most = 1
    for step in steps {
      switch step {
      // Composition makes three bytes of at most nine: a syllable of three jamo, a letter with three marks.
      case .composition: most = 3
      case .prepend: break
      case .replacement(let replacement): guard replacement.keepsLength else { return nil }
      }
    }
    return most
  }
}
