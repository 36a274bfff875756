/// SentencePiece's BPE: two neighbours merge when what they form is a piece, the one of the best score first and the
/// leftmost among equals. What is left without a piece is written in tokens of its bytes.
///
/// Source: `bpe_model.cc` of SentencePiece; llama.cpp's `llm_tokenizer_spm` does the same. Unlike the latter, and like
/// the former, control tokens are no pieces: no text can merge into one.
struct ScoredPairModel: Sendable {
  private let pieces: ByteStringTable
  private let ids: [TokenID]
  /// The place of each piece's score among all, the best first; equal scores share a place.
  private let ranks: [UInt32]
  private let longest: Int
  /// The tokens of the 256 bytes.
  let byteTokens: [TokenID]?
  private let unknown: TokenID?

  /// - Parameter pieces: texts that merging may form, which differ, and their scores, which are numbers.
  init(pieces: [(text: [UInt8], id: TokenID, score: Float)], byteTokens: [TokenID]?, unknown: TokenID?) {
    var texts = ByteStringTable(minimumCapacity: pieces.count)
    for piece in pieces { _ = texts.insert(piece.text[...]) }
    let best = Array(Set(pieces.map(\.score))).sorted(by: >)
    let places = Dictionary(uniqueKeysWithValues: best.enumerated().map { ($1, UInt32(truncatingIfNeeded: $0)) })
    self.pieces = texts
    ids = pieces.map(\.id)
    ranks = pieces.map { places[$0.score] ?? 0 }
    longest = pieces.map(\.text.count).max() ?? 0
    self.byteTokens = byteTokens
    self.unknown = unknown
  }

  /// The rank of the piece with this text; `nil` when there is none.
  func rank(of text: ArraySlice<UInt8>) -> UInt32? {
    guard text.count <= longest else { return nil }
    return pieces.index(of: text).map { ranks[$0] }
  }

  /// Appends the tokens of `word` (UTF-8) to `output`.
  func append(_ word: ArraySlice<UInt8>, merger: inout PieceMerger, to output: inout [TokenID]) {
    merger.merge(word, of: self) { symbol in
      if let piece = pieces.index(of: symbol) {
        output.append(ids[piece])
      } else if let byteTokens {
        for byte in symbol { output.append(byteTokens[Int(byte)]) }
      } else if let unknown {
        output.append(unknown)
      }
    }
  }
}

/// Merges the characters of one word into pieces, reusing its buffers between words: O(n log n).
struct PieceMerger: Sendable {
  /// Where each symbol begins, counted from the word's first byte, and how long it is; one that was merged away has no
  /// length.
  private var starts: [Int32] = []
  private var lengths: [Int32] = []
  /// Neighbours of each symbol, −1 at the ends.
  private var previous: [Int32] = []
  private var next: [Int32] = []
  private var heap = MergeHeap()

  /// Calls `body` with what `word` is merged into, from left to right.
  mutating func merge(_ word: ArraySlice<UInt8>, of model: ScoredPairModel, _ body: (ArraySlice<UInt8>) -> Void) {
    splitCharacters(word)
    guard starts.count > 0 else { return }
    for index in 0..<starts.count - 1 { push(index, word, model) }
    while let (rank, position) = heap.pop() {
      let right = Int(next[position])
      guard lengths[position] > 0, right >= 0 else { continue }
      // A pair that has changed since it was pushed has been pushed again.
      guard let now = self.rank(position, right, word, model), Int(now) == rank else { continue }
      lengths[position] += lengths[right]
      lengths[right] = 0
      next[position] = next[right]
      if next[position] >= 0 {
        previous[Int(next[position])] = Int32(truncatingIfNeeded: position)
        push(position, word, model)
      }
      if previous[position] >= 0 { push(Int(previous[position]), word, model) }
    }
    var symbol = 0
    while symbol >= 0 {
      body(text(symbol, symbol, word))
      symbol = Int(next[symbol])
    }
  }

  private mutating func splitCharacters(_ word: ArraySlice<UInt8>) {
    starts.removeAll(keepingCapacity: true)
    lengths.removeAll(keepingCapacity: true)
    previous.removeAll(keepingCapacity: true)
    next.removeAll(keepingCapacity: true)
    heap.removeAll()
    for (offset, byte) in word.enumerated() {
      if byte & 0xC0 == 0x80, let last = lengths.indices.last {
        lengths[last] += 1
        continue
      }
      let index = Int32(truncatingIfNeeded: starts.count)
      starts.append(Int32(truncatingIfNeeded: offset))
      lengths.append(1)
      previous.append(index - 1)
      next.append(index + 1)
    }
    if !next.isEmpty { next[next.count - 1] = -1 }
  }

  /// The text from symbol `left` to symbol `right`, neighbours or the same.
  private func text(_ left: Int, _ right: Int, _ word: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    word[(word.startIndex + Int(starts[left]))..<(word.startIndex + Int(starts[right]) + Int(lengths[right]))]
  }

  private func rank(_ left: Int, _ right: Int, _ word: ArraySlice<UInt8>, _ model: ScoredPairModel) -> UInt32? {
    model.rank(of: text(left, right, word))
  }

  private mutating func push(_ position: Int, _ word: ArraySlice<UInt8>, _ model: ScoredPairModel) {
    if let rank = rank(position, Int(next[position]), word, model) { heap.push(rank: Int(rank), position: position) }
  }
}
