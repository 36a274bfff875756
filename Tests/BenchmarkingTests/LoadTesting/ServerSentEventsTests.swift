import LoadTesting
import Testing

@Suite struct ServerSentEventsTests {
  private func events(_ text: String) -> [String] {
    var parser = ServerSentEvents()
    return parser.append(Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
  }

  @Test(
    "events are what the standard says",
    arguments: [
      ("data: a\n\ndata: b\n\n", ["a", "b"]),
      ("data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"]),
      ("data: a\r\rdata: b\r\r", ["a", "b"]),
      ("data: one\ndata: two\n\n", ["one\ntwo"]),
      ("data\n\n", [""]),
      ("data\ndata\n\n", ["\n"]),
      ("data:x\n\n", ["x"]),
      ("data:  x\n\n", [" x"]),
      (": comment\n\nevent: ping\n\ndata: x\nid: 7\nretry: 3\n\n", ["x"]),
      ("dataset: no\n\n", []),
      ("\u{FEFF}data: x\n\n", ["x"]),
      ("data: unfinished\n", []),
      ("", []),
      ("\n\n\n", []),
      ("data: ü🙂\n\n", ["ü🙂"]),
    ])
  func standard(text: String, expected: [String]) { #expect(events(text) == expected) }

  @Test("an event that no blank line ends is known as unfinished")
  func unfinished() {
    var parser = ServerSentEvents()
    _ = parser.append(Array("data: a\n\n".utf8))
    #expect(!parser.hasUnfinishedEvent)
    _ = parser.append(Array("data: b\n".utf8))
    #expect(parser.hasUnfinishedEvent)
  }

  @Test("bytes may be cut anywhere: pieces of any size give the same events", arguments: 0..<200)
  func pieces(seed: UInt64) {
    var random = Random(seed)
    let alphabet = Array("data: \r\n:ab\u{FEFF}é".utf8) + Array("\n\n\r\ndata".utf8)
    var bytes: [UInt8] = []
    for _ in 0..<Int.random(in: 0...400, using: &random) {
      if Int.random(in: 0..<6, using: &random) == 0 {
        bytes += Array("data: x\n\n".utf8)
      } else {
        bytes.append(alphabet[Int.random(in: alphabet.indices, using: &random)])
      }
    }
    var whole = ServerSentEvents()
    let expected = whole.append(bytes)
    #expect(expected == Self.naive(bytes))
    var parser = ServerSentEvents()
    var found: [[UInt8]] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = Int.random(in: 1...min(7, rest.count), using: &random)
      found += parser.append(rest.prefix(count))
      rest = rest.dropFirst(count)
    }
    #expect(found == expected)
  }

  /// The standard's steps on the whole document: normalise line ends, split, collect.
  private static func naive(_ bytes: [UInt8]) -> [[UInt8]] {
    var lines: [[UInt8]] = [[]]
    var index = 0
    while index < bytes.count {
      let byte = bytes[index]
      if byte == 13 || byte == 10 {
        lines.append([])
        if byte == 13, index + 1 < bytes.count, bytes[index + 1] == 10 { index += 1 }
      } else {
        lines[lines.count - 1].append(byte)
      }
      index += 1
    }
    lines.removeLast()
    if let first = lines.first, first.starts(with: [0xEF, 0xBB, 0xBF]) { lines[0] = Array(first.dropFirst(3)) }
    var events: [[UInt8]] = []
    var data: [[UInt8]] = []
    for line in lines {
      if line.isEmpty {
        if !data.isEmpty { events.append(Array(data.joined(separator: [10]))) }
        data = []
        continue
      }
      let colon = line.firstIndex(of: UInt8(ascii: ":"))
      guard Array(line[..<(colon ?? line.count)]) == Array("data".utf8) else { continue }
      var value = colon.map { Array(line[($0 + 1)...]) } ?? []
      if value.first == UInt8(ascii: " ") { value.removeFirst() }
      data.append(value)
    }
    return events
  }
}

/// Random numbers that a seed fixes (a linear congruential generator's upper bits; Knuth, MMIX).
struct Random: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

  mutating func next() -> UInt64 {
    func step() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state >> 32
    }
    return step() << 32 | step()
  }
}
