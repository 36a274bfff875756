/// How a JSON document is laid out as text.
public struct JSONStyle: Sendable, Hashable {
  /// What stands between elements.
  public var itemSeparator: String
  /// What stands between key and value.
  public var keySeparator: String
  /// Text of one level of indentation; `nil` keeps the document on one line.
  public var indentation: String?
  /// Whether everything beyond ASCII is escaped.
  public var escapesNonASCII: Bool
  /// Whether the entries of objects are sorted by key.
  public var sortsKeys: Bool

  /// A style with these parts; the defaults are those of Python's `json.dumps` with `ensure_ascii=False`.
  public init(
    itemSeparator: String = ", ", keySeparator: String = ": ", indentation: String? = nil,
    escapesNonASCII: Bool = false, sortsKeys: Bool = false
  ) {
    self.itemSeparator = itemSeparator
    self.keySeparator = keySeparator
    self.indentation = indentation
    self.escapesNonASCII = escapesNonASCII
    self.sortsKeys = sortsKeys
  }

  /// No white space at all.
  public static let compact = JSONStyle(itemSeparator: ",", keySeparator: ":")
  /// As Python's `json.dumps(…, ensure_ascii=False)` writes it.
  public static let python = JSONStyle()
}
