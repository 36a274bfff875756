package import Tokenization

/// Counts what followed every run of up to `depth` tokens in the texts it has seen.
///
/// A trie of all their substrings of that length. A node knows which token followed its run most often, so that
/// reading off the likeliest continuation costs one step per token.
package struct SuffixIndex {
  private struct Node {
    /// The token that leads here from the parent.
    let token: TokenID
    /// Occurrences of the run.
    var count: Int32 = 0
    /// Occurrences that a token followed.
    var followed: Int32 = 0
    /// The child seen most often; of equals, the one that got there last. 0 for none.
    var likeliest: Int32 = 0
  }

  /// The runs of an index that a text ends with: element `i` is the node of its last `i + 1` tokens.
  ///
  /// Every end of a run that occurred has occurred as well, so there are no gaps.
  package struct Cursor {
    fileprivate var nodes: [Int32] = []

    /// The start of a text.
    package init() {}

    /// Length of the longest run of the index that the text ends with.
    package var matched: Int { nodes.count }
  }

  package let depth: Int
  private var nodes = [Node(token: -1)]
  private var children = EdgeTable()

  /// An index of runs of up to `depth` tokens.
  package init(depth: Int) { self.depth = depth }

  /// Number of runs that are kept.
  package var nodeCount: Int { nodes.count - 1 }

  /// Adds the next token of a text that `cursor` stands at the end of.
  package mutating func append(_ token: TokenID, at cursor: inout Cursor) {
    var reached: [Int32] = []
    reached.reserveCapacity(depth)
    reached.append(count(token, after: 0))
    for node in cursor.nodes.prefix(depth - 1) { reached.append(count(token, after: node)) }
    cursor.nodes = reached
  }

  /// Moves `cursor` past the next token of a text that is not being added.
  package func follow(_ token: TokenID, with cursor: inout Cursor) {
    var reached: [Int32] = []
    var (parent, matched) = (Int32(0), 0)
    while matched < depth {
      let next = children.child(of: parent, by: token)
      guard next != 0 else { break }
      reached.append(next)
      guard matched < cursor.nodes.count else { break }
      parent = cursor.nodes[matched]
      matched += 1
    }
    cursor.nodes = reached
  }

  /// The likeliest continuation of a text.
  package struct Continuation: Equatable {
    package var tokens: [TokenID] = []
    /// How often each token followed those before it, as a share.
    package var shares: [Double] = []
    /// How many of the text's last tokens stood before the continuation's source as well.
    package var matched = 0
    /// Tokens that are expected to be right.
    package var score = 0.0
  }

  /// The best continuation by its expected number of right tokens, over all lengths of match.
  ///
  /// - Parameters:
  ///   - limit: most tokens to propose.
  ///   - factor: tokens proposed per token matched: a short match is weak evidence (`suffix_decoding_max_spec_factor`).
  ///   - leastProbability: the continuation ends where it becomes less probable than this
  ///     (`suffix_decoding_min_token_prob`).
  package func continuation(at cursor: Cursor, limit: Int, factor: Double, leastProbability: Double) -> Continuation {
    var best = Continuation()
    for (index, start) in cursor.nodes.enumerated().reversed() {
      var found = Continuation(matched: index + 1)
      var (place, survival) = (start, 1.0)
      let most = min(limit, Int(Double(found.matched) * factor))
      while found.tokens.count < most, nodes[Int(place)].likeliest != 0 {
        let next = nodes[Int(nodes[Int(place)].likeliest)]
        let share = Double(next.count) / Double(nodes[Int(place)].followed)
        survival *= share
        guard survival >= leastProbability else { break }
        found.tokens.append(next.token)
        found.shares.append(share)
        found.score += survival
        place = nodes[Int(place)].likeliest
      }
      if found.score > best.score { best = found }
    }
    return best
  }

  private mutating func count(_ token: TokenID, after parent: Int32) -> Int32 {
    let next = Int32(nodes.count)
    let child = children.child(of: parent, by: token, orAdd: next)
    if child == next { nodes.append(Node(token: token)) }
    nodes[Int(child)].count += 1
    nodes[Int(parent)].followed += 1
    let best = nodes[Int(parent)].likeliest
    if best == 0 || nodes[Int(child)].count >= nodes[Int(best)].count { nodes[Int(parent)].likeliest = child }
    return child
  }
}
