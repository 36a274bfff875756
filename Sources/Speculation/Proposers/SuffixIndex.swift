package import Tokenization

/// Counts what followed every run of up to `depth` tokens in the sequences it has seen.
///
/// A trie of all their substrings of that length. A node knows which token followed its run most often, so that
/// reading off the likeliest continuation costs one step per token. What follows a run that occurred once is not in the
/// trie but where it occurred, so that a new token costs as many steps as the sequence's end has been seen before.
package struct SuffixIndex {
  private struct Node {
    /// The token that leads here from the parent.
    let token: TokenID
    /// Occurrences of the run.
    var count: Int32 = 1
    /// Occurrences that a token followed, as far as they are in the trie.
    var followed: Int32 = 0
    /// The child seen most often; of equals, the one that got there last. 0 for none.
    var likeliest: Int32 = 0
    /// Where in `tokens` the run's only occurrence went on; negative when the children know.
    var rest: Int32
  }

  /// A run of the index: a node's, or one that goes on from it in `tokens` up to `rest`.
  fileprivate struct Place {
    var node: Int32
    var rest: Int32
  }

  /// The runs of an index that a sequence ends with and that something may follow: element `i` is its last `i + 1` tokens.
  ///
  /// Every end of a run that occurred has occurred as well, so there are no gaps.
  package struct Cursor {
    fileprivate var places: [Place] = []

    /// The start of a sequence.
    package init() {}

    /// Length of the longest run of the index that the sequence ends with.
    package var matched: Int { places.count }
  }

  package let depth: Int
  /// All sequences, one after another.
  package private(set) var tokens: [TokenID] = []
  private var nodes = [Node(token: -1, count: 0, rest: -1)]
  private var children = EdgeTable()
  private static let endOfText: TokenID = -1

  /// An index of runs of up to `depth` tokens.
  package init(depth: Int) { self.depth = depth }

  /// Number of runs that are kept.
  package var nodeCount: Int { nodes.count - 1 }

  /// Adds the next token of a sequence that `cursor` stands at the end of.
  package mutating func append(_ token: TokenID, at cursor: inout Cursor) {
    tokens.append(token)
    var reached: [Place] = []
    if let place = count(token, after: 0, length: 1) { reached.append(place) }
    for (index, place) in cursor.places.prefix(depth - 1).enumerated() {
      if let place = count(token, after: place.node, length: index + 2) { reached.append(place) }
    }
    cursor.places = reached
  }

  /// Ends a sequence: the next one does not follow it.
  package mutating func endSequence() { tokens.append(Self.endOfText) }

  /// Moves `cursor` past the next token of a sequence that is not being added.
  package func follow(_ token: TokenID, with cursor: inout Cursor) {
    var reached: [Place] = []
    var place = Place(node: 0, rest: -1)
    while let next = self.place(after: place, token) {
      reached.append(next)
      guard reached.count < depth, reached.count <= cursor.places.count else { break }
      place = cursor.places[reached.count - 1]
    }
    cursor.places = reached
  }

  /// The likeliest continuation of a sequence.
  package struct Continuation: Equatable {
    package var tokens: [TokenID] = []
    /// How often each token followed those before it, as a share.
    package var shares: [Double] = []
    /// How many of the sequence's last tokens stood before the continuation's source as well.
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
    for (index, start) in cursor.places.enumerated().reversed() {
      var found = Continuation(matched: index + 1)
      var (place, survival) = (start, 1.0)
      let most = min(limit, Int(Double(found.matched) * factor), depth - found.matched)
      guard Double(most) > best.score else { continue }
      while found.tokens.count < most, let next = likeliest(after: place) {
        survival *= next.share
        guard survival >= leastProbability else { break }
        found.tokens.append(next.token)
        found.shares.append(next.share)
        found.score += survival
        place = next.place
      }
      if found.score > best.score { best = found }
    }
    return best
  }

  private func place(after place: Place, _ token: TokenID) -> Place? {
    if place.rest >= 0 {
      guard place.rest < tokens.count, tokens[Int(place.rest)] == token else { return nil }
      return Place(node: place.node, rest: place.rest + 1)
    }
    let child = children.child(of: place.node, by: token)
    return child == 0 ? nil : Place(node: child, rest: nodes[Int(child)].rest)
  }

  private func likeliest(after place: Place) -> (token: TokenID, share: Double, place: Place)? {
    if place.rest >= 0 {
      guard place.rest < tokens.count, tokens[Int(place.rest)] != Self.endOfText else { return nil }
      return (tokens[Int(place.rest)], 1, Place(node: place.node, rest: place.rest + 1))
    }
    let node = nodes[Int(place.node)]
    guard node.likeliest != 0 else { return nil }
    let next = nodes[Int(node.likeliest)]
    return (next.token, Double(next.count) / Double(node.followed), Place(node: node.likeliest, rest: next.rest))
  }

  /// Counts an occurrence of the run of `length` tokens that the last of `tokens` makes of `parent`'s.
  ///
  /// - Returns: its place, if it has occurred before; otherwise nothing can follow it yet.
  private mutating func count(_ token: TokenID, after parent: Int32, length: Int) -> Place? {
    let next = Int32(nodes.count)
    let child = children.child(of: parent, by: token, orAdd: next)
    if child == next {
      nodes.append(Node(token: token, rest: Int32(tokens.count)))
    } else {
      if nodes[Int(child)].rest >= 0 { expand(child, length: length) }
      nodes[Int(child)].count += 1
    }
    nodes[Int(parent)].followed += 1
    let best = nodes[Int(parent)].likeliest
    if best == 0 || nodes[Int(child)].count >= nodes[Int(best)].count { nodes[Int(parent)].likeliest = child }
    return child == next ? nil : Place(node: child, rest: -1)
  }

  /// Gives a run that has occurred once, and is about to occur again, a child for what followed it.
  private mutating func expand(_ node: Int32, length: Int) {
    let rest = Int(nodes[Int(node)].rest)
    nodes[Int(node)].rest = -1
    guard length < depth, tokens[rest] != Self.endOfText else { return }
    let child = Int32(nodes.count)
    _ = children.child(of: node, by: tokens[rest], orAdd: child)
    nodes.append(Node(token: tokens[rest], rest: Int32(rest + 1)))
    nodes[Int(node)].followed = 1
    nodes[Int(node)].likeliest = child
  }
}
