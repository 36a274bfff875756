internal import Decoding
internal import Synchronization
internal import Tokenization

/// A grammar with a vocabulary: finds the mask of a state, and remembers it for all requests.
final class CompiledGrammar: Sendable {
  let grammar: Grammar
  let vocabulary: TokenVocabulary
  let start: GrammarState
  private let shared: SharedMasks
  private let memory: Mutex<Memory>

  /// What has been found out so far.
  fileprivate struct Memory {
    var masks: [GrammarState: TokenMask] = [:]
    var local = LocalMaskTable(capacity: 4 << 20)
    /// A deterministic automaton over states, made as far as it was needed.
    var states: [GrammarState] = []
    var numbers: [GrammarState: Int32] = [:]
    /// The state after state `i` and byte `b`, at `i * 256 + b`: −1 for none, −2 where it is not known.
    var transitions: [Int32] = []
    /// Steps that finding each of them took.
    var steps: [Int32] = []
  }

  private enum Limit {
    /// Bytes of masks kept.
    static let maskBytes = 6 << 20
    static let states = 2_048
    /// Steps that one mask is followed beyond the terminals under way: tokens that take more are left out of it. Schemas
    /// that people write take a hundredth of this.
    static let steps = 200_000
  }

  init(grammar: Grammar, vocabulary: TokenVocabulary, shared: SharedMasks) {
    self.grammar = grammar
    self.vocabulary = vocabulary
    self.shared = shared
    start = grammar.start
    memory = Mutex(Memory())
  }

  /// The tokens that may follow in `state`.
  ///
  /// Tokens that stay within a terminal under way are found once per terminal; only those that run past its end are
  /// followed through the stack.
  func mask(of state: GrammarState) -> TokenMask {
    memory.withLock { memory in
      if let known = memory.masks[state] { return known }
      var words = Array(repeating: UInt64(0), count: (vocabulary.size + 63) / 64)
      func insert(_ token: TokenID) { words[Int(token) >> 6] |= 1 << (UInt64(token) & 63) }
      let forced = forcedToken(in: state)
      var steps = 0
      if let forced { insert(forced) }
      for configuration in forced == nil ? state.configurations : [] {
        let terminal = grammar.terminals[Int(configuration.terminal)]
        let local =
          shared.mask(of: terminal, in: configuration, vocabulary: vocabulary)
          ?? memory.local.mask(of: terminal, in: configuration, vocabulary: vocabulary)
        for (index, word) in local.words.enumerated() { words[index] |= word }
        for token in local.tokens { insert(token) }
        guard !local.exits.isEmpty else { continue }
        if memory.states.count > Limit.states { memory.forgetStates() }
        let after = memory.number(of: grammar.state(after: configuration.parent))
        guard after >= 0 else { continue }
        for exit in local.exits { follow(exit, from: after, &memory, &steps, insert) }
      }
      if grammar.isText(state) { for token in vocabulary.controlTokens { insert(token) } }
      if state.configurations.isEmpty {
        // Nothing else can follow: one end is enough, and needs no guess.
        insert(vocabulary.usualEndToken)
      } else if state.accepts {
        for token in vocabulary.endTokens { insert(token) }
      }
      let mask = TokenMask(words: words)
      if (memory.masks.count + 1) * words.count * 8 > Limit.maskBytes { memory.masks = [:] }
      memory.masks[state] = mask
      return mask
    }
  }

  /// Inserts the tokens below trie node `exit` that state `after` takes.
  ///
  /// - Parameter steps: taken for this mask so far. They are counted whether the way was known or not, so that a mask is
  ///   the same whatever was asked for before.
  private func follow(
    _ exit: Int32, from after: Int32, _ memory: inout Memory, _ steps: inout Int, _ insert: (TokenID) -> Void
  ) {
    let base = Int(vocabulary.depths[Int(exit)])
    var path = [after]
    var node = Int(exit) + 1
    while node < Int(vocabulary.ends[Int(exit)]) {
      let depth = Int(vocabulary.depths[node]) - base
      guard steps <= Limit.steps else { return }
      let next = memory.next(path[depth - 1], vocabulary.bytes[node], grammar, &steps)
      guard next >= 0 else {
        node = Int(vocabulary.ends[node])
        continue
      }
      if path.count > depth { path[depth] = next } else { path.append(next) }
      let token = vocabulary.tokens[node]
      if token >= 0, vocabulary.canComplete(memory.states[Int(next)], of: grammar) {
        insert(token)
        for twin in vocabulary.twins[token] ?? [] { insert(twin) }
      }
      node += 1
    }
  }
}

extension CompiledGrammar.Memory {
  /// The number of a state; −1 for one that no text leads on from or ends in.
  mutating func number(of state: GrammarState) -> Int32 {
    if state.isDead { return -1 }
    if let known = numbers[state] { return known }
    let number = Int32(states.count)
    numbers[state] = number
    states.append(state)
    transitions += Array(repeating: -2, count: 256)
    steps += Array(repeating: 0, count: 256)
    return number
  }

  /// The state after a byte; −1 when it cannot follow.
  mutating func next(_ state: Int32, _ byte: UInt8, _ grammar: Grammar, _ spent: inout Int) -> Int32 {
    let place = Int(state) * 256 + Int(byte)
    if transitions[place] == -2 {
      let (after, taken) = grammar.step(from: states[Int(state)], by: byte)
      let number = number(of: after)
      (transitions[place], steps[place]) = (number, Int32(clamping: taken))
    }
    spent += Int(steps[place])
    return transitions[place]
  }

  mutating func forgetStates() {
    states = []
    numbers = [:]
    transitions = []
    steps = []
  }
}

/// Local masks of the standard automata, for all grammars of a vocabulary.
final class SharedMasks: Sendable {
  private let standard = Set(StandardAutomata.all.map { ObjectIdentifier($0) })
  private let table = Mutex(LocalMaskTable(capacity: 16 << 20))

  /// The mask; `nil` for an automaton that is not a standard one.
  func mask(
    of terminal: Grammar.Terminal, in configuration: GrammarState.Configuration, vocabulary: TokenVocabulary
  ) -> LocalMask? {
    guard standard.contains(ObjectIdentifier(terminal.automaton)) else { return nil }
    return table.withLock { $0.mask(of: terminal, in: configuration, vocabulary: vocabulary) }
  }
}
