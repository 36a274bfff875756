/// Lines on their way to become a message.
///
/// A line that ends in a backslash goes on in the next one; what begins with `"""` goes on until a line ends with that.
package struct MessageInput {
  private static let quotes = "\"\"\""
  private var text: String?

  package init() {}

  /// Whether further lines belong to what has been entered.
  package var isUnfinished: Bool { text != nil }

  /// Adds a line, or several that were pasted at once.
  ///
  /// - Returns: the message, if that was the end of it.
  package mutating func add(_ entry: String) -> String? {
    let whole = (text ?? "") + entry
    let start = whole.drop(while: \.isWhitespace)
    if start.hasPrefix(Self.quotes) {
      var inside = start.dropFirst(Self.quotes.count)
      while inside.last?.isWhitespace == true { inside = inside.dropLast() }
      if inside.hasSuffix(Self.quotes) {
        text = nil
        return Self.withoutBorders(inside.dropLast(Self.quotes.count))
      }
      text = whole + "\n"
      return nil
    }
    guard whole.hasSuffix("\\") else {
      text = nil
      return whole
    }
    text = whole.dropLast() + "\n"
    return nil
  }

  /// Forgets what has been entered.
  package mutating func drop() { text = nil }

  /// The line breaks next to the quotes are not the message's.
  private static func withoutBorders(_ text: Substring) -> String {
    var text = text
    if text.first?.isNewline == true { text = text.dropFirst() }
    if text.last?.isNewline == true { text = text.dropLast() }
    return String(text)
  }
}
