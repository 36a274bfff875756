import JSON
import Tokenization

/// A server's answer, however it came.
struct Answer: Sendable {
  let status: Int
  /// The status line and the headers, as on the wire.
  let head: String
  let body: String

  /// The body as JSON.
  var json: JSONValue { get throws { try JSONValue(parsing: body) } }

  /// The data of every event of a stream.
  var events: [String] {
    body.split(separator: "\n\n").compactMap { $0.hasPrefix("data: ") ? String($0.dropFirst(6)) : nil }
  }
}
