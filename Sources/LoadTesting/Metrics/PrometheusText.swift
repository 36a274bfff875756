/// One value of Prometheus' text format.
package struct MetricSample: Sendable, Equatable {
  package let name: String
  package let labels: [String: String]
  package let value: Double
}

/// A page of metrics that cannot be read.
package struct PrometheusTextError: Error, Equatable, CustomStringConvertible {
  package let line: Int
  package let problem: String
  package var description: String { "metrics, line \(line): \(problem)" }
}

/// Prometheus' text format, version 0.0.4.
package enum PrometheusText {
  /// Every sample of the page, in order.
  ///
  /// - Throws: `PrometheusTextError` naming the line, what was found and what was expected.
  package static func samples(_ text: [UInt8]) throws(PrometheusTextError) -> [MetricSample] {
    var samples: [MetricSample] = []
    for (index, bytes) in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      var line = Line(bytes, number: index + 1)
      if let sample = try line.sample() { samples.append(sample) }
    }
    return samples
  }

  /// A line, read from the left.
  private struct Line {
    private var rest: ArraySlice<UInt8>
    private let number: Int

    init(_ bytes: ArraySlice<UInt8>, number: Int) {
      rest = bytes.last == UInt8(ascii: "\r") ? bytes.dropLast() : bytes
      self.number = number
    }

    /// The line's sample; `nil` for an empty line or a comment.
    mutating func sample() throws(PrometheusTextError) -> MetricSample? {
      skipBlanks()
      guard let first = rest.first, first != UInt8(ascii: "#") else { return nil }
      let name = try name("a metric's name")
      skipBlanks()
      let labels = rest.first == UInt8(ascii: "{") ? try labels() : [:]
      skipBlanks()
      return MetricSample(name: name, labels: labels, value: try value())
    }

    private mutating func skipBlanks() {
      rest = rest.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    }

    private func failure(_ expected: String) -> PrometheusTextError {
      PrometheusTextError(line: number, problem: "found \(AnswerEvent.excerpt(Array(rest))); expected \(expected)")
    }

    private mutating func name(_ what: String) throws(PrometheusTextError) -> String {
      let name = rest.prefix {
        $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ":") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
          || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0)
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
      }
      guard let first = name.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
        throw failure(what)
      }
      rest = rest.dropFirst(name.count)
      return String(decoding: name, as: UTF8.self)
    }

    private mutating func labels() throws(PrometheusTextError) -> [String: String] {
      rest = rest.dropFirst()
      var labels: [String: String] = [:]
      while true {
        skipBlanks()
        if rest.first == UInt8(ascii: "}") {
          rest = rest.dropFirst()
          return labels
        }
        let label = try name("a label's name or '}'")
        skipBlanks()
        try take(UInt8(ascii: "="), "'='")
        skipBlanks()
        labels[label] = try quoted()
        skipBlanks()
        guard rest.first == UInt8(ascii: ",") || rest.first == UInt8(ascii: "}") else { throw failure("',' or '}'") }
        if rest.first == UInt8(ascii: ",") { rest = rest.dropFirst() }
      }
    }

    private mutating func take(_ byte: UInt8, _ what: String) throws(PrometheusTextError) {
      guard rest.first == byte else { throw failure(what) }
      rest = rest.dropFirst()
    }

    private mutating func quoted() throws(PrometheusTextError) -> String {
      try take(UInt8(ascii: "\""), "a quoted value")
      var value: [UInt8] = []
      while let byte = rest.popFirst() {
        switch byte {
        case UInt8(ascii: "\""): return String(decoding: value, as: UTF8.self)
        case UInt8(ascii: "\\"):
          guard let escaped = rest.popFirst() else { throw failure("an escaped character") }
          if escaped == UInt8(ascii: "n") {
            value.append(UInt8(ascii: "\n"))
          } else if escaped == UInt8(ascii: "\\") || escaped == UInt8(ascii: "\"") {
            value.append(escaped)
          } else {
            value += [byte, escaped]
          }
        default: value.append(byte)
        }
      }
      throw failure("'\"' at the value's end")
    }

    /// The value; a time stamp after it is skipped.
    private mutating func value() throws(PrometheusTextError) -> Double {
      let words = rest.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
      guard let word = words.first, words.count <= 2,
        words.count == 1 || Int(String(decoding: words[1], as: UTF8.self)) != nil,
        let value = Self.number(String(decoding: word, as: UTF8.self))
      else { throw failure("a number, and at most a time stamp after it") }
      return value
    }

    private static func number(_ word: String) -> Double? {
      switch word.lowercased() {
      case "nan": .nan
      case "+inf", "inf": .infinity
      case "-inf": -.infinity
      default: Double(word)
      }
    }
  }
}
