/// The entries of a JSON object in the order in which their keys first came.
public struct JSONObject: Sendable, Hashable {
  private var entries = OrderedMap<Text, JSONValue>()

  /// An object without entries.
  public init() {}

  /// An object of `entries`; of several with one key the last value counts, at the place of the first.
  public init(_ entries: some Sequence<(String, JSONValue)>) {
    for (key, value) in entries { self[key] = value }
  }

  /// Number of entries.
  public var count: Int { entries.count }

  /// Whether there are no entries.
  public var isEmpty: Bool { entries.isEmpty }

  /// The keys in order.
  public var keys: [String] { entries.keys.map(\.string) }

  /// The values, in the order of their keys.
  public var values: [JSONValue] { entries.values }

  /// Keys and values in order.
  public var pairs: [(key: String, value: JSONValue)] {
    zip(entries.keys, entries.values).map { (key: $0.string, value: $1) }
  }

  /// The value under `key`; keys are told apart by their code points. Setting `nil` leaves the object as it is.
  public subscript(key: String) -> JSONValue? {
    get { entries[Text(key)] }
    set { if let newValue { entries.set(newValue, for: Text(key)) } }
  }

  /// Keys as texts, for conversions that must not go through `String`.
  var texts: OrderedMap<Text, JSONValue> { entries }

  mutating func set(_ value: JSONValue, for key: Text) { entries.set(value, for: key) }

  /// Whether both have the same entries in the same order.
  public static func == (left: JSONObject, right: JSONObject) -> Bool {
    left.entries.keys == right.entries.keys && left.entries.values == right.entries.values
  }

  /// Feeds keys and values to `hasher`.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(entries.keys)
    hasher.combine(entries.values)
  }
}
