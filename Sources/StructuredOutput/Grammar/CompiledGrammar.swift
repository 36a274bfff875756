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

  /// The tokens that may follow in `state`; `nil` when finding them takes more than `work`. What was found is kept.
  ///
  /// Tokens that stay within a terminal under way are found once per terminal; only those that run past its end are
  /// followed through the stack.
  func mask(of state: GrammarState, within work: inout ConstraintWork) -> TokenMask? {
    if work.waits { return memory.withLock { mask(of: state, &$0, &work) } }
    // Another thread has this grammar in hand, and may have for long.
    return memory.withLockIfAvailable { mask(of: state, &$0, &work) } ?? nil
  }

  private func mask(of state: GrammarState, _ memory: inout Memory, _ work: inout ConstraintWork) -> TokenMask? {
    if let known = memory.masks[state] { return known }
    var words = Array(repeating: UInt64(0), count: (vocabulary.size + 63) / 64)
    func insert(_ token: TokenID) { words[Int(token) >> 6] |= 1 << (UInt64(token) & 63) }
    guard let forced = forcedToken(in: state, within: &work) else { return nil }
    var steps = 0
    if let forced { insert(forced) }
    for configuration in forced == nil ? state.configurations : [] {
      let terminal = grammar.terminals[Int(configuration.terminal)]
      let found =
        shared.isStandard(terminal)
        ? shared.mask(of: terminal, in: configuration, vocabulary: vocabulary, within: &work)
        : memory.local.mask(of: terminal, in: configuration, vocabulary: vocabulary, within: &work)
      guard let local = found else { return nil }
      for (index, word) in local.words.enumerated() { words[index] |= word }
      for token in local.tokens { insert(token) }
      guard !local.exits.isEmpty else { continue }
      if memory.states.count > Limit.states { memory.forgetStates() }
      guard let (rest, taken) = grammar.state(after: configuration.parent, within: work.steps) else { return nil }
      _ = work.take(taken)
      let after = memory.number(of: rest)
      guard after >= 0 else { continue }
      for exit in local.exits {
        guard follow(exit, from: after, &memory, &steps, &work, insert) else { return nil }
      }
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

  /// Inserts the tokens below trie node `exit` that state `after` takes; whether `work` was enough for all.
  ///
  /// - Parameter steps: taken for this mask so far. They are counted whether the way was known or not, so that a mask is
  ///   the same whatever was asked for before.
  private func follow(
    _ exit: Int32, from after: Int32, _ memory: inout Memory, _ steps: inout Int, _ work: inout ConstraintWork,
    _ insert: (TokenID) -> Void
  ) -> Bool {
    let base = Int(vocabulary.depths[Int(exit)])
    var path = [after]
    var node = Int(exit) + 1
    while node < Int(vocabulary.ends[Int(exit)]) {
      let depth = Int(vocabulary.depths[node]) - base
      guard steps <= Limit.steps else { return true }
      guard let next = memory.next(path[depth - 1], vocabulary.bytes[node], grammar, &steps, &work) else {
        return false
      }
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
    return true
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

  /// The state after a byte, −1 when it cannot follow; `nil` when finding it takes more than `work`.
  mutating func next(
    _ state: Int32, _ byte: UInt8, _ grammar: Grammar, _ spent: inout Int, _ work: inout ConstraintWork
  ) -> Int32? {
    let place = Int(state) * 256 + Int(byte)
    if transitions[place] == -2 {
      guard let (after, taken) = grammar.step(from: states[Int(state)], by: byte, within: work.steps) else {
        return nil
      }
      _ = work.take(taken)
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

  /// Whether the terminal's automaton is one of these.
  func isStandard(_ terminal: Grammar.Terminal) -> Bool { standard.contains(ObjectIdentifier(terminal.automaton)) }

  /// The mask; `nil` when finding it takes more than `work`.
  func mask(
    of terminal: Grammar.Terminal, in configuration: GrammarState.Configuration, vocabulary: TokenVocabulary,
    within work: inout ConstraintWork
  ) -> LocalMask? {
    if let known = table.withLock({ $0.find(terminal, configuration, vocabulary) }) { return known }
    // Found without the lock, as others may want what is known.
    guard let mask = vocabulary.localMask(of: terminal, in: configuration, within: &work) else { return nil }
    table.withLock { $0.keep(mask, terminal, configuration, vocabulary) }
    return mask
  }
}
