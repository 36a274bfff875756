package import Decoding
package import Tokenization

/// An answer that must belong to a grammar's language: JSON of a schema, a tool call.
///
/// The end of the answer is allowed exactly where the text is complete, and is all that is allowed once nothing may
/// follow.
package struct GrammarConstraint: TokenConstraint {
  let compiled: CompiledGrammar
  /// Where the text stood before `unread`.
  private var state: GrammarState
  /// Bytes of the text that are still to be followed.
  private var unread: ArraySlice<UInt8> = []
  private(set) var hasEnded = false
  /// What may come next, if that was found.
  private var known: NextTokens?

  init(_ compiled: CompiledGrammar) {
    self.compiled = compiled
    state = compiled.start
  }

  /// The tokens that may come next; any in text that may be anything.
  package mutating func next(within work: inout ConstraintWork) -> NextTokens {
    if let known { return known }
    guard settle(within: &work) else { return .late }
    if compiled.grammar.isFree(state) {
      known = .any
    } else if let mask = compiled.mask(of: hasEnded ? .ended : state, within: &work) {
      known = .only(mask)
    }
    return known ?? .late
  }

  /// Ways in which the text so far can be read.
  package var configurationCount: Int { settled.configurations.count }

  /// Whether the text so far is complete: the answer may end here.
  package var isComplete: Bool { hasEnded || settled.accepts }

  /// Follows a token. After one outside the mask only the end is allowed.
  package mutating func advance(by token: TokenID) {
    guard !hasEnded else { return }
    if compiled.grammar.freeStates.isEmpty {
      if compiled.vocabulary.endTokens.contains(token) {
        (hasEnded, known) = (true, nil)
        return
      }
    } else if compiled.vocabulary.endTokens.contains(token)
      || compiled.vocabulary.tokenizer.isSpecial(token) && !compiled.vocabulary.textTokens.contains(token)
    {
      // In text that may be anything such a token says nothing, unless it ends the answer.
      return
    }
    unread += compiled.vocabulary.tokenizer.bytes(of: token) ?? []
    known = nil
  }

  /// Follows text as if tokens had written it; says whether all of it was allowed.
  package mutating func advance(byText text: String) -> Bool {
    unread += Array(text.utf8)
    known = nil
    return !settled.isDead
  }

  /// The tokens that come next because no other may.
  package mutating func forcedContinuation(maximum: Int, within work: inout ConstraintWork) -> [TokenID] {
    _ = next(within: &work)
    var ahead = self
    var tokens: [TokenID] = []
    while tokens.count < maximum, !ahead.hasEnded, let token = ahead.next(within: &work).mask?.only {
      tokens.append(token)
      ahead.advance(by: token)
    }
    return tokens
  }

  /// Where the text stands.
  private var settled: GrammarState {
    var (ahead, work) = (self, ConstraintWork.unbounded)
    _ = ahead.settle(within: &work)
    return ahead.state
  }

  /// Follows what is unread; whether `work` was enough for all of it.
  private mutating func settle(within work: inout ConstraintWork) -> Bool {
    while let byte = unread.first {
      guard let (next, steps) = compiled.grammar.step(from: state, by: byte, within: work.steps) else { return false }
      _ = work.take(steps)
      state = next
      unread.removeFirst()
    }
    unread = []
    return true
  }
}

extension CompiledGrammar {
  /// The token to go on with where the text has no choice: the first of those that the tokenizer writes the text with.
  ///
  /// The text could be split into tokens in other ways, but this one is what the model has learned, and a single
  /// possible token needs no guess. The last token before a choice is left open, as what follows may belong to it.
  ///
  /// - Returns: the token, or none; `nil` when finding it takes more than `work`.
  func forcedToken(in state: GrammarState, within work: inout ConstraintWork) -> TokenID?? {
    var state = state
    var run: [UInt8] = []
    while run.count < 64, let byte = grammar.onlyByte(after: state) {
      run.append(byte)
      guard let (next, steps) = grammar.step(from: state, by: byte, within: work.steps) else { return nil }
      _ = work.take(steps)
      state = next
    }
    return .some(forcedToken(of: run, to: state))
  }

  private func forcedToken(of run: [UInt8], to state: GrammarState) -> TokenID? {
    guard run.count > 1 || state.accepts && state.configurations.isEmpty,
      let text = String(validating: run, as: UTF8.self)
    else { return nil }
    let tokens = vocabulary.tokenizer.encodeContinuation(text)
    let isEnd = state.accepts && state.configurations.isEmpty
    guard let token = tokens.first, isEnd || tokens.count > 1, !vocabulary.endTokens.contains(token),
      !vocabulary.tokenizer.isSpecial(token), let bytes = vocabulary.tokenizer.bytes(of: token), run.starts(with: bytes)
    else { return nil }
    return token
  }
}

extension Grammar {
  /// The byte that must follow; `nil` when there are several, or the text may end.
  func onlyByte(after state: GrammarState) -> UInt8? {
    guard !state.accepts else { return nil }
    var only: UInt8?
    for configuration in state.configurations {
      let terminal = terminals[Int(configuration.terminal)]
      var byte = terminal.automaton.onlyByte[Int(configuration.state)]
      if terminal.length != nil, configuration.state == StandardAutomata.body, configuration.room == 0 {
        byte = UInt8(ascii: "\"")
      }
      guard let byte, only == nil || only == byte else { return nil }
      only = byte
    }
    return only
  }
}
