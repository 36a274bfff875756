internal import Tokenization

/// Writes down a grammar's nodes.
struct GrammarBuilder {
  private var nodes: [Grammar.Node] = []
  private var terminals: [Grammar.Terminal] = []
  private var standard: [ObjectIdentifier: Int] = [:]
  private var transitions = 0
  private var freeStates: [Int32: Set<Int32>] = [:]
  /// Steps that making the grammar may take.
  let budget: WorkBudget

  init(budget: WorkBudget) { self.budget = budget }

  enum Limit {
    static let nodes = 200_000
    /// Of all automata together.
    static let transitions = 4_000_000
  }

  struct TooLarge: Error {}

  mutating func add(_ node: Grammar.Node) throws(TooLarge) -> Int {
    guard nodes.count < Limit.nodes else { throw TooLarge() }
    nodes.append(node)
    return nodes.count - 1
  }

  /// A node to be filled in later, for recursion; matches nothing until then.
  mutating func reserve() throws(TooLarge) -> Int { try add(.choice([])) }

  mutating func fill(_ reserved: Int, with node: Int) { nodes[reserved] = .choice([node]) }

  mutating func terminal(_ automaton: ByteAutomaton, length: Grammar.Length? = nil) throws(TooLarge) -> Int {
    if length == nil, let known = standard[ObjectIdentifier(automaton)] { return known }
    transitions += automaton.transitions.count
    guard transitions <= Limit.transitions else { throw TooLarge() }
    terminals.append(Grammar.Terminal(automaton: automaton, length: length))
    let node = try add(.terminal(terminals.count - 1))
    if length == nil { standard[ObjectIdentifier(automaton)] = node }
    return node
  }

  /// Text in which something may begin that restricts what follows, such as a tag.
  ///
  /// - Parameter states: those in which nothing has begun.
  mutating func freeText(_ automaton: ByteAutomaton, states: Set<Int32>) throws(TooLarge) -> Int {
    let node = try terminal(automaton)
    freeStates[Int32(terminals.count - 1)] = states
    return node
  }

  /// The text of `pattern`; `nil` when nothing matches it.
  mutating func text(_ pattern: BytePattern) throws -> Int? {
    try ByteAutomaton.make(pattern).map { automaton throws(TooLarge) in try terminal(automaton) }
  }

  /// One of some texts; nothing when there are none.
  mutating func literals(_ texts: [String]) throws -> Int {
    guard let automaton = try ByteAutomaton.literals(texts) else { return try choice([]) }
    return try terminal(automaton)
  }

  mutating func sequence(_ parts: [Int]) throws(TooLarge) -> Int {
    parts.count == 1 ? parts[0] : try add(.sequence(parts))
  }

  mutating func choice(_ parts: [Int]) throws(TooLarge) -> Int { parts.count == 1 ? parts[0] : try add(.choice(parts)) }

  mutating func loop(_ body: Int, minimum: Int, maximum: Int?) throws(TooLarge) -> Int {
    try add(.loop(body: body, minimum: minimum, maximum: maximum))
  }

  /// The grammar of texts that match `root` and that `vocabulary` has tokens for; `nil` when there are none.
  func grammar(root: Int, vocabulary: TokenVocabulary) -> Grammar? {
    Grammar(nodes: nodes, terminals: terminals, root: root, freeStates: freeStates) { vocabulary.canWrite($0) }
  }
}
