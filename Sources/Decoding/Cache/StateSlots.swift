/// Slots for recurrent states: those that are free, and those that belong to a block that can be found again.
///
/// A state belongs to one position. The prefix cache keeps those of block borders, as long as no running sequence needs
/// the slot.
struct StateSlots: Sendable {
  private var free: [Int32]
  /// By block: the slot of the state after it.
  private var slots: [Int32: Int32] = [:]
  /// Blocks that have a state, the one kept first before the others.
  private var order: [Int32] = []
  /// How many sequences read a kept state.
  private var pins: [Int32: Int] = [:]

  init(count: Int) { free = (0..<Int32(count)).reversed() }

  /// How many of the first of `blocks` can be gone on from.
  func reach(of blocks: [Int32]) -> Int { (blocks.lastIndex { slots[$0] != nil } ?? -1) + 1 }

  mutating func take() -> Int32? {
    if let slot = free.popLast() { return slot }
    guard let index = order.firstIndex(where: { slots[$0].map { pins[$0] == nil } ?? false }) else { return nil }
    let block = order.remove(at: index)
    return slots.removeValue(forKey: block)
  }

  mutating func release(_ slot: Int32) { free.append(slot) }

  mutating func pin(of block: Int32) -> Int32? {
    guard let slot = slots[block] else { return nil }
    pins[slot, default: 0] += 1
    return slot
  }

  mutating func unpin(_ slot: Int32) {
    guard let count = pins[slot] else { return }
    pins[slot] = count > 1 ? count - 1 : nil
  }

  /// Keeps `slot` as the state after `block`, which may have one already.
  mutating func keep(_ slot: Int32, of block: Int32) {
    guard slots[block] == nil else { return release(slot) }
    slots[block] = slot
    order.append(block)
  }

  /// The block is handed out anew.
  mutating func forget(_ block: Int32) {
    guard let slot = slots.removeValue(forKey: block) else { return }
    order.removeAll { $0 == block }
    release(slot)
  }
}
