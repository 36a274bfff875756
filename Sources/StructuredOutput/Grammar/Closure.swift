/// Collects the configurations that a step leads to.
struct Closure {
  let grammar: Grammar
  private var state = GrammarState()
  /// The same configurations, once there are too many to search one by one.
  private var known: Set<GrammarState.Configuration> = []
  private var expanded: Set<Expansion> = []
  private var popped: Set<Frame> = []
  /// What was done so far.
  private(set) var steps = 0
  /// What is still to be followed; a list rather than recursion, whose depth a schema could choose.
  private var pending: [Work] = []

  private enum Work {
    case expand(Int, under: Frame?)
    case pop(Frame?)
  }

  private struct Expansion: Hashable {
    let node: Int
    let frame: Frame?
  }

  /// Steps after which the work ends, whatever is left of it.
  private let limit: Int
  /// Whether it ended so.
  private(set) var isCut = false

  init(grammar: Grammar, limit: Int = .max) {
    self.grammar = grammar
    self.limit = limit
  }

  /// Begins `node`, with `frame` to follow.
  mutating func expand(_ node: Int, under frame: Frame?) {
    pending.append(.expand(node, under: frame))
    settle()
  }

  /// Goes on below a completed part.
  mutating func pop(_ frame: Frame?) {
    pending.append(.pop(frame))
    settle()
  }

  /// Follows `byte`.
  mutating func step(_ configuration: GrammarState.Configuration, by byte: UInt8) {
    let terminal = grammar.terminals[Int(configuration.terminal)]
    let next = terminal.automaton.next(configuration.state, byte)
    guard next >= 0 else { return }
    var (needed, room) = (configuration.needed, configuration.room)
    if terminal.length != nil {
      guard StandardAutomata.count(byte, from: configuration.state, to: next, needed: &needed, room: &room) else {
        return
      }
    }
    add(
      GrammarState.Configuration(
        terminal: configuration.terminal, state: next, needed: needed, room: room, parent: configuration.parent),
      of: terminal.automaton)
    settle()
  }

  private mutating func settle() {
    while let work = pending.popLast() {
      steps += 1
      if steps > limit {
        (isCut, pending) = (true, [])
        return
      }
      if steps > Grammar.maximumSteps, !state.isDead {
        pending = []
        return
      }
      switch work {
      case .expand(let node, let frame): begin(node, under: frame)
      case .pop(nil): state.accepts = true
      case .pop(let frame?):
        // What is below a frame goes on in the same way however often it is reached.
        guard popped.insert(frame).inserted else { continue }
        if case .loop = grammar.nodes[Int(frame.node)] {
          iterate(Int(frame.node), done: frame.position, above: frame.parents)
        } else {
          proceed(Int(frame.node), from: Int(frame.position), above: frame.parents)
        }
      }
    }
  }

  private mutating func begin(_ node: Int, under frame: Frame?) {
    guard grammar.heights[node] <= Grammar.maximumDepth - (frame?.depth ?? 0) else { return }
    switch grammar.nodes[node] {
    case .terminal(let terminal):
      let length = grammar.terminals[terminal].length
      add(
        GrammarState.Configuration(
          terminal: Int32(terminal), state: ByteAutomaton.start, needed: length?.minimum ?? 0,
          room: length?.maximum ?? .max, parent: frame), of: grammar.terminals[terminal].automaton)
    case .sequence: proceed(node, from: 0, above: [frame])
    case .choice(let parts):
      // A choice that leads back to itself has nothing new to offer.
      guard expanded.insert(Expansion(node: node, frame: frame)).inserted else { return }
      for part in parts { pending.append(.expand(part, under: frame)) }
    case .loop: iterate(node, done: 0, above: [frame])
    }
  }

  private mutating func add(_ configuration: GrammarState.Configuration, of automaton: ByteAutomaton) {
    if automaton.continues[Int(configuration.state)], isNew(configuration) {
      state.configurations.append(configuration)
    }
    if automaton.accepting[Int(configuration.state)] { pending.append(.pop(configuration.parent)) }
  }

  private mutating func isNew(_ configuration: GrammarState.Configuration) -> Bool {
    let count = state.configurations.count
    guard count >= 8 else { return !state.configurations.contains(configuration) }
    guard count < Grammar.maximumConfigurations else { return false }
    if known.isEmpty { known.formUnion(state.configurations) }
    return known.insert(configuration).inserted
  }

  private mutating func proceed(_ node: Int, from position: Int, above parents: [Frame?]) {
    guard case .sequence(let parts) = grammar.nodes[node], position < parts.count else {
      for parent in parents { pending.append(.pop(parent)) }
      return
    }
    if position == parts.count - 1 {
      for parent in parents { pending.append(.expand(parts[position], under: parent)) }
    } else {
      let rest = Frame(node: Int32(node), position: Int32(position + 1), parents: parents)
      pending.append(.expand(parts[position], under: rest))
    }
  }

  private mutating func iterate(_ node: Int, done: Int32, above parents: [Frame?]) {
    guard case .loop(let body, let minimum, let maximum) = grammar.nodes[node] else { return }
    if Int(done) >= minimum { for parent in parents { pending.append(.pop(parent)) } }
    if let maximum, Int(done) >= maximum { return }
    // Beyond the minimum an unbounded loop need not count.
    let next = maximum == nil ? min(Int(done) + 1, minimum) : Int(done) + 1
    pending.append(
      .expand(body, under: Frame(node: Int32(node), position: Int32(clamping: next), parents: parents)))
  }

  // MARK: The result

  /// A place at which a match may stand, whatever is below the frame.
  private struct Place: Hashable {
    let terminal, state, needed, room: Int32
    let node, position: Int32
  }

  /// The configurations that were reached; those at one place are one.
  consuming func finish() -> GrammarState {
    guard state.configurations.count > 1 else { return state }
    var places: [Place: Int] = [:]
    var merged = GrammarState(configurations: [], accepts: state.accepts)
    for configuration in state.configurations {
      guard let parent = configuration.parent else {
        merged.configurations.append(configuration)
        continue
      }
      let place = Place(
        terminal: configuration.terminal, state: configuration.state, needed: configuration.needed,
        room: configuration.room, node: parent.node, position: parent.position)
      guard let index = places[place], let known = merged.configurations[index].parent else {
        places[place] = merged.configurations.count
        merged.configurations.append(configuration)
        continue
      }
      merged.configurations[index] = GrammarState.Configuration(
        terminal: configuration.terminal, state: configuration.state, needed: configuration.needed,
        room: configuration.room, parent: known.merged(with: parent))
    }
    return merged
  }
}
