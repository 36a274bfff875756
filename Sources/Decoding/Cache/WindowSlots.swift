/// How a pool keeps count of the memory of layers that have a window.
package struct WindowLimits: Sendable, Equatable {
  /// Positions that a row of such a layer sees, its own included; the most of any layer.
  package let window: Int
  /// Blocks of such layers that there is memory for.
  package let slots: Int

  /// - Parameter slots: at least `leastSlots`, or one sequence could not go on.
  package init(window: Int, slots: Int) { (self.window, self.slots) = (window, slots) }

  /// What one sequence holds at most while a pass brings `rows` rows of it.
  package static func leastSlots(window: Int, rows: Int, blockSize: Int) -> Int {
    (window - 1 + rows + blockSize - 1) / blockSize + 1
  }

  /// The first block of which the row at `position`, or one after it, sees anything.
  func firstBlock(for position: Int, blockSize: Int) -> Int { max(0, position + 1 - window) / blockSize }
}

/// Where layers with a window have the keys and values of blocks: of those alone that some row may still see, and of others
/// as long as nobody wants their place.
///
/// A slot belongs to a block of the pool, which holds the same positions for layers that see everything. Sequences that share
/// a block share its slot.
struct WindowSlots: Sendable {
  /// Slots that belong to no block.
  private var free: [Int32]
  /// By block its slot; `nil` where it has none.
  private var slots: [Int32?]
  /// By block: how many sequences need its slot.
  private var needs: [Int32]
  /// By block: changes whenever its slot is needed or no longer so, so that old places in the queue are recognised.
  private var stamps: [UInt32]
  /// Blocks whose slots nobody needs, in the order in which they were let go, and places that are no longer true.
  private var queue: [(block: Int32, stamp: UInt32)] = []
  private var head = 0
  /// Slots that can be taken.
  private(set) var availableCount: Int

  init(count: Int, blockCount: Int) {
    free = (0..<Int32(count)).reversed()
    slots = Array(repeating: nil, count: blockCount)
    needs = Array(repeating: 0, count: blockCount)
    stamps = Array(repeating: 0, count: blockCount)
    availableCount = count
  }

  /// The slot of a block.
  func slot(of block: Int32) -> Int32? { slots[Int(block)] }

  /// Whether somebody needs the block's slot.
  func isNeeded(_ block: Int32) -> Bool { needs[Int(block)] > 0 }

  /// Gives a block, that has none, a slot for a sequence that needs it; there has to be one.
  mutating func take(for block: Int32) {
    precondition(slots[Int(block)] == nil && availableCount > 0)
    availableCount -= 1
    needs[Int(block)] = 1
    if let slot = free.popLast() {
      slots[Int(block)] = slot
      return
    }
    while true {
      let (idle, stamp) = queue[head]
      head += 1
      guard stamps[Int(idle)] == stamp else { continue }
      trim()
      stamps[Int(idle)] &+= 1
      slots[Int(block)] = slots[Int(idle)]
      slots[Int(idle)] = nil
      return
    }
  }

  /// One more sequence needs the slot that a block has.
  mutating func need(_ block: Int32) {
    precondition(slots[Int(block)] != nil)
    if needs[Int(block)] == 0 {
      stamps[Int(block)] &+= 1
      availableCount -= 1
    }
    needs[Int(block)] += 1
  }

  /// A sequence no longer needs a block's slot.
  ///
  /// - Parameter isFindable: whether somebody may want it later.
  mutating func letGo(_ block: Int32, isFindable: Bool) {
    needs[Int(block)] -= 1
    guard needs[Int(block)] == 0 else { return }
    availableCount += 1
    stamps[Int(block)] &+= 1
    if isFindable {
      queue.append((block, stamps[Int(block)]))
      trim()
    } else if let slot = slots[Int(block)] {
      slots[Int(block)] = nil
      free.append(slot)
    }
  }

  /// The block is handed out anew, or holds nothing to be found again.
  mutating func forget(_ block: Int32) {
    guard needs[Int(block)] == 0, let slot = slots[Int(block)] else { return }
    stamps[Int(block)] &+= 1
    slots[Int(block)] = nil
    free.append(slot)
  }

  /// Takes away what is no longer true at the beginning of the queue, and all of it where that is the most part.
  private mutating func trim() {
    if head > 64, head * 2 > queue.count {
      queue.removeFirst(head)
      head = 0
    }
    guard queue.count - head > 2 * slots.count + 64 else { return }
    queue = queue[head...].filter { stamps[Int($0.block)] == $0.stamp }
    head = 0
  }
}
