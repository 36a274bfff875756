package import Tokenization

/// The KV blocks of a runner, and its slots for recurrent states: who holds which, and what those that nobody holds still
/// contain.
///
/// The pool only keeps count; the runner keeps the memory. A full block can be found again by the tokens up to its end
/// and held by several sequences. It is not forgotten when the last of them lets go of it, but when it is handed out
/// anew, the one let go of first before the others.
package struct BlockPool: Sendable {
  /// Number of blocks in all.
  package let capacity: Int
  /// Positions per block.
  package let blockSize: Int
  /// Slots for recurrent states; 0 where sequences have none.
  package let stateSlots: Int
  /// What layers with a window have memory for; `nil` where theirs is that of all layers.
  package let windows: WindowLimits?
  /// Blocks that nobody holds.
  package private(set) var freeCount: Int

  /// By block: how many sequences hold it.
  private var holders: [Int32]
  /// By block: changes whenever it becomes free or is taken, so that old places in the queue are recognised.
  private var stamps: [UInt32]
  /// Free blocks that hold nothing to be found again; the last is handed out next, before all others.
  private var blank: [Int32]
  /// The other free blocks in the order in which they became free, and places that are no longer true.
  private var queue: [(block: Int32, stamp: UInt32)] = []
  private var head = 0
  private var prefixes: [PrefixKey: Prefix] = [:]
  /// By block: under what it can be found.
  private var keys: [PrefixKey?]
  private var lastSerial: UInt64 = 0
  private var states: StateSlots
  private var windowSlots: WindowSlots

  /// What a full block contains: its tokens, after a certain prefix. Tokens are compared, so nothing can collide.
  private struct PrefixKey: Hashable {
    /// The prefix before it; 0 for none.
    let prefix: UInt64
    let tokens: [TokenID]
  }

  private struct Prefix {
    let block: Int32
    /// Names the prefix that ends with the block; never used again.
    let serial: UInt64
  }

  /// A pool of blocks `0..<capacity` and of slots `0..<stateSlots`, all free.
  package init(capacity: Int, blockSize: Int, stateSlots: Int = 0, windows: WindowLimits? = nil) {
    self.capacity = capacity
    self.blockSize = blockSize
    self.stateSlots = stateSlots
    self.windows = windows
    states = StateSlots(count: stateSlots)
    windowSlots = WindowSlots(count: windows?.slots ?? 0, blockCount: windows == nil ? 0 : capacity)
    freeCount = capacity
    holders = Array(repeating: 0, count: capacity)
    stamps = Array(repeating: 0, count: capacity)
    keys = Array(repeating: nil, count: capacity)
    blank = (0..<Int32(capacity)).reversed()
  }

  /// Share of the blocks in use, 0 to 1.
  package var usage: Double { capacity == 0 ? 0 : 1 - Double(freeCount) / Double(capacity) }

  /// Lengthens `table` so that it covers `positions` positions; takes nothing when there are not enough blocks.
  ///
  /// - Returns: whether the table now covers them.
  package mutating func reserve(_ positions: Int, in table: inout BlockTable) -> Bool {
    let missing = (positions + blockSize - 1) / blockSize - table.blocks.count
    guard missing > 0 else { return true }
    guard missing <= freeCount, windows == nil || missing <= windowSlots.availableCount else { return false }
    for _ in 0..<missing {
      let block = take()
      table.blocks.append(block)
      if windows != nil { windowSlots.take(for: block) }
    }
    return true
  }

  /// Takes back every block of `table` that lies wholly past the first `positions` positions.
  package mutating func truncate(_ table: inout BlockTable, to positions: Int) {
    let kept = (positions + blockSize - 1) / blockSize
    // The end of a sequence goes first: its beginning is more likely to be wanted again.
    while table.blocks.count > kept {
      let block = table.blocks.removeLast()
      if windows != nil, table.blocks.count >= table.firstNeeded { letGo(block) }
      release(block)
    }
    table.firstNeeded = min(table.firstNeeded, table.blocks.count)
    if table.findable > kept { (table.findable, table.prefix) = (0, 0) }
  }

  /// Gives an empty `table` the blocks that hold the beginning of `tokens`, as far as there are such, and where sequences
  /// have states, as far as the last that has one. Where layers have a window, what the next position sees is there too.
  ///
  /// At least one token is left over: somebody has to compute the logits.
  ///
  /// - Returns: positions covered, a multiple of the block size.
  package mutating func adopt(_ tokens: some RandomAccessCollection<TokenID>, in table: inout BlockTable) -> Int {
    precondition(table.blocks.isEmpty)
    var (rest, last) = (tokens[...], UInt64(0))
    var found: [Prefix] = []
    while rest.count > blockSize,
      let next = prefixes[PrefixKey(prefix: last, tokens: Array(rest.prefix(blockSize)))]
    {
      found.append(next)
      last = next.serial
      rest = rest.dropFirst(blockSize)
    }
    found.removeLast(found.count - reach(of: found.map(\.block)))
    for next in found {
      if holders[Int(next.block)] == 0 {
        stamps[Int(next.block)] &+= 1
        freeCount -= 1
      }
      holders[Int(next.block)] += 1
      table.blocks.append(next.block)
      table.prefix = next.serial
    }
    table.findable = table.blocks.count
    if let windows {
      table.firstNeeded = windows.firstBlock(for: table.blocks.count * blockSize, blockSize: blockSize)
      for block in table.blocks[table.firstNeeded...] { windowSlots.need(block) }
    }
    return table.blocks.count * blockSize
  }

  /// How many of the first of `blocks` can be gone on from.
  private func reach(of blocks: [Int32]) -> Int {
    var reach = blocks.count
    while reach > 0 {
      if stateSlots > 0 { reach = states.reach(of: Array(blocks[..<reach])) }
      guard let windows else { return reach }
      let needed = windows.firstBlock(for: reach * blockSize, blockSize: blockSize)..<reach
      guard needed.contains(where: { windowSlots.slot(of: blocks[$0]) == nil }) else { return reach }
      reach -= 1
    }
    return 0
  }

  /// Makes the full blocks of `table` findable.
  ///
  /// - Parameters:
  ///   - computed: positions whose keys and values are there.
  ///   - tokens: those of the positions, and maybe more.
  package mutating func publish(_ table: inout BlockTable, computed: Int, tokens: [TokenID]) {
    while (table.findable + 1) * blockSize <= computed {
      let first = table.findable * blockSize
      let key = PrefixKey(prefix: table.prefix, tokens: Array(tokens[first..<first + blockSize]))
      if let known = prefixes[key] {
        // Somebody else computed the same at the same time; one of the two is enough.
        table.prefix = known.serial
      } else {
        lastSerial += 1
        let block = table.blocks[table.findable]
        prefixes[key] = Prefix(block: block, serial: lastSerial)
        keys[Int(block)] = key
        table.prefix = lastSerial
      }
      table.findable += 1
    }
  }

  // MARK: - Layers with a window

  /// Blocks of layers with a window that can be had.
  package var freeWindowSlots: Int { windowSlots.availableCount }

  /// Where layers with a window have the blocks of `table`: none of those that no row sees any more.
  package func windowBlocks(of table: BlockTable) -> [Int32] {
    guard windows != nil else { return [] }
    return table.blocks.enumerated().map { index, block in
      index < table.firstNeeded ? -1 : windowSlots.slot(of: block) ?? -1
    }
  }

  /// Lets go of what layers with a window have of blocks of which the row at `position`, and all after it, see nothing.
  package mutating func advance(_ table: inout BlockTable, to position: Int) {
    guard let windows else { return }
    let first = min(windows.firstBlock(for: position, blockSize: blockSize), table.blocks.count)
    while table.firstNeeded < first {
      letGo(table.blocks[table.firstNeeded])
      table.firstNeeded += 1
    }
  }

  private mutating func letGo(_ block: Int32) {
    windowSlots.letGo(block, isFindable: keys[Int(block)] != nil)
  }

  // MARK: - Recurrent states

  /// A slot that nobody uses; one that is kept only to be found again, if need be.
  package mutating func takeState() -> Int32? { states.take() }

  /// Gives a slot back.
  package mutating func releaseState(_ slot: Int32) { states.release(slot) }

  /// The state after the blocks that an adopting `table` has, which stays where it is until `unpinState`.
  package mutating func pinState(after table: BlockTable) -> Int32? {
    table.blocks.last.flatMap { states.pin(of: $0) }
  }

  /// A sequence no longer reads a state that it found.
  package mutating func unpinState(_ slot: Int32) { states.unpin(slot) }

  /// Keeps a state to be found again, with the block that ends where it belongs; gives it back where nobody would find it.
  ///
  /// - Parameter positions: those that the state has seen.
  package mutating func keepState(_ slot: Int32, after positions: Int, in table: BlockTable) {
    let index = positions / blockSize - 1
    guard positions > 0, positions % blockSize == 0, index < table.findable, keys[Int(table.blocks[index])] != nil
    else { return states.release(slot) }
    states.keep(slot, of: table.blocks[index])
  }

  private mutating func take() -> Int32 {
    if let block = blank.popLast() {
      holders[Int(block)] = 1
      freeCount -= 1
      return block
    }
    while true {
      let (block, stamp) = queue[head]
      head += 1
      guard stamps[Int(block)] == stamp else { continue }
      if head > 64, head * 2 > queue.count {
        queue.removeFirst(head)
        head = 0
      }
      stamps[Int(block)] &+= 1
      if let key = keys[Int(block)] {
        prefixes[key] = nil
        keys[Int(block)] = nil
        states.forget(block)
        if windows != nil { windowSlots.forget(block) }
      }
      holders[Int(block)] = 1
      freeCount -= 1
      return block
    }
  }

  private mutating func release(_ block: Int32) {
    holders[Int(block)] -= 1
    guard holders[Int(block)] == 0 else { return }
    freeCount += 1
    guard keys[Int(block)] != nil else { return blank.append(block) }
    stamps[Int(block)] &+= 1
    queue.append((block, stamps[Int(block)]))
  }
}

/// The KV blocks of one sequence, in the order of its positions.
package struct BlockTable: Sendable, Equatable {
  /// Position `p` lives in `blocks[p / blockSize]`.
  package fileprivate(set) var blocks: [Int32] = []
  /// How many of the first blocks can be found by their tokens.
  fileprivate var findable = 0
  /// Names the prefix that they hold.
  fileprivate var prefix: UInt64 = 0
  /// Of layers with a window those of the first blocks are let go of.
  fileprivate var firstNeeded = 0

  /// A table that covers nothing.
  package init() {}
}
