package import Tokenization

/// What a model of a proposer's own has computed in blocks parallel to the target's: block `b` of its K/V memory holds the
/// positions that the target's block `b` does.
///
/// So whoever holds the target's block has the proposer's too: prefixes that requests share, requests that were preempted
/// and prompts that are read in pieces are one case. A block is known by its tokens and by the block before it; what was
/// written over is noticed, whoever wrote.
package struct ParallelBlocks {
  private let blockSize: Int
  private var contents: [Content]
  private var lastName: UInt64 = 0

  /// What a block holds.
  private struct Content {
    /// Names what the block and those before it hold; another after anything of it was taken back.
    var name: UInt64 = 0
    /// The name of the block before it; 0 for the first.
    var previous: UInt64 = 0
    /// Tokens whose keys and values it has.
    var tokens: [TokenID] = []
  }

  /// What a sequence was found to have, so that it need not be compared again.
  package struct Memo {
    /// By full block: its name.
    fileprivate var names: [UInt64] = []

    package init() {}
  }

  package init(count: Int, blockSize: Int) {
    self.blockSize = blockSize
    contents = Array(repeating: Content(), count: count)
  }

  /// How many of the first of `tokens` are computed in `blocks`.
  ///
  /// - Parameter settled: how many of them no later call will change; only these are remembered.
  package func computed(_ tokens: [TokenID], settled: Int, in blocks: [Int32], _ memo: inout Memo) -> Int {
    var full = zip(memo.names, blocks).prefix { contents[Int($1)].name == $0 }.count
    full = min(full, tokens.count / blockSize)
    memo.names.removeLast(memo.names.count - full)
    var previous = memo.names.last ?? 0
    var count = full * blockSize
    for block in blocks.dropFirst(full) {
      let content = contents[Int(block)]
      guard content.previous == previous, !content.tokens.isEmpty else { break }
      let same = zip(content.tokens, tokens[count...]).prefix { $0 == $1 }.count
      count += same
      guard same == blockSize else { break }
      previous = content.name
      if count <= settled { memo.names.append(content.name) }
    }
    return count
  }

  /// Notes that keys and values of `tokens` were computed at the positions from `first` on; those before are there.
  package mutating func note(_ tokens: some Collection<TokenID>, at first: Int, in blocks: [Int32]) {
    for (position, token) in zip(first..., tokens) {
      let (index, offset) = position.quotientAndRemainder(dividingBy: blockSize)
      let block = Int(blocks[index])
      if contents[block].tokens.count > offset || offset == 0 {
        contents[block].tokens.removeLast(contents[block].tokens.count - offset)
        contents[block].previous = index == 0 ? 0 : contents[Int(blocks[index - 1])].name
        lastName += 1
        contents[block].name = lastName
      }
      contents[block].tokens.append(token)
    }
  }
}
