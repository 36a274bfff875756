/// The entries of a JSON object in the order in which their keys first came.
package struct JSONObject: Sendable, Hashable {
  package private(set) var keys: [String] = []
  package private(set) var values: [JSONValue] = []
  /// Where each key is, once there are more of them than a scan finds at once.
  private var positions: [Key: Int] = [:]

  private static let scanLimit = 8

  package init() {}

  /// An object of `entries`; of several with one key the last value counts, at the place of the first.
  package init(_ entries: some Sequence<(String, JSONValue)>) {
    for (key, value) in entries { self[key] = value }
  }

  package var count: Int { keys.count }
  package var isEmpty: Bool { keys.isEmpty }

  /// Keys and values in order.
  package var pairs: [(key: String, value: JSONValue)] { zip(keys, values).map { (key: $0, value: $1) } }

  /// The value under `key`; keys are told apart by their code points. Setting `nil` leaves the object as it is.
  package subscript(key: String) -> JSONValue? {
    get { position(of: key).map { values[$0] } }
    set { if let newValue { set(newValue, for: key) } }
  }

  private func position(of key: String) -> Int? {
    keys.count <= Self.scanLimit ? keys.firstIndex { $0.hasSameScalars(as: key) } : positions[Key(text: key)]
  }

  private mutating func set(_ value: JSONValue, for key: String) {
    if let position = position(of: key) {
      values[position] = value
      return
    }
    keys.append(key)
    values.append(value)
    guard keys.count > Self.scanLimit else { return }
    for place in (positions.isEmpty ? 0 : keys.count - 1)..<keys.count { positions[Key(text: keys[place])] = place }
  }

  /// Whether both have the same entries in the same order.
  package static func == (left: JSONObject, right: JSONObject) -> Bool {
    left.keys.elementsEqual(right.keys) { $0.hasSameScalars(as: $1) } && left.values == right.values
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(keys)
    hasher.combine(values)
  }

  private struct Key: Hashable {
    let text: String

    static func == (left: Key, right: Key) -> Bool { left.text.hasSameScalars(as: right.text) }
    // Texts of the same code points are equal as Swift sees it too, so their hashes are.
    func hash(into hasher: inout Hasher) { hasher.combine(text) }
  }
}

extension String {
  /// Whether both have the same code points; `==` takes canonically equivalent texts for equal.
  package func hasSameScalars(as other: String) -> Bool {
    utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
  }
}
