package import Tokenization

/// A tokenizer's tokens as a trie of their bytes: what may come next is found for all tokens at once.
///
/// Making one takes a fraction of a second for 150,000 tokens; it serves all constraints of a model.
package final class TokenVocabulary: Sendable {
  /// Tokens that end an answer.
  package let endTokens: Set<TokenID>
  let tokenizer: Tokenizer
  /// 1 + the largest id.
  let size: Int
  /// Nodes in depth-first order, the root first: the byte that leads to the node, its depth, and the first node
  /// that is not below it.
  let bytes: [UInt8]
  let depths: [UInt16]
  let ends: [Int32]
  /// The token that ends at each node, or −1.
  let tokens: [TokenID]
  /// Further tokens of the same bytes.
  let twins: [TokenID: [TokenID]]
  let maximumDepth: Int
  /// The end token to expect.
  let usualEndToken: TokenID
  /// Control tokens that are text to answers, such as the tag of a call.
  let textTokens: Set<TokenID>
  /// The other control tokens: they are no text, and may come only where any token may.
  let controlTokens: [TokenID]
  /// What can be written where some bytes are no tokens; `nil` where all are that text may need.
  let writable: WritableStates?

  /// The tokens of `tokenizer`, special ones apart: of these only `endTokens` and `textTokens` can be written by a
  /// constrained answer.
  ///
  /// - Throws: `ConstraintError` when no token ends a text.
  package init(
    _ tokenizer: Tokenizer, endTokens: Set<TokenID>, textTokens: Set<TokenID> = []
  ) throws(ConstraintError) {
    self.tokenizer = tokenizer
    size = tokenizer.vocabularySize
    let known = TokenID(0)..<TokenID(size)
    let endTokens = endTokens.filter { known.contains($0) }
    self.endTokens = endTokens
    guard let least = endTokens.min() else {
      throw ConstraintError(
        path: "", message: "structured output needs a token that ends the answer, and this model names none")
    }
    var trie = TrieBuilder()
    var twins: [TokenID: [TokenID]] = [:]
    self.textTokens = textTokens.subtracting(endTokens)
    controlTokens = known.filter {
      tokenizer.isSpecial($0) && !endTokens.contains($0) && !textTokens.contains($0)
    }
    for token in known where !endTokens.contains(token) {
      guard !tokenizer.isSpecial(token) || textTokens.contains(token) else { continue }
      guard let bytes = tokenizer.bytes(of: token), !bytes.isEmpty, bytes.count < Int(UInt16.max) else { continue }
      if let first = trie.insert(bytes, token) { twins[first, default: []].append(token) }
    }
    let own = (UInt8.min...UInt8.max).map { trie.hasToken(of: $0) }
    // Some bytes are in no text.
    let isComplete = own.indices.allSatisfy { own[$0] || (0xC0...0xC1).contains($0) || $0 >= 0xF5 }
    writable = isComplete ? nil : WritableStates(bytes: own)
    let named = tokenizer.endOfTextToken.flatMap { tokenizer.id(of: $0) }
    usualEndToken = named.flatMap { endTokens.contains($0) ? $0 : nil } ?? least
    self.twins = twins
    (bytes, depths, ends, tokens) = trie.preorder()
    maximumDepth = Int(depths.max() ?? 0)
  }
}

/// A trie that grows.
private struct TrieBuilder {
  private var bytes: [UInt8] = [0]
  private var tokens: [TokenID] = [-1]
  private var firstChild: [Int32] = [-1]
  private var nextSibling: [Int32] = [-1]
  private var children: [UInt64: Int32] = [:]

  func hasToken(of byte: UInt8) -> Bool { children[UInt64(byte)].map { tokens[Int($0)] >= 0 } ?? false }

  /// Adds a token; returns the earlier token of the same bytes instead when there is one.
  mutating func insert(_ text: [UInt8], _ token: TokenID) -> TokenID? {
    var node: Int32 = 0
    for byte in text {
      let key = UInt64(node) << 8 | UInt64(byte)
      if let child = children[key] {
        node = child
        continue
      }
      let child = Int32(bytes.count)
      children[key] = child
      bytes.append(byte)
      tokens.append(-1)
      firstChild.append(-1)
      nextSibling.append(firstChild[Int(node)])
      firstChild[Int(node)] = child
      node = child
    }
    if tokens[Int(node)] >= 0 { return tokens[Int(node)] }
    tokens[Int(node)] = token
    return nil
  }

  func preorder() -> (bytes: [UInt8], depths: [UInt16], ends: [Int32], tokens: [TokenID]) {
    var (outBytes, outDepths, outEnds, outTokens): ([UInt8], [UInt16], [Int32], [TokenID]) = ([], [], [], [])
    // A node is entered once and closed once; closing is marked by its place in the output.
    enum Visit {
      case enter(Int32, depth: UInt16)
      case close(Int)
    }
    var stack: [Visit] = [.enter(0, depth: 0)]
    while let visit = stack.popLast() {
      switch visit {
      case .close(let place): outEnds[place] = Int32(outBytes.count)
      case .enter(let node, let depth):
        stack.append(.close(outBytes.count))
        outBytes.append(bytes[Int(node)])
        outDepths.append(depth)
        outEnds.append(0)
        outTokens.append(tokens[Int(node)])
        var child = firstChild[Int(node)]
        while child >= 0 {
          stack.append(.enter(child, depth: depth + 1))
          child = nextSibling[Int(child)]
        }
      }
    }
    return (outBytes, outDepths, outEnds, outTokens)
  }
}
