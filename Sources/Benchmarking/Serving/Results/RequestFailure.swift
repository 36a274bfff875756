/// Why a request failed: its kind, for counting, and what was found.
public struct RequestFailure: Error, Sendable, Equatable, Codable, CustomStringConvertible {
  public enum Kind: String, Sendable, Codable, CaseIterable {
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

  public let kind: Kind
  /// The status, if one came.
  public let status: Int?
  public let description: String

  public init(_ kind: Kind, status: Int? = nil, _ description: String) {
    self.kind = kind
    self.status = status
    self.description = description
  }
}

/// How often one kind of failure happened.
public struct FailureCount: Sendable, Equatable, Codable {
  public let kind: RequestFailure.Kind
  public let status: Int?
  public let count: Int
  /// The first one's words.
  public let example: String

  public init(kind: RequestFailure.Kind, status: Int?, count: Int, example: String) {
    self.kind = kind
    self.status = status
    self.count = count
    self.example = example
  }
}
