/// A language of texts: automata joined by sequence, choice, repetition and recursion.
///
/// Nodes refer to each other by number, so a node may contain itself; a text is matched with a stack of `Frame`s. Every
/// node of a finished grammar matches at least one finite text, so a match that is under way can always be finished.
final class Grammar: Sendable {
  enum Node: Sendable {
    case terminal(Int)
    case sequence([Int])
    case choice([Int])
    /// `body` from `minimum` to `maximum` times; `nil` for any number.
    case loop(body: Int, minimum: Int, maximum: Int?)
  }

  /// A text that an automaton matches, or a JSON string with bounds on its length.
  struct Terminal: Sendable {
    let automaton: ByteAutomaton
    /// Bounds on the number of characters of a string, for `StandardAutomata.string` alone.
    var length: Length?
  }

  struct Length: Sendable, Hashable {
    let minimum: Int32
    let maximum: Int32
  }

  let nodes: [Node]
  let terminals: [Terminal]
  let root: Int
  /// States of terminals in which nothing has begun that restricts what may come: text as any other.
  let freeStates: [Int32: Set<Int32>]
  /// For each node how many frames a match pushes at least; what exceeds the limit on depth is never begun.
  let heights: [Int]

  /// Most frames of one stack: bounds how deep the text can nest. An array or object takes at least one.
  static let maximumDepth = 120
  /// Most ways to go on that are followed at once; further ones are not begun.
  static let maximumConfigurations = 2_048
  /// Most steps that following one byte takes; ways to go on that are found later are not begun, but for the first.
  static let maximumSteps = 16_384

  /// A grammar of these nodes; `nil` when no finite text (within the limit on depth) matches the root.
  ///
  /// - Parameter canWrite: whether there are tokens for what a terminal stands for; others never begin.
  init?(
    nodes: [Node], terminals: [Terminal], root: Int, freeStates: [Int32: Set<Int32>] = [:],
    canWrite: (Terminal) -> Bool = { _ in true }
  ) {
    self.nodes = nodes
    self.freeStates = freeStates
    self.terminals = terminals
    self.root = root
    let isWritten = terminals.map(canWrite)
    heights = Self.heights(of: nodes) { isWritten[$0] }
    guard heights[root] <= Self.maximumDepth else { return nil }
  }

  /// Where a match begins.
  var start: GrammarState {
    var closure = Closure(grammar: self)
    closure.expand(root, under: nil)
    return closure.finish()
  }

  /// Where a match goes on after `byte`; a state without configurations that accepts nothing when it cannot.
  func advance(_ state: GrammarState, by byte: UInt8) -> GrammarState {
    var closure = Closure(grammar: self)
    for configuration in state.configurations { closure.step(configuration, by: byte) }
    return closure.finish()
  }

  /// The same, and the steps that it took; `nil` when they would be more than `limit`.
  func step(from state: GrammarState, by byte: UInt8, within limit: Int) -> (state: GrammarState, steps: Int)? {
    guard state.configurations.count < limit else { return nil }
    var closure = Closure(grammar: self, limit: limit - state.configurations.count)
    for configuration in state.configurations where !closure.isCut { closure.step(configuration, by: byte) }
    if closure.isCut { return nil }
    let steps = closure.steps + state.configurations.count
    return (closure.finish(), steps)
  }

  /// Where a match goes on once the terminal under way above `frame` is complete, and the steps that finding it took;
  /// `nil` when they would be more than `limit`.
  func state(after frame: Frame?, within limit: Int) -> (state: GrammarState, steps: Int)? {
    var closure = Closure(grammar: self, limit: limit)
    closure.pop(frame)
    let steps = closure.steps
    return closure.isCut ? nil : (closure.finish(), steps)
  }

  /// Whether any token may come next, also one that is no text.
  func isFree(_ state: GrammarState) -> Bool {
    guard !freeStates.isEmpty else { return false }
    // What a token broke that began something and went on otherwise is free for good.
    if state.isDead { return true }
    return !state.configurations.isEmpty
      && state.configurations.allSatisfy { freeStates[$0.terminal]?.contains($0.state) ?? false }
  }

  /// Whether what comes next may still be text as any other, although something may have begun that restricts it.
  func isText(_ state: GrammarState) -> Bool {
    !freeStates.isEmpty && state.configurations.contains { freeStates[$0.terminal] != nil }
  }

  /// The least numbers of frames; `Int.max` for what never ends, or needs more than `maximumDepth`.
  ///
  /// Heights are settled from the least on (Knuth 1977, "A generalization of Dijkstra's algorithm"): a node's height is
  /// never below those that it follows from, so each node is settled once.
  private static func heights(of nodes: [Node], canWrite: (Int) -> Bool) -> [Int] {
    var users: [[Int]] = Array(repeating: [], count: nodes.count)
    /// Parts of each sequence that are not settled, and what those settled come to.
    var unsettled = Array(repeating: 0, count: nodes.count)
    var heights = Array(repeating: Int.max, count: nodes.count)
    var due: [[Int]] = Array(repeating: [], count: maximumDepth + 1)
    for (index, node) in nodes.enumerated() {
      switch node {
      case .terminal(let terminal): if canWrite(terminal) { due[0].append(index) }
      case .choice(let parts): for part in parts { users[part].append(index) }
      case .sequence(let parts):
        unsettled[index] = parts.count
        for part in parts { users[part].append(index) }
        if parts.isEmpty { due[0].append(index) }
      case .loop(let body, let minimum, _):
        users[body].append(index)
        if minimum == 0 { due[0].append(index) }
      }
    }
    for height in due.indices {
      while let index = due[height].popLast() {
        guard heights[index] == .max else { continue }
        heights[index] = height
        for user in users[index] where heights[user] == .max {
          let reached: Int
          switch nodes[user] {
          case .terminal: continue
          case .choice: reached = height
          case .loop: reached = height + 1
          case .sequence(let parts):
            unsettled[user] -= 1
            guard unsettled[user] == 0 else { continue }
            // All but the last part lie above a frame of the sequence's own; the least settled is the last to come.
            let last = heights[parts[parts.count - 1]]
            let others = parts.dropLast().map { heights[$0] + 1 }.max() ?? 0
            reached = max(last, others)
          }
          if reached <= maximumDepth { due[reached].append(user) }
        }
      }
    }
    return heights
  }
}
