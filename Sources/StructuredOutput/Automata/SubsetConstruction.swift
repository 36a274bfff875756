/// Builds a deterministic automaton from a pattern: Thompson's construction, then the subsets of its positions.
///
/// Repetitions are written out, so both steps are bounded; what is beyond the bounds is an error, never a long wait.
struct SubsetConstruction {
  /// A place in the nondeterministic automaton.
  private enum Position {
    case consume(ByteSet, next: Int32)
    case split([Int32])
    case atStart(next: Int32)
    case atEnd(next: Int32)
    case accept
  }

  private var positions: [Position] = []
  /// When each position was last visited.
  private var visits: [Int] = []
  private var round = 0
  /// Steps left.
  private(set) var work: Int

  init(work: Int) { self.work = work }

  mutating func automaton(of pattern: BytePattern) throws(ByteAutomaton.TooLarge) -> ByteAutomaton? {
    positions = [.accept]
    let entry = try add(pattern, before: 0)
    let (classes, representatives) = byteClasses()
    let start = try closure(of: [entry], isStart: true)
    var states = [start.consuming]
    var accepting = [start.accepts]
    // The first state may differ from a later one of the same positions in what it accepts.
    var index: [Subset: Int32] = [Subset(consuming: start.consuming, accepts: start.accepts): 0]
    var transitions: [Int32] = []
    var current = 0
    while current < states.count {
      for byte in representatives {
        var targets: [Int32] = []
        for position in states[current] {
          if case .consume(let set, let next) = positions[Int(position)], set.contains(byte) { targets.append(next) }
        }
        try spend(states[current].count)
        let reached = try closure(of: targets, isStart: false)
        guard !reached.consuming.isEmpty || reached.accepts else {
          transitions.append(-1)
          continue
        }
        let subset = Subset(consuming: reached.consuming, accepts: reached.accepts)
        if let known = index[subset] {
          transitions.append(known)
        } else {
          guard states.count < ByteAutomaton.Limit.states else { throw ByteAutomaton.TooLarge() }
          index[subset] = Int32(states.count)
          transitions.append(Int32(states.count))
          states.append(reached.consuming)
          accepting.append(reached.accepts)
        }
      }
      current += 1
    }
    return ByteAutomaton.trimmed(
      classes: classes, classCount: representatives.count, transitions: transitions, accepting: accepting)
  }

  private struct Subset: Hashable {
    let consuming: [Int32]
    let accepts: Bool
  }

  private mutating func spend(_ steps: Int) throws(ByteAutomaton.TooLarge) {
    work -= steps + 1
    guard work >= 0 else { throw ByteAutomaton.TooLarge() }
  }

  private mutating func append(_ position: Position) throws(ByteAutomaton.TooLarge) -> Int32 {
    guard positions.count < ByteAutomaton.Limit.positions else { throw ByteAutomaton.TooLarge() }
    positions.append(position)
    return Int32(positions.count - 1)
  }

  /// Adds a pattern that goes on at `next`; returns where it begins.
  private mutating func add(_ pattern: BytePattern, before next: Int32) throws(ByteAutomaton.TooLarge) -> Int32 {
    try spend(1)
    switch pattern {
    case .bytes(let set): return try append(.consume(set, next: next))
    case .sequence(let parts):
      var entry = next
      for part in parts.reversed() { entry = try add(part, before: entry) }
      return entry
    case .choice(let parts):
      var entries: [Int32] = []
      for part in parts { entries.append(try add(part, before: next)) }
      return entries.count == 1 ? entries[0] : try append(.split(entries))
    case .repeated(let part, let minimum, let maximum):
      var entry = next
      if let maximum {
        guard maximum >= minimum else { return try append(.split([])) }
        for _ in 0..<(maximum - minimum) {
          let body = try add(part, before: entry)
          entry = try append(.split([body, next]))
        }
      } else {
        entry = try append(.split([]))
        let body = try add(part, before: entry)
        positions[Int(entry)] = .split([body, next])
      }
      for _ in 0..<minimum { entry = try add(part, before: entry) }
      return entry
    case .atStart: return try append(.atStart(next: next))
    case .atEnd: return try append(.atEnd(next: next))
    }
  }

  /// The consuming positions reached without a byte, in ascending order, and whether the text may end there.
  private mutating func closure(
    of entries: [Int32], isStart: Bool
  ) throws(ByteAutomaton.TooLarge) -> (consuming: [Int32], accepts: Bool) {
    var consuming: [Int32] = []
    var accepts = false
    round += 2
    if visits.count < positions.count { visits = Array(repeating: 0, count: positions.count) }
    // A position past `atEnd` counts for acceptance alone: it is marked with `round`, the others with `round + 1`.
    var queue = entries.map { (position: $0, isEnd: false) }
    while let (position, isEnd) = queue.popLast() {
      guard visits[Int(position)] < (isEnd ? round : round + 1) else { continue }
      visits[Int(position)] = isEnd ? round : round + 1
      try spend(1)
      switch positions[Int(position)] {
      case .consume: if !isEnd { consuming.append(position) }
      case .split(let parts): for part in parts.reversed() { queue.append((part, isEnd)) }
      case .atStart(let next): if isStart { queue.append((next, isEnd)) }
      case .atEnd(let next): queue.append((next, true))
      case .accept: accepts = true
      }
    }
    consuming.sort()
    return (consuming, accepts)
  }

  /// Bytes that no position tells apart share a class; each class has a representative.
  private func byteClasses() -> (classes: [UInt8], representatives: [UInt8]) {
    var sets: Set<ByteSet> = []
    for case .consume(let set, _) in positions { sets.insert(set) }
    let ordered = Array(sets)
    var classes: [UInt8] = []
    var representatives: [UInt8] = []
    var numbers: [[Bool]: UInt8] = [:]
    for byte in UInt8.min...UInt8.max {
      let signature = ordered.map { $0.contains(byte) }
      if let number = numbers[signature] {
        classes.append(number)
      } else {
        numbers[signature] = UInt8(representatives.count)
        classes.append(UInt8(representatives.count))
        representatives.append(byte)
      }
    }
    return (classes, representatives)
  }
}
