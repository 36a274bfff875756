/// How a JSON document is laid out as text.
package struct JSONStyle: Sendable, Hashable {
  /// What stands between elements.
  package var itemSeparator: String
  /// What stands between key and value.
  package var keySeparator: String
  /// Text of one level of indentation; `nil` keeps the document on one line.
  package var indentation: String?
  /// Whether everything beyond ASCII is escaped.
  package var escapesNonASCII: Bool
  /// Whether the entries of objects are sorted by key.
  package var sortsKeys: Bool

  /// A style with these parts; the defaults are those of Python's `json.dumps` with `ensure_ascii=False`.
  package init(
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
  package static let compact = JSONStyle(itemSeparator: ",", keySeparator: ":")
  /// As Python's `json.dumps(…, ensure_ascii=False)` writes it.
  package static let python = JSONStyle()
}
