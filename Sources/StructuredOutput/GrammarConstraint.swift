public import Decoding
public import Tokenization

/// An answer that must belong to a grammar's language: JSON of a schema, a tool call.
///
/// The end of the answer is allowed exactly where the text is complete, and is all that is allowed once nothing may
/// follow.
public struct GrammarConstraint: TokenConstraint {
  let compiled: CompiledGrammar
  private(set) var state: GrammarState
  private(set) var hasEnded = false

  init(_ compiled: CompiledGrammar) {
    self.compiled = compiled
    state = compiled.start
  }

  /// The tokens that may come next; `nil` in text that may be anything.
  public var mask: TokenMask? {
    compiled.grammar.isFree(state) ? nil : compiled.mask(of: hasEnded ? .ended : state)
  }

  /// Ways in which the text so far can be read.
  package var configurationCount: Int { state.configurations.count }

  /// Whether the text so far is complete: the answer may end here.
  public var isComplete: Bool { hasEnded || state.accepts }

  /// Follows a token. After one outside the mask only the end is allowed.
  public mutating func advance(by token: TokenID) {
    guard !hasEnded else { return }
    if compiled.grammar.freeStates.isEmpty {
      if compiled.vocabulary.endTokens.contains(token) {
        hasEnded = true
        return
      }
    } else if compiled.vocabulary.endTokens.contains(token)
      || compiled.vocabulary.tokenizer.isSpecial(token) && !compiled.vocabulary.textTokens.contains(token)
    {
      // In text that may be anything such a token says nothing, unless it ends the answer.
      return
    }
    for byte in compiled.vocabulary.tokenizer.bytes(of: token) ?? [] {
      state = compiled.grammar.advance(state, by: byte)
    }
  }

  /// Follows text as if tokens had written it; says whether all of it was allowed.
  package mutating func advance(byText text: String) -> Bool {
    for byte in text.utf8 { state = compiled.grammar.advance(state, by: byte) }
    return !state.isDead
  }

  /// The tokens that come next because no other may.
  public func forcedContinuation(maximum: Int) -> [TokenID] {
    var ahead = self
    var tokens: [TokenID] = []
    while tokens.count < maximum, !ahead.hasEnded {
      guard let token = ahead.mask?.only else { break }
      tokens.append(token)
      ahead.advance(by: token)
    }
    return tokens
  }
}

extension CompiledGrammar {
  /// The token to go on with where the text has no choice: the first of those that the tokenizer writes the text with.
  ///
  /// The text could be split into tokens in other ways, but this one is what the model has learned, and a single
  /// possible token needs no guess. The last token before a choice is left open, as what follows may belong to it.
  func forcedToken(in state: GrammarState) -> TokenID? {
    var state = state
    var run: [UInt8] = []
    while run.count < 64, let byte = grammar.onlyByte(after: state) {
      run.append(byte)
      state = grammar.advance(state, by: byte)
    }
    guard run.count > 1 || state.accepts && state.configurations.isEmpty,
      let text = String(validating: run, as: UTF8.self)
    else { return nil }
    let tokens = vocabulary.tokenizer.encode(text)
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
