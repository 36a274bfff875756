/// A dictionary that keeps its entries in the order in which their keys first came, as Python's `dict` does.
///
/// Lookup is a scan while the map is small and a hash probe beyond that.
struct OrderedMap<Key: Hashable, Element> {
  private(set) var keys: [Key] = []
  private(set) var values: [Element] = []
  private var positions: [Key: Int] = [:]

  /// Up to this many entries a scan beats hashing, and costs no second copy of the keys.
  private static var scanLimit: Int { 8 }

  var count: Int { keys.count }
  var isEmpty: Bool { keys.isEmpty }

  private func position(of key: Key) -> Int? {
    keys.count <= Self.scanLimit ? keys.firstIndex(of: key) : positions[key]
  }

  /// The value stored under `key`. Setting replaces in place or appends; entries are never removed.
  subscript(key: Key) -> Element? { position(of: key).map { values[$0] } }

  /// Stores `value` under `key`; a key that is there already keeps its place.
  mutating func set(_ value: Element, for key: Key) {
    if let position = position(of: key) {
      values[position] = value
      return
    }
    keys.append(key)
    values.append(value)
    if keys.count == Self.scanLimit + 1 {
      for (offset, key) in keys.enumerated() { positions[key] = offset }
    } else if keys.count > Self.scanLimit {
      positions[key] = keys.count - 1
    }
  }
}

extension OrderedMap: Sendable where Key: Sendable, Element: Sendable {}
