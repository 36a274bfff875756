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
  static let maximumConfigurations = 4_096

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
    return closure.state
  }

  /// Where a match goes on after `byte`; a state without configurations that accepts nothing when it cannot.
  func advance(_ state: GrammarState, by byte: UInt8) -> GrammarState {
    var closure = Closure(grammar: self)
    for configuration in state.configurations { closure.step(configuration, by: byte) }
    return closure.state
  }

  /// Where a match goes on once the terminal under way above `frame` is complete.
  func state(after frame: Frame?) -> GrammarState {
    var closure = Closure(grammar: self)
    closure.pop(frame)
    return closure.state
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

  /// The least numbers of frames; `Int.max` for what never ends.
  private static func heights(of nodes: [Node], canWrite: (Int) -> Bool) -> [Int] {
    var users: [[Int]] = Array(repeating: [], count: nodes.count)
    for (index, node) in nodes.enumerated() {
      switch node {
      case .terminal: break
      case .sequence(let parts), .choice(let parts): for part in parts { users[part].append(index) }
      case .loop(let body, _, _): users[body].append(index)
      }
    }
    var heights = Array(repeating: Int.max, count: nodes.count)
    var queue = Array(nodes.indices.reversed())
    while let index = queue.popLast() {
      let height: Int
      switch nodes[index] {
      case .terminal(let terminal): height = canWrite(terminal) ? 0 : .max
      case .choice(let parts): height = parts.map { heights[$0] }.min() ?? .max
      case .loop(let body, let minimum, _): height = minimum == 0 ? 0 : above(heights[body])
      case .sequence(let parts):
        height = parts.enumerated().map { $0 == parts.count - 1 ? heights[$1] : above(heights[$1]) }.max() ?? 0
      }
      if height < heights[index] {
        heights[index] = height
        queue += users[index]
      }
    }
    return heights
  }

  private static func above(_ height: Int) -> Int { height == .max ? .max : height + 1 }
}
