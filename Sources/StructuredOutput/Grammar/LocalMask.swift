internal import Decoding
internal import Tokenization

/// What tokens do to one terminal, whatever surrounds it.
struct LocalMask: Sendable {
  /// Tokens that the terminal takes whole, as bits; empty when they are few.
  var words: [UInt64] = []
  /// The same as a list, when they are few.
  var tokens: [TokenID] = []
  /// Trie nodes at which the terminal may end while tokens go on.
  var exits: [Int32] = []

  /// The most tokens that are kept as a list.
  static let listLimit = 512
}

extension TokenVocabulary {
  /// Nodes of the trie that are looked at in the time of a step.
  private static let nodesPerStep = 16

  /// The local mask of `terminal` in the state of `configuration`; `nil` when finding it takes more than `work`.
  func localMask(
    of terminal: Grammar.Terminal, in configuration: GrammarState.Configuration, within work: inout ConstraintWork
  ) -> LocalMask? {
    let automaton = terminal.automaton
    var accepted: [TokenID] = []
    var mask = LocalMask()
    var states = Array(repeating: Int32(0), count: maximumDepth + 1)
    states[0] = configuration.state
    let isCounted = terminal.length != nil
    var needed = Array(repeating: configuration.needed, count: isCounted ? maximumDepth + 1 : 1)
    var room = Array(repeating: configuration.room, count: isCounted ? maximumDepth + 1 : 1)
    let writable = writableStates(of: automaton)
    var node = 1
    var visits = 0
    while node < bytes.count {
      visits += 1
      if visits % Self.nodesPerStep == 0, !work.take(1) { return nil }
      let depth = Int(depths[node])
      let state = states[depth - 1]
      let next = automaton.next(state, bytes[node])
      guard next >= 0 else {
        node = Int(ends[node])
        continue
      }
      if isCounted {
        (needed[depth], room[depth]) = (needed[depth - 1], room[depth - 1])
        guard StandardAutomata.count(bytes[node], from: state, to: next, needed: &needed[depth], room: &room[depth])
        else {
          node = Int(ends[node])
          continue
        }
      }
      states[depth] = next
      if tokens[node] >= 0, writable?[Int(next)] ?? true { accepted.append(tokens[node]) }
      if automaton.accepting[Int(next)], Int(ends[node]) > node + 1 { mask.exits.append(Int32(node)) }
      node = automaton.continues[Int(next)] ? node + 1 : Int(ends[node])
    }
    for token in accepted where twins[token] != nil { accepted += twins[token] ?? [] }
    if accepted.count <= LocalMask.listLimit {
      mask.tokens = accepted
    } else {
      mask.words = Array(repeating: 0, count: (size + 63) / 64)
      for token in accepted { mask.words[Int(token) >> 6] |= 1 << (UInt64(token) & 63) }
    }
    return mask
  }
}

/// Keeps local masks; the keys hold on to their automata.
struct LocalMaskTable: Sendable {
  private struct Key: Hashable {
    let automaton: ObjectIdentifier
    let state: Int32
    let needed: Int32
    let room: Int32
  }

  private var masks: [Key: (automaton: ByteAutomaton, mask: LocalMask)] = [:]
  private var bytes = 0
  /// Most bytes to keep; beyond it everything is found out anew.
  let capacity: Int

  init(capacity: Int) { self.capacity = capacity }

  /// The mask, made anew when it is not known; `nil` when that takes more than `work`.
  mutating func mask(
    of terminal: Grammar.Terminal, in configuration: GrammarState.Configuration, vocabulary: TokenVocabulary,
    within work: inout ConstraintWork
  ) -> LocalMask? {
    if let known = find(terminal, configuration, vocabulary) { return known }
    guard let mask = vocabulary.localMask(of: terminal, in: configuration, within: &work) else { return nil }
    keep(mask, terminal, configuration, vocabulary)
    return mask
  }

  /// The mask, if it is known.
  func find(
    _ terminal: Grammar.Terminal, _ configuration: GrammarState.Configuration, _ vocabulary: TokenVocabulary
  ) -> LocalMask? {
    masks[Self.key(terminal, configuration, vocabulary)]?.mask
  }

  mutating func keep(
    _ mask: LocalMask, _ terminal: Grammar.Terminal, _ configuration: GrammarState.Configuration,
    _ vocabulary: TokenVocabulary
  ) {
    let size = mask.words.count * 8 + mask.tokens.count * 4 + mask.exits.count * 4 + 256
    bytes += size
    if bytes > capacity { (masks, bytes) = ([:], size) }
    masks[Self.key(terminal, configuration, vocabulary)] = (terminal.automaton, mask)
  }

  private static func key(
    _ terminal: Grammar.Terminal, _ configuration: GrammarState.Configuration, _ vocabulary: TokenVocabulary
  ) -> Key {
    // No token holds more characters than bytes, so bounds further away are all alike.
    let far = Int32(vocabulary.maximumDepth + 1)
    return Key(
      automaton: ObjectIdentifier(terminal.automaton), state: configuration.state,
      needed: min(configuration.needed, far), room: terminal.length == nil ? far : min(configuration.room, far))
  }
}
