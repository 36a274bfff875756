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

  /// The tokens that may come next.
  public var mask: TokenMask { compiled.mask(of: hasEnded ? GrammarState() : state) }

  /// Whether the text so far is complete: the answer may end here.
  public var isComplete: Bool { hasEnded || state.accepts }

  /// Follows a token. After one outside the mask only the end is allowed.
  public mutating func advance(by token: TokenID) {
    guard !hasEnded else { return }
    if compiled.vocabulary.endTokens.contains(token) {
      hasEnded = true
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

  /// The tokens of the text that must come next, as the tokenizer would write it on its own.
  public func forcedContinuation(maximum: Int) -> [TokenID] {
    guard maximum > 0, !hasEnded else { return [] }
    var state = state
    var run: [UInt8] = []
    // No token is worth more bytes than this, and a run need not be longer than what is wanted of it.
    while run.count < maximum * 16, let byte = compiled.grammar.onlyByte(after: state) {
      run.append(byte)
      state = compiled.grammar.advance(state, by: byte)
    }
    var tokens: [TokenID] = []
    if !run.isEmpty {
      guard let text = String(validating: run, as: UTF8.self) else { return [] }
      tokens = compiled.vocabulary.tokenizer.encode(text)
      guard tokens.flatMap({ compiled.vocabulary.tokenizer.bytes(of: $0) ?? [] }) == run else { return [] }
    }
    if state.accepts, state.configurations.isEmpty, let end = compiled.vocabulary.usualEndToken { tokens.append(end) }
    return Array(tokens.prefix(maximum))
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
