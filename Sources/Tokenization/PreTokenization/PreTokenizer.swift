/// Cuts text into the words within which BPE merges.
struct PreTokenizer: Sendable {
  /// One step; each works on the pieces that the one before it left.
  enum Step: Sendable {
    /// Split at the matches of `pattern`; `isInverted`: at what lies between them.
    case split(pattern: RegularExpression, behavior: SplitBehavior, isInverted: Bool)
    /// A space is put before each piece that does not begin with one.
    case prefixSpace
    case metaspace(Metaspace)
    /// Line breaks in a row are a word, and what lies between them.
    case lines
    /// Split before each of SentencePiece's spaces that comes after something else. No piece of such a vocabulary
    /// reaches across, so that it changes no token; but words that come again are known then.
    case beforeSpaces
  }

  /// The pattern of GPT-2, which the `ByteLevel` pre-tokenizer splits by unless told otherwise.
  static let gpt2Pattern =
    #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

  let steps: [Step]

  /// Whether a step leaves out part of the text.
  var dropsText: Bool {
    steps.contains { if case .split(_, .removed, _) = $0 { true } else { false } }
  }

  /// Cuts `bytes[range]` (UTF-8) into words. A step that inserts text replaces `bytes`; the ranges refer to what is there
  /// in the end.
  func words(
    in bytes: inout [UInt8], range: Range<Int>, place: TextPlace, workspace: RegularExpression.Workspace
  ) -> [Range<Int>] {
    var pieces = range.isEmpty ? [] : [range]
    for step in steps {
      switch step {
      case .prefixSpace:
        if place != .continuation { insertSpaces(into: &bytes, pieces: &pieces) }
      case .metaspace(let metaspace): metaspace.apply(to: &bytes, pieces: &pieces, place: place)
      case .lines: pieces = pieces.flatMap { Self.lines(in: bytes, $0) }
      case .beforeSpaces: pieces = pieces.flatMap { Metaspace.wordsBeforeSpaces(in: bytes, $0) }
      case .split(let pattern, let behavior, let isInverted):
        pieces = split(bytes, pieces, pattern, behavior, isInverted, workspace)
      }
    }
    return pieces
  }

  private static func lines(in bytes: [UInt8], _ range: Range<Int>) -> [Range<Int>] {
    var pieces: [Range<Int>] = []
    var start = range.lowerBound
    for index in range.dropFirst() where (bytes[index] == 0x0A) != (bytes[index - 1] == 0x0A) {
      pieces.append(start..<index)
      start = index
    }
    return start < range.upperBound ? pieces + [start..<range.upperBound] : pieces
  }

  private func insertSpaces(into bytes: inout [UInt8], pieces: inout [Range<Int>]) {
    let space = UInt8(ascii: " ")
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count + pieces.count)
    for index in pieces.indices {
      let piece = pieces[index]
      let start = output.count
      if bytes[piece.lowerBound] != space { output.append(space) }
      output.append(contentsOf: bytes[piece])
      pieces[index] = start..<output.count
    }
    bytes = output
  }

  private func split(
    _ bytes: [UInt8], _ pieces: [Range<Int>], _ pattern: RegularExpression, _ behavior: SplitBehavior,
    _ isInverted: Bool, _ workspace: RegularExpression.Workspace
  ) -> [Range<Int>] {
    let subject = NewerCharacters.replaced(in: bytes) ?? bytes
    var output: [Range<Int>] = []
    for piece in pieces {
      var end = piece.lowerBound
      if behavior == .isolated {
        // The case of every real model, so it takes the short way: matches and what lies between them.
        pattern.forEachMatch(in: subject, range: piece, workspace: workspace) { match in
          if end < match.lowerBound { output.append(end..<match.lowerBound) }
          if !match.isEmpty { output.append(match) }
          end = match.upperBound
        }
        if end < piece.upperBound { output.append(end..<piece.upperBound) }
      } else {
        var segments: [SplitBehavior.Segment] = []
        pattern.forEachMatch(in: subject, range: piece, workspace: workspace) { match in
          if end < match.lowerBound {
            segments.append(SplitBehavior.Segment(range: end..<match.lowerBound, isMatch: isInverted))
          }
          segments.append(SplitBehavior.Segment(range: match, isMatch: !isInverted))
          end = match.upperBound
        }
        if end < piece.upperBound {
          segments.append(SplitBehavior.Segment(range: end..<piece.upperBound, isMatch: isInverted))
        }
        output.append(contentsOf: behavior.pieces(of: segments))
      }
    }
    return output
  }
}
