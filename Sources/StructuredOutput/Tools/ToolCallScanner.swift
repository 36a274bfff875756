internal import JSON

/// Reads one call, `{"name": …, "arguments": …}`, byte by byte as it comes.
struct ToolCallScanner: Sendable {
  enum Output: Sendable, Equatable {
    /// The name; arguments follow.
    case name(String)
    case arguments([UInt8])
  }

  enum Status: Sendable, Equatable {
    case reading
    case complete
    /// What came is no call.
    case broken
  }

  private enum Place {
    case beforeObject, beforeKey, key, afterKey, beforeValue, value, afterValue
  }

  private enum Role {
    case name, arguments, other
  }

  private(set) var status = Status.reading
  /// Whether the arguments have been read to their end, and nothing after them.
  var hasEndedArguments: Bool { place == .afterValue && role == .arguments }
  /// Whether the name has been given out.
  private(set) var hasNamed = false
  private var place = Place.beforeObject
  private var role = Role.other
  private var text: [UInt8] = []
  private var name: String?
  /// Arguments that came before the name.
  private var earlyArguments: [UInt8]?
  private var hasArguments = false
  private var isFirstKey = true

  // Of the value under way.
  private var depth = 0
  private var isInString = false
  private var isEscaped = false
  private var isText = false
  private var isStreamed = false

  /// Takes a byte; gives what it settles.
  mutating func append(_ byte: UInt8) -> [Output] {
    switch (place, byte) {
    case (.key, _): return appendToKey(byte)
    case (.value, _): return appendToValue(byte)
    case (_, 0x20), (_, 0x0A), (_, 0x0D), (_, 0x09): return []
    case (.beforeObject, UInt8(ascii: "{")): place = .beforeKey
    case (.beforeKey, UInt8(ascii: "\"")):
      (place, text, isFirstKey) = (.key, [byte], false)
    case (.beforeKey, UInt8(ascii: "}")) where isFirstKey: status = .broken
    case (.afterKey, UInt8(ascii: ":")): place = .beforeValue
    case (.beforeValue, _): return beginValue(byte)
    case (.afterValue, UInt8(ascii: ",")): place = .beforeKey
    case (.afterValue, UInt8(ascii: "}")): return complete()
    default: status = .broken
    }
    return []
  }

  /// Declares that this is no call, whatever follows.
  mutating func reject() { (status, hasNamed) = (.broken, false) }

  private mutating func appendToKey(_ byte: UInt8) -> [Output] {
    text.append(byte)
    if isEscaped {
      isEscaped = false
    } else if byte == UInt8(ascii: "\\") {
      isEscaped = true
    } else if byte == UInt8(ascii: "\"") {
      switch Self.string(text) {
      case "name": role = .name
      case "arguments", "parameters": role = .arguments
      case nil: status = .broken
      default: role = .other
      }
      place = .afterKey
    }
    return []
  }

  private mutating func beginValue(_ byte: UInt8) -> [Output] {
    guard ![UInt8(ascii: ","), UInt8(ascii: "}"), UInt8(ascii: "]"), UInt8(ascii: ":")].contains(byte) else {
      status = .broken
      return []
    }
    (place, text, depth, isInString, isEscaped) = (.value, [], 0, false, false)
    isText = byte == UInt8(ascii: "\"")
    // Arguments written as a string of JSON are given out once the string can be read.
    isStreamed = role == .arguments && name != nil && !isText && !hasArguments
    guard isStreamed, let name else { return appendToValue(byte) }
    (hasNamed, hasArguments) = (true, true)
    return [.name(name)] + appendToValue(byte)
  }

  private mutating func appendToValue(_ byte: UInt8) -> [Output] {
    if !isInString, depth == 0, !text.isEmpty || isStreamed, isEndOfScalar(byte) {
      // A number or a literal ends where something else begins.
      let outputs = endValue()
      return status == .reading ? outputs + append(byte) : outputs
    }
    text.append(byte)
    if isInString {
      if isEscaped {
        isEscaped = false
      } else if byte == UInt8(ascii: "\\") {
        isEscaped = true
      } else if byte == UInt8(ascii: "\"") {
        isInString = false
      }
    } else {
      switch byte {
      case UInt8(ascii: "\""): isInString = true
      case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
      // What no JSON has outside of strings: the closing tag of a call that breaks off.
      case UInt8(ascii: "<"): status = .broken
      default: break
      }
    }
    if status == .broken || depth < 0 {
      status = .broken
      return []
    }
    let isClosed =
      depth == 0 && !isInString
      && (byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]") || byte == UInt8(ascii: "\""))
    let piece: [Output] = isStreamed ? [.arguments([byte])] : []
    return isClosed ? piece + endValue() : piece
  }

  private func isEndOfScalar(_ byte: UInt8) -> Bool {
    [UInt8(ascii: ","), UInt8(ascii: "}"), 0x20, 0x0A, 0x0D, 0x09].contains(byte)
  }

  private mutating func endValue() -> [Output] {
    place = .afterValue
    switch role {
    case .name:
      guard name == nil, let read = Self.string(text), !read.isEmpty else {
        status = .broken
        return []
      }
      name = read
      guard let early = earlyArguments else { return [] }
      (hasNamed, hasArguments) = (true, true)
      return [.name(read), .arguments(early)]
    case .arguments where !isStreamed && !hasArguments:
      let value = isText ? Self.string(text).map { Array($0.utf8) } ?? text : text
      guard let name else {
        earlyArguments = value
        return []
      }
      (hasNamed, hasArguments) = (true, true)
      return [.name(name), .arguments(value)]
    default: return []
    }
  }

  private mutating func complete() -> [Output] {
    guard let name else {
      status = .broken
      return []
    }
    status = .complete
    guard !hasArguments else { return [] }
    (hasNamed, hasArguments) = (true, true)
    return [.name(name), .arguments(Array("{}".utf8))]
  }

  /// The string that JSON text stands for; `nil` when it is none.
  private static func string(_ text: [UInt8]) -> String? { (try? JSONValue(parsing: text))?.string }
}
