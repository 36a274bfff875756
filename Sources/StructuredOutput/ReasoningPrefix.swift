/// Whether an answer may think before what is constrained: `<think>…</think>`, then the rest.
package enum ReasoningPrefix: Sendable, Hashable {
  /// The whole answer is constrained.
  case none
  /// The answer may begin with a thought.
  case allowed(ReasoningFormat)
  /// The prompt has opened the thought already; the answer begins within it.
  case open(ReasoningFormat)

  /// How thoughts are written where there may be one.
  package var format: ReasoningFormat? {
    switch self {
    case .none: nil
    case .allowed(let format), .open(let format): format
    }
  }
}

extension GrammarBuilder {
  /// `root`, after a thought where there may be one.
  mutating func adding(_ prefix: ReasoningPrefix, before root: Int) throws -> Int {
    guard let format = prefix.format else { return root }
    if format == .harmony { return try addingMessages(prefix, before: root) }
    guard let thought = try thought(through: format.closing),
      let lines = try text(.repeated(.literal("\n"), minimum: 0, maximum: 2))
    else { return root }
    let rest = [thought, lines, root]
    if case .open = prefix { return try sequence(rest) }
    return try choice([root, try sequence([try literals([format.opening])] + rest)])
  }

  /// `root`, after messages of gpt-oss's format that hold thoughts.
  private mutating func addingMessages(_ prefix: ReasoningPrefix, before root: Int) throws -> Int {
    guard let thought = try thought(through: HarmonyTag.end) else { return root }
    let next = try literals([HarmonyTag.assistant])
    let message = try sequence([try literals([ReasoningFormat.harmony.opening]), thought, next])
    let rest = [try loop(message, minimum: 0, maximum: nil), root]
    if case .open = prefix { return try sequence([thought, next] + rest) }
    return try sequence(rest)
  }

  /// Characters up to and including the first `closing`.
  private mutating func thought(through closing: String) throws -> Int? {
    let search = BytePattern.sequence([.many(.anyScalar), .literal(closing)])
    guard let automaton = try ByteAutomaton.make(search)?.stoppingAtFirstMatch() else { return nil }
    return try terminal(automaton)
  }

  /// An answer of a form, with what stands before it in the model's format.
  mutating func answer(_ form: ResponseFormat, after prefix: ReasoningPrefix) throws -> Int {
    let node = try node(of: form)
    guard prefix.format == .harmony else { return node }
    return try sequence([try literals([ReasoningFormat.harmony.closing]), node])
  }

  /// Text that may be anything, up to and including the first `tag`.
  mutating func freeText(through tag: String) throws -> Int? {
    let search = BytePattern.sequence([.many(.bytes(.all)), .literal(tag)])
    guard let text = try ByteAutomaton.make(search)?.stoppingAtFirstMatch() else { return nil }
    return try freeText(text, states: text.statesBeforeTag)
  }

  /// `root`, which may be any text, after a thought where there may be one.
  mutating func adding(_ prefix: ReasoningPrefix, beforeFree root: Int) throws -> Int {
    // Messages in channels are any text too, with tags that nothing else begins with.
    guard let format = prefix.format, format != .harmony, let thought = try freeText(through: format.closing) else {
      return root
    }
    if case .open = prefix { return try sequence([thought, root]) }
    return try choice([root, try sequence([try literals([format.opening]), thought, root])])
  }
}

extension ByteAutomaton {
  /// The states in which no byte of a tag has been read: the first, and the one after a byte that no tag has.
  var statesBeforeTag: Set<Int32> { [Self.start, next(Self.start, 0)] }
}
