/// What becomes of the matches of a splitting pattern (the names of `tokenizers`).
enum SplitBehavior: String, CaseIterable, Sendable {
  /// A match is a delimiter and dropped.
  case removed = "Removed"
  /// A match is a piece of its own.
  case isolated = "Isolated"
  /// A match ends the piece before it.
  case mergedWithPrevious = "MergedWithPrevious"
  /// A match begins the piece after it.
  case mergedWithNext = "MergedWithNext"
  /// Neighbouring matches form one piece.
  case contiguous = "Contiguous"

  /// A stretch of text that is or is not a match.
  struct Segment {
    var range: Range<Int>
    let isMatch: Bool
  }

  /// The pieces that `segments`, which cover a text from left to right, become. Empty pieces are left out.
  func pieces(of segments: [Segment]) -> [Range<Int>] {
    var pieces: [Range<Int>] = []
    var previousWasMatch = false
    switch self {
    case .removed:
      pieces = segments.lazy.filter { !$0.isMatch }.map(\.range)
    case .isolated:
      pieces = segments.map(\.range)
    case .contiguous:
      for segment in segments {
        if segment.isMatch == previousWasMatch, let last = pieces.popLast() {
          pieces.append(last.lowerBound..<segment.range.upperBound)
        } else {
          pieces.append(segment.range)
        }
        previousWasMatch = segment.isMatch
      }
    case .mergedWithPrevious:
      for segment in segments {
        if segment.isMatch, !previousWasMatch, let last = pieces.popLast() {
          pieces.append(last.lowerBound..<segment.range.upperBound)
        } else {
          pieces.append(segment.range)
        }
        previousWasMatch = segment.isMatch
      }
    case .mergedWithNext:
      for segment in segments.reversed() {
        if segment.isMatch, !previousWasMatch, let last = pieces.popLast() {
          pieces.append(segment.range.lowerBound..<last.upperBound)
        } else {
          pieces.append(segment.range)
        }
        previousWasMatch = segment.isMatch
      }
      pieces.reverse()
    }
    return pieces.filter { !$0.isEmpty }
  }
}
