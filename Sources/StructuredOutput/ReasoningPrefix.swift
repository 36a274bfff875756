/// Whether an answer may think before what is constrained: `<think>…</think>`, then the rest.
package enum ReasoningPrefix: String, Sendable, Hashable {
  /// The whole answer is constrained.
  case none
  /// The answer may begin with a thought.
  case allowed
  /// The prompt has opened the thought already; the answer begins within it.
  case open
}

extension GrammarBuilder {
  /// `root`, after a thought where there may be one.
  mutating func adding(_ prefix: ReasoningPrefix, before root: Int) throws -> Int {
    guard prefix != .none else { return root }
    let search = BytePattern.sequence([.many(.anyScalar), .literal(ReasoningSplitter.closing)])
    guard let thought = try ByteAutomaton.make(search)?.stoppingAtFirstMatch(),
      let lines = try text(.repeated(.literal("\n"), minimum: 0, maximum: 2))
    else { return root }
    let rest = [try terminal(thought), lines, root]
    if prefix == .open { return try sequence(rest) }
    return try choice([root, try sequence([try literals([ReasoningSplitter.opening])] + rest)])
  }

  /// Text that may be anything, up to and including the first `tag`.
  mutating func freeText(through tag: String) throws -> Int? {
    let search = BytePattern.sequence([.many(.bytes(.all)), .literal(tag)])
    guard let text = try ByteAutomaton.make(search)?.stoppingAtFirstMatch() else { return nil }
    return try freeText(text, states: text.statesBeforeTag)
  }

  /// `root`, which may be any text, after a thought where there may be one.
  mutating func adding(_ prefix: ReasoningPrefix, beforeFree root: Int) throws -> Int {
    guard prefix != .none, let thought = try freeText(through: ReasoningSplitter.closing) else { return root }
    if prefix == .open { return try sequence([thought, root]) }
    return try choice([root, try sequence([try literals([ReasoningSplitter.opening]), thought, root])])
  }
}

extension ByteAutomaton {
  /// The states in which no byte of a tag has been read: the first, and the one after a byte that no tag has.
  var statesBeforeTag: Set<Int32> { [Self.start, next(Self.start, 0)] }
}
