/// Damages bytes at random, reproducibly.
public struct Mutator {
  /// Where its chances come from.
  public var generator: SeededGenerator

  /// Equal seeds give equal damage.
  public init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

  /// `bytes` with one to eight of: a byte changed, removed or inserted, a run doubled, moved or cut.
  public mutating func mutated(_ bytes: [UInt8], among alphabet: String) -> [UInt8] {
    var bytes = bytes
    let alphabet = Array(alphabet.utf8)
    for _ in 0..<Int.random(in: 1...8, using: &generator) {
      guard !bytes.isEmpty else { return [alphabet.randomElement(using: &generator) ?? 0] }
      let place = Int.random(in: 0..<bytes.count, using: &generator)
      let end = min(place + Int.random(in: 1...20, using: &generator), bytes.count)
      switch Int.random(in: 0..<7, using: &generator) {
      case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
      case 1: bytes.remove(at: place)
      case 2: bytes.insert(alphabet.randomElement(using: &generator) ?? 0, at: place)
      case 3: bytes.insert(contentsOf: bytes[place..<end], at: place)
      case 4: bytes.removeSubrange(place..<end)
      case 5: bytes.replaceSubrange(place..<place + 1, with: [alphabet.randomElement(using: &generator) ?? 0])
      default: bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0...bytes.count, using: &generator))
      }
    }
    return bytes
  }
}
