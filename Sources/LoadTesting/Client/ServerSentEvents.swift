/// Server-sent events out of a stream of bytes that arrive in any pieces (WHATWG HTML, section 9.2.6).
///
/// Lines end with LF, CRLF or CR; several `data` lines of one event are joined by LF; comments, other fields and a byte
/// order mark are skipped; an event without data is none. An event that no blank line ends is not dispatched.
package struct ServerSentEvents: Sendable {
  private var line: [UInt8] = []
  private var data: [UInt8] = []
  private var hasData = false
  private var endedWithCarriageReturn = false
  private var isFirstLine = true

  package init() {}

  /// Whether bytes came after the last whole event, other than line ends.
  package var hasUnfinishedEvent: Bool { hasData || !line.isEmpty }

  /// Reads on; gives the data of every event that these bytes complete, in order.
  package mutating func append(_ bytes: some Sequence<UInt8>) -> [[UInt8]] {
    var events: [[UInt8]] = []
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "\n") where endedWithCarriageReturn:
        endedWithCarriageReturn = false
      case UInt8(ascii: "\n"), UInt8(ascii: "\r"):
        endedWithCarriageReturn = byte == UInt8(ascii: "\r")
        if let event = endLine() { events.append(event) }
      default:
        endedWithCarriageReturn = false
        line.append(byte)
      }
    }
    return events
  }

  private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
  private static let field = Array("data".utf8)

  /// Takes the line that just ended; the event that it ends, if it is blank.
  private mutating func endLine() -> [UInt8]? {
    defer { line.removeAll(keepingCapacity: true) }
    if isFirstLine, line.starts(with: Self.byteOrderMark) { line.removeFirst(3) }
    isFirstLine = false
    guard !line.isEmpty else {
      defer { (data, hasData) = ([], false) }
      return hasData ? data : nil
    }
    guard line.starts(with: Self.field) else { return nil }
    var value = line.dropFirst(Self.field.count)
    if !value.isEmpty {
      guard value.first == UInt8(ascii: ":") else { return nil }
      value = value.dropFirst()
      if value.first == UInt8(ascii: " ") { value = value.dropFirst() }
    }
    if hasData { data.append(UInt8(ascii: "\n")) }
    data.append(contentsOf: value)
    hasData = true
    return nil
  }
}
