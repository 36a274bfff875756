/// Why a request failed: its kind, for counting, and what was found.
package struct RequestFailure: Error, Sendable, Equatable, Codable, CustomStringConvertible {
  package enum Kind: String, Sendable, Codable, CaseIterable {
    /// No connection.
    case connect
    /// No answer, or no further token, in time.
    case timeout
    /// A status from 400 to 499 (or another that is not a success).
    case httpClient = "http_4xx"
    /// A status from 500 to 599.
    case httpServer = "http_5xx"
    /// The connection or the stream ended before the answer did.
    case brokenStream = "broken_stream"
    /// The answer is not what the API promises.
    case badPayload = "bad_payload"
    /// The server reported an error inside the stream.
    case serverError = "server_error"
    /// Ended by us: Ctrl-C.
    case cancelled
  }

  package let kind: Kind
  /// The status, if one came.
  package let status: Int?
  package let description: String

  package init(_ kind: Kind, status: Int? = nil, _ description: String) {
    (self.kind, self.status, self.description) = (kind, status, description)
  }
}

/// How often one kind of failure happened.
package struct FailureCount: Sendable, Equatable, Codable {
  package let kind: RequestFailure.Kind
  package let status: Int?
  package let count: Int
  /// The first one's words.
  package let example: String
}
