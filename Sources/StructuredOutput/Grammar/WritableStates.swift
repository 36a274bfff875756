internal import Synchronization
internal import Tokenization

/// From which states of an automaton a vocabulary's tokens can write a text to its end.
///
/// Vocabularies exist that have no token for some bytes. A state that only such bytes lead on from is a dead end: a token
/// that leads to one must not be chosen, and a terminal that begins in one is left out of its grammar.
final class WritableStates: Sendable {
  /// Bytes that are tokens by themselves.
  private let bytes: [Bool]
  private let known = Mutex<[ObjectIdentifier: (automaton: ByteAutomaton, states: [Bool])]>([:])

  private enum Limit {
    static let automata = 512
    /// States that are tried with every token; more are taken for dead ends.
    static let triedStates = 256
  }

  /// - Parameter bytes: for each byte whether it is a token by itself.
  init(bytes: [Bool]) { self.bytes = bytes }

  /// For each state whether a text can be completed from there.
  func states(of automaton: ByteAutomaton, with vocabulary: TokenVocabulary) -> [Bool] {
    let key = ObjectIdentifier(automaton)
    if let found = known.withLock({ $0[key] }) { return found.states }
    let states = find(automaton, vocabulary)
    known.withLock { known in
      if known.count >= Limit.automata { known = [:] }
      known[key] = (automaton, states)
    }
    return states
  }

  private func find(_ automaton: ByteAutomaton, _ vocabulary: TokenVocabulary) -> [Bool] {
    var isWritten = Array(repeating: false, count: automaton.classCount)
    for byte in bytes.indices where bytes[byte] { isWritten[Int(automaton.classes[byte])] = true }
    var sources: [[Int32]] = Array(repeating: [], count: automaton.stateCount)
    for state in 0..<automaton.stateCount {
      for index in 0..<automaton.classCount where isWritten[index] {
        let next = automaton.transitions[state * automaton.classCount + index]
        if next >= 0 { sources[Int(next)].append(Int32(state)) }
      }
    }
    var isLive = automaton.accepting
    func spread(from states: [Int]) {
      var queue = states
      while let state = queue.popLast() {
        for source in sources[state] where !isLive[Int(source)] {
          isLive[Int(source)] = true
          queue.append(Int(source))
        }
      }
    }
    spread(from: isLive.indices.filter { isLive[$0] })
    // Longer tokens may have bytes that are none by themselves.
    var rest = isLive.indices.filter { !isLive[$0] }
    guard rest.count <= Limit.triedStates else { return isLive }
    while let found = rest.first(where: { vocabulary.hasToken(in: automaton, from: Int32($0), to: isLive) }) {
      isLive[found] = true
      spread(from: [found])
      rest.removeAll { isLive[$0] }
    }
    return isLive
  }
}

extension TokenVocabulary {
  /// The states of `automaton` from which a text can be completed; `nil` when these are all.
  func writableStates(of automaton: ByteAutomaton) -> [Bool]? { writable?.states(of: automaton, with: self) }

  /// Whether what `terminal` stands for can be written at all.
  func canWrite(_ terminal: Grammar.Terminal) -> Bool {
    writableStates(of: terminal.automaton)?[Int(ByteAutomaton.start)] ?? true
  }

  /// Whether a match that stands so can be completed.
  func canComplete(_ state: GrammarState, of grammar: Grammar) -> Bool {
    guard writable != nil, !state.accepts else { return true }
    return state.configurations.contains { configuration in
      let automaton = grammar.terminals[Int(configuration.terminal)].automaton
      return writableStates(of: automaton)?[Int(configuration.state)] ?? true
    }
  }

  /// Whether a token leads from `state` to one of `targets`.
  func hasToken(in automaton: ByteAutomaton, from state: Int32, to targets: [Bool]) -> Bool {
    var states = Array(repeating: state, count: maximumDepth + 1)
    var node = 1
    while node < bytes.count {
      let next = automaton.next(states[Int(depths[node]) - 1], bytes[node])
      guard next >= 0 else {
        node = Int(ends[node])
        continue
      }
      if tokens[node] >= 0, targets[Int(next)] { return true }
      states[Int(depths[node])] = next
      node += 1
    }
    return false
  }
}
