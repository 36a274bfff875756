/// Finds added tokens in text: at each place the longest one, from left to right, none overlapping another.
struct AddedTokenMatcher: Sendable {
  /// A stretch of text, and the token that it is (`nil`: ordinary text).
  struct Segment: Equatable {
    let range: Range<Int>
    let token: TokenID?
  }

  private var tokens: [AddedToken] = []
  private var nodes = [Node()]
  /// Whether a token starts with this byte.
  private var startsToken = [Bool](repeating: false, count: 256)

  /// A node of the trie over the tokens' UTF-8; children form a list.
  private struct Node {
    var byte: UInt8 = 0
    var firstChild: Int32 = -1
    var nextSibling: Int32 = -1
    /// Index of the token that ends here, −1 for none.
    var token: Int32 = -1
  }

  init() {}

  var isEmpty: Bool { tokens.isEmpty }

  /// Whether a token takes white space beside it, however much.
  var stripsText: Bool { tokens.contains { $0.stripsLeft || $0.stripsRight } }

  /// Adds a token that is to be found as `pattern`; a later one takes the place of an earlier one with the same pattern.
  mutating func insert(_ token: AddedToken, pattern: String) {
    guard let first = pattern.utf8.first else { return }
    startsToken[Int(first)] = true
    var node = 0
    for byte in pattern.utf8 {
      if let child = child(of: node, byte) {
        node = child
      } else {
        nodes.append(Node(byte: byte, nextSibling: nodes[node].firstChild))
        nodes[node].firstChild = Int32(truncatingIfNeeded: nodes.count - 1)
        node = nodes.count - 1
      }
    }
    nodes[node].token = Int32(truncatingIfNeeded: tokens.count)
    tokens.append(token)
  }

  /// Where special tokens in `bytes` can be cut in two: after the first character of each; none in one of one character.
  func specialTokenCuts(in bytes: [UInt8]) -> [Int] {
    var cuts: [Int] = []
    var index = 0
    while index < bytes.count {
      guard startsToken[Int(bytes[index])], let match = longestMatch(in: bytes, at: index, end: bytes.count) else {
        index += 1
        continue
      }
      let second = bytes[index..<match.end].dropFirst().firstIndex { $0 & 0xC0 != 0x80 }
      if tokens[match.token].isSpecial, let second { cuts.append(second) }
      index = match.end
    }
    return cuts
  }

  private func child(of node: Int, _ byte: UInt8) -> Int? {
    var child = nodes[node].firstChild
    while child >= 0, nodes[Int(child)].byte != byte { child = nodes[Int(child)].nextSibling }
    return child < 0 ? nil : Int(child)
  }

  /// Cuts `bytes[range]` into added tokens and the text between them.
  ///
  /// A match that does not count (a special token when `parsesSpecialTokens` is off, a word inside another) still hides
  /// shorter and overlapping ones, as it does in `tokenizers`.
  func segments(in bytes: [UInt8], range: Range<Int>, parsesSpecialTokens: Bool) -> [Segment] {
    guard !tokens.isEmpty else { return range.isEmpty ? [] : [Segment(range: range, token: nil)] }
    var segments: [Segment] = []
    var textStart = range.lowerBound
    var index = range.lowerBound
    while index < range.upperBound {
      guard startsToken[Int(bytes[index])], let match = longestMatch(in: bytes, at: index, end: range.upperBound)
      else {
        index += 1
        continue
      }
      let token = tokens[match.token]
      var start = index
      var end = match.end
      index = end
      if token.isSpecial, !parsesSpecialTokens { continue }
      let before = bytes[range.lowerBound..<start]
      let after = bytes[end..<range.upperBound]
      if token.isSingleWord, WordBoundary.endsInWord(before) || WordBoundary.startsWithWord(after) { continue }
      if token.stripsLeft { start = max(WordBoundary.trailingSpaceStart(before), textStart) }
      if token.stripsRight { end = WordBoundary.leadingSpaceEnd(after) }
      if textStart < start { segments.append(Segment(range: textStart..<start, token: nil)) }
      segments.append(Segment(range: min(start, end)..<end, token: token.id))
      textStart = end
    }
    if textStart < range.upperBound { segments.append(Segment(range: textStart..<range.upperBound, token: nil)) }
    return segments
  }

  private func longestMatch(in bytes: [UInt8], at start: Int, end: Int) -> (token: Int, end: Int)? {
    var node = 0
    var index = start
    var best: (token: Int, end: Int)?
    while index < end, let next = child(of: node, bytes[index]) {
      node = next
      index += 1
      if nodes[node].token >= 0 { best = (Int(nodes[node].token), index) }
    }
    return best
  }
}
