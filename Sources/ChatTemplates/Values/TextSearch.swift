/// Searching, splitting and stripping, as the methods of Python's `str` do it.
extension Text {
  /// Byte offset of `needle` at or after `start`. Offsets of matches always lie between code points, since both
  /// texts are valid UTF-8.
  func firstOffset(of needle: Text, from start: Int = 0) -> Int? {
    guard let first = needle.utf8.first else { return start <= utf8.count ? start : nil }
    if needle.utf8.count > Self.longNeedle { return TextPattern(needle.utf8).firstMatch(in: utf8, from: start) }
    var offset = start
    let last = utf8.count - needle.utf8.count
    while offset <= last {
      if utf8[offset] == first, utf8[offset..<offset + needle.utf8.count].elementsEqual(needle.utf8) { return offset }
      offset += 1
    }
    return nil
  }

  /// Byte offset of the last `needle`.
  func lastOffset(of needle: Text) -> Int? {
    reversedBytes.firstOffset(of: needle.reversedBytes).map { utf8.count - $0 - needle.utf8.count }
  }

  /// The bytes back to front, which is no valid text but can be searched.
  private var reversedBytes: Text { Text(utf8: utf8.reversed()) }

  /// Longer needles are sought with a prefix table: comparing at every offset could take their product in steps.
  private static var longNeedle: Int { 32 }

  func contains(_ needle: Text) -> Bool { firstOffset(of: needle) != nil }
  func hasPrefix(_ prefix: Text) -> Bool { utf8.starts(with: prefix.utf8) }
  func hasSuffix(_ suffix: Text) -> Bool {
    utf8.count >= suffix.utf8.count && utf8[(utf8.count - suffix.utf8.count)...].elementsEqual(suffix.utf8)
  }

  /// Number of code points before the byte `offset`.
  func codePoints(before offset: Int) -> Int { utf8[..<offset].count { $0 & 0xC0 != 0x80 } }

  /// Every `old` replaced by `new`, at most `limit` times.
  func replacing(_ old: Text, with new: Text, limit: Int? = nil) -> Text {
    var output: [UInt8] = []
    var position = 0
    var left = limit ?? Int.max
    if old.isEmpty {
      // An empty needle matches before every code point and at the end.
      while left > 0 {
        output.append(contentsOf: new.utf8)
        left -= 1
        guard position < utf8.count else { return Text(utf8: output) }
        repeat {
          output.append(utf8[position])
          position += 1
        } while position < utf8.count && utf8[position] & 0xC0 == 0x80
      }
    }
    while left > 0, !old.isEmpty, let match = firstOffset(of: old, from: position) {
      output.append(contentsOf: utf8[position..<match])
      output.append(contentsOf: new.utf8)
      position = match + old.utf8.count
      left -= 1
    }
    output.append(contentsOf: utf8[position...])
    return Text(utf8: output)
  }

  /// The parts between `separator`, split at most `limit` times from the left. `separator` must not be empty.
  func split(by separator: Text, limit: Int) -> [Text] {
    var parts: [Text] = []
    var position = 0
    while parts.count < limit, let match = firstOffset(of: separator, from: position) {
      parts.append(Text(utf8[position..<match]))
      position = match + separator.utf8.count
    }
    parts.append(Text(utf8[position...]))
    return parts
  }

  /// The parts between `separator`, split at most `limit` times from the right. `separator` must not be empty.
  func splitFromRight(by separator: Text, limit: Int) -> [Text] {
    reversedBytes.split(by: separator.reversedBytes, limit: limit).reversed().map(\.reversedBytes)
  }

  /// The words between runs of white space, split at most `limit` times.
  func splitByWhitespace(limit: Int, fromRight: Bool) -> [Text] {
    let scalars = fromRight ? scalars.reversed() : scalars
    var parts: [[Unicode.Scalar]] = []
    var position = 0
    while true {
      while position < scalars.count, scalars[position].isPythonWhitespace { position += 1 }
      guard position < scalars.count else { break }
      var end = position
      if parts.count == limit {
        end = scalars.count
        while scalars[end - 1].isPythonWhitespace { end -= 1 }
        parts.append(Array(scalars[position..<end]))
        break
      }
      while end < scalars.count, !scalars[end].isPythonWhitespace { end += 1 }
      parts.append(Array(scalars[position..<end]))
      position = end
    }
    guard fromRight else { return parts.map { Text(scalars: $0) } }
    return parts.reversed().map { Text(scalars: $0.reversed()) }
  }

  /// The lines, at every line boundary that Python knows.
  func lines(keepingEnds: Bool = false) -> [Text] {
    let scalars = scalars
    var lines: [Text] = []
    var start = 0
    var position = 0
    while position < scalars.count {
      switch scalars[position].value {
      case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029:
        let end = position
        position += scalars[position] == "\r" && position + 1 < scalars.count && scalars[position + 1] == "\n" ? 2 : 1
        lines.append(Text(scalars: scalars[start..<(keepingEnds ? position : end)]))
        start = position
      default: position += 1
      }
    }
    if start < scalars.count { lines.append(Text(scalars: scalars[start...])) }
    return lines
  }

  /// The text without the code points of `set` (white space when `nil`) at its ends.
  func stripped(_ set: Text?, left: Bool = true, right: Bool = true) -> Text {
    let members = set.map { Set($0.scalars) }
    func strips(_ scalar: Unicode.Scalar) -> Bool { members?.contains(scalar) ?? scalar.isPythonWhitespace }
    let scalars = scalars
    var start = 0
    var end = scalars.count
    while left, start < end, strips(scalars[start]) { start += 1 }
    while right, end > start, strips(scalars[end - 1]) { end -= 1 }
    return start == 0 && end == scalars.count ? self : Text(scalars: scalars[start..<end])
  }

  var uppercased: Text { Text(string.uppercased()) }
  var lowercased: Text { Text(string.lowercased()) }

  /// First code point in title case, the rest in lower case.
  var capitalized: Text {
    let scalars = scalars
    guard let first = scalars.first else { return self }
    return Text(first.properties.titlecaseMapping) + Text(scalars: scalars[1...]).lowercased
  }

  /// `str.title`: a cased code point after an uncased one in title case, the others in lower case.
  var titlecased: Text {
    var output = ""
    var followsCased = false
    for scalar in scalars {
      output += followsCased ? scalar.properties.lowercaseMapping : scalar.properties.titlecaseMapping
      followsCased = scalar.properties.isCased
    }
    return Text(output)
  }

  /// Whether there is a cased code point and all of them are lower (`upper` false) or upper case.
  func isCased(upper: Bool) -> Bool {
    var found = false
    for scalar in scalars where scalar.properties.isCased {
      guard upper ? scalar.properties.isUppercase : scalar.properties.isLowercase else { return false }
      found = true
    }
    return found
  }
}

/// Knuth, Morris and Pratt's search: time proportional to the text, whatever the needle.
private struct TextPattern {
  private let needle: [UInt8]
  /// For each prefix of the needle, the length of its longest proper prefix that is also its suffix.
  private let borders: [Int]

  init(_ needle: [UInt8]) {
    self.needle = needle
    var borders = [0]
    var length = 0
    for byte in needle.dropFirst() {
      while length > 0, needle[length] != byte { length = borders[length - 1] }
      if needle[length] == byte { length += 1 }
      borders.append(length)
    }
    self.borders = borders
  }

  func firstMatch(in text: [UInt8], from start: Int) -> Int? {
    var length = 0
    for offset in min(start, text.count)..<text.count {
      while length > 0, needle[length] != text[offset] { length = borders[length - 1] }
      if needle[length] == text[offset] { length += 1 }
      if length == needle.count { return offset + 1 - length }
    }
    return nil
  }
}
