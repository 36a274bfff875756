/// A deterministic finite automaton over bytes. Every state can reach an accepting one.
///
/// An object, so that what is derived from it can be kept under its identity.
final class ByteAutomaton: Sendable {
  /// The class of each byte: bytes of one class are never told apart.
  let classes: [UInt8]
  let classCount: Int
  /// State after `state` and a byte of class `c`, at `state * classCount + c`; −1 where the text cannot go on so.
  let transitions: [Int32]
  let accepting: [Bool]
  /// Whether any byte can follow.
  let continues: [Bool]
  /// The only byte that can follow, where there is just one.
  let onlyByte: [UInt8?]

  /// The first state.
  static let start: Int32 = 0

  var stateCount: Int { accepting.count }

  private init(classes: [UInt8], classCount: Int, transitions: [Int32], accepting: [Bool]) {
    self.classes = classes
    self.classCount = classCount
    self.transitions = transitions
    self.accepting = accepting
    var members = Array(repeating: (count: 0, byte: UInt8(0)), count: classCount)
    for byte in UInt8.min...UInt8.max {
      members[Int(classes[Int(byte)])].count += 1
      members[Int(classes[Int(byte)])].byte = byte
    }
    var (continues, onlyByte): ([Bool], [UInt8?]) = ([], [])
    for state in accepting.indices {
      var (count, only) = (0, UInt8(0))
      for index in 0..<classCount where transitions[state * classCount + index] >= 0 {
        count += members[index].count
        only = members[index].byte
      }
      continues.append(count > 0)
      onlyByte.append(count == 1 ? only : nil)
    }
    self.continues = continues
    self.onlyByte = onlyByte
  }

  /// Bytes of the longest text; `nil` when there is no longest one.
  var longestText: Int? {
    var sources = Array(repeating: 0, count: stateCount)
    for next in transitions where next >= 0 { sources[Int(next)] += 1 }
    // A state is done once all that lead to it are; states of a cycle never are.
    var longest = Array(repeating: 0, count: stateCount)
    var queue = sources.indices.filter { sources[$0] == 0 }
    var done = 0
    while let state = queue.popLast() {
      done += 1
      for next in transitions[state * classCount..<(state + 1) * classCount] where next >= 0 {
        longest[Int(next)] = max(longest[Int(next)], longest[state] + 1)
        sources[Int(next)] -= 1
        if sources[Int(next)] == 0 { queue.append(Int(next)) }
      }
    }
    return done == stateCount ? longest.max() : nil
  }

  /// The state after `byte`, or −1.
  func next(_ state: Int32, _ byte: UInt8) -> Int32 {
    transitions[Int(state) * classCount + Int(classes[Int(byte)])]
  }

  /// Whether the automaton accepts `text`.
  func matches(_ text: some Sequence<UInt8>) -> Bool {
    var state = Self.start
    for byte in text {
      state = next(state, byte)
      if state < 0 { return false }
    }
    return accepting[Int(state)]
  }

  /// Bounds on what may be built.
  enum Limit {
    static let states = 20_000
    /// States of a list of constants.
    static let literalStates = 60_000
    /// States of the nondeterministic automaton in between.
    static let positions = 60_000
    /// Steps of the subset construction.
    static let work = 6_000_000
  }

  /// An automaton that would be larger than the limits allow.
  struct TooLarge: Error {}

  /// Accepts the empty text only.
  static let empty = ByteAutomaton(
    classes: Array(repeating: 0, count: 256), classCount: 1, transitions: [-1], accepting: [true])

  /// The automaton of `pattern`; `nil` when nothing matches it.
  static func make(_ pattern: BytePattern) throws(TooLarge) -> ByteAutomaton? {
    var work = Limit.work
    return try make(pattern, work: &work)
  }

  /// Accepts these texts and no others; made in time linear in their length.
  static func literals(_ texts: some Sequence<String>) throws(TooLarge) -> ByteAutomaton? {
    var classes = Array(repeating: UInt8(0), count: 256)
    var classCount = 1
    for text in texts {
      for byte in text.utf8 where classes[Int(byte)] == 0 {
        classes[Int(byte)] = UInt8(clamping: classCount)
        classCount += 1
      }
    }
    var transitions = Array(repeating: Int32(-1), count: classCount)
    var accepting = [false]
    for text in texts {
      var state = 0
      for byte in text.utf8 {
        let place = state * classCount + Int(classes[Int(byte)])
        if transitions[place] < 0 {
          guard accepting.count < Limit.literalStates else { throw TooLarge() }
          transitions[place] = Int32(accepting.count)
          accepting.append(false)
          transitions += Array(repeating: -1, count: classCount)
        }
        state = Int(transitions[place])
      }
      accepting[state] = true
    }
    return trimmed(classes: classes, classCount: classCount, transitions: transitions, accepting: accepting)
  }

  /// Accepts the texts that this automaton accepts and whose beginnings it does not.
  func stoppingAtFirstMatch() -> ByteAutomaton {
    var transitions = transitions
    for state in 0..<stateCount where accepting[state] {
      for index in 0..<classCount { transitions[state * classCount + index] = -1 }
    }
    return Self.trimmed(classes: classes, classCount: classCount, transitions: transitions, accepting: accepting)
      ?? self
  }

  /// The same with at most `work` steps, which what is taken is subtracted from.
  static func make(_ pattern: BytePattern, work: inout Int) throws(TooLarge) -> ByteAutomaton? {
    var construction = SubsetConstruction(work: work)
    defer { work = construction.work }
    return try construction.automaton(of: pattern)
  }

  /// Accepts what this automaton accepts, within double quotes. None of those texts holds a quote that is not escaped.
  func quoted() -> ByteAutomaton {
    let quote = UInt8(ascii: "\"")
    // The quote gets a class of its own; state `i` becomes `i + 1`, after the first and before the last.
    var classes = classes
    let (quoteClass, count) = (UInt8(clamping: classCount), classCount + 1)
    classes[Int(quote)] = quoteClass
    let last = Int32(stateCount + 1)
    var transitions = Array(repeating: Int32(-1), count: (stateCount + 2) * count)
    transitions[Int(quoteClass)] = 1
    for state in 0..<stateCount {
      let place = (state + 1) * count
      for index in 0..<classCount {
        let next = self.transitions[state * classCount + index]
        if next >= 0 { transitions[place + index] = next + 1 }
      }
      let escaped = next(Int32(state), quote)
      transitions[place + Int(quoteClass)] = escaped >= 0 ? escaped + 1 : accepting[state] ? last : -1
    }
    let accepted = Array(repeating: false, count: stateCount + 1) + [true]
    return ByteAutomaton(classes: classes, classCount: count, transitions: transitions, accepting: accepted)
  }

  /// The automaton of the texts that `accepts` says yes to, given whether the first and the second accept them. Texts
  /// that neither accepts are never among them.
  static func combine(
    _ first: ByteAutomaton, _ second: ByteAutomaton, accepts: (Bool, Bool) -> Bool
  ) throws(TooLarge) -> ByteAutomaton? {
    var work = Limit.work
    return try combine(first, second, work: &work, accepts: accepts)
  }

  /// The same with at most `work` steps, which what is taken is subtracted from.
  static func combine(
    _ first: ByteAutomaton, _ second: ByteAutomaton, work: inout Int, accepts: (Bool, Bool) -> Bool
  ) throws(TooLarge) -> ByteAutomaton? {
    // Classes of pairs.
    var classes: [UInt8] = []
    var numbers: [SIMD2<UInt8>: UInt8] = [:]
    var representatives: [UInt8] = []
    for byte in UInt8.min...UInt8.max {
      let pair = SIMD2(first.classes[Int(byte)], second.classes[Int(byte)])
      if let number = numbers[pair] {
        classes.append(number)
      } else {
        let number = UInt8(representatives.count)
        numbers[pair] = number
        representatives.append(byte)
        classes.append(number)
      }
    }
    var states = [SIMD2<Int32>(0, 0)]
    var index: [SIMD2<Int32>: Int32] = [states[0]: 0]
    var transitions: [Int32] = []
    var accepting: [Bool] = []
    var current = 0
    while current < states.count {
      let state = states[current]
      work -= representatives.count
      guard work >= 0 else { throw TooLarge() }
      accepting.append(
        accepts(
          state[0] >= 0 && first.accepting[Int(state[0])], state[1] >= 0 && second.accepting[Int(state[1])]))
      for byte in representatives {
        let next = SIMD2(
          state[0] >= 0 ? first.next(state[0], byte) : -1, state[1] >= 0 ? second.next(state[1], byte) : -1)
        if next == SIMD2(-1, -1) {
          transitions.append(-1)
        } else if let known = index[next] {
          transitions.append(known)
        } else {
          guard states.count < Limit.states else { throw TooLarge() }
          index[next] = Int32(states.count)
          transitions.append(Int32(states.count))
          states.append(next)
        }
      }
      current += 1
    }
    return trimmed(
      classes: classes, classCount: representatives.count, transitions: transitions, accepting: accepting)
  }

  /// The automaton without the states from which no accepting one can be reached; `nil` when the first is among them.
  static func trimmed(
    classes: [UInt8], classCount: Int, transitions: [Int32], accepting: [Bool]
  ) -> ByteAutomaton? {
    var sources: [[Int32]] = Array(repeating: [], count: accepting.count)
    for state in accepting.indices {
      for place in state * classCount..<(state + 1) * classCount where transitions[place] >= 0 {
        sources[Int(transitions[place])].append(Int32(state))
      }
    }
    var isLive = accepting
    var queue = accepting.indices.filter { accepting[$0] }
    while let state = queue.popLast() {
      for source in sources[state] where !isLive[Int(source)] {
        isLive[Int(source)] = true
        queue.append(Int(source))
      }
    }
    guard isLive.first == true else { return nil }
    var numbers: [Int32] = []
    var count: Int32 = 0
    for live in isLive {
      numbers.append(live ? count : -1)
      if live { count += 1 }
    }
    var kept: [Int32] = []
    for state in accepting.indices where isLive[state] {
      for place in state * classCount..<(state + 1) * classCount {
        kept.append(transitions[place] < 0 ? -1 : numbers[Int(transitions[place])])
      }
    }
    return ByteAutomaton(
      classes: classes, classCount: classCount, transitions: kept,
      accepting: accepting.indices.filter { isLive[$0] }.map { accepting[$0] })
  }
}
