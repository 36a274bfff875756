internal import Decoding
internal import JSON
internal import StructuredOutput
package import HTTPTypes

/// An error in the shape that OpenAI's API gives it.
package struct APIError: Error, Sendable, CustomStringConvertible {
  package let status: HTTPResponse.Status
  /// One sentence: what was found, what was expected.
  package let message: String
  /// The same for the log, which is not to hold what clients write: without the value that was found.
  package let reason: String
  /// `type` in the API.
  package let kind: String
  /// The field at fault.
  package let parameter: String?
  /// A name for programs.
  package let code: String?
  /// When to try again.
  package let retryAfterSeconds: Int?
  /// Methods that the path takes, for 405.
  package let allow: String?

  init(
    _ status: HTTPResponse.Status, _ message: String, kind: String, parameter: String? = nil, code: String? = nil,
    retryAfterSeconds: Int? = nil, allow: String? = nil, reason: String? = nil
  ) {
    self.status = status
    self.message = message
    self.reason = reason ?? message
    self.kind = kind
    self.parameter = parameter
    self.code = code
    self.retryAfterSeconds = retryAfterSeconds
    self.allow = allow
  }

  /// 400 about a field.
  static func badRequest(
    _ message: String, parameter: String?, code: String? = nil, reason: String? = nil
  ) -> APIError {
    APIError(
      .badRequest, message, kind: "invalid_request_error", parameter: parameter, code: code, reason: reason)
  }

  /// What the engine says about a request that it cannot serve.
  init(_ error: RequestError) {
    let isTooLong = error.parameter == "prompt" && error.message.contains("context")
    self = .badRequest(error.message, parameter: error.parameter, code: isTooLong ? "context_length_exceeded" : nil)
  }

  /// What cannot be kept to, by its path in the request.
  init(_ error: ConstraintError) {
    let field = error.path.split(separator: "/").first.map(String.init)
    self = .badRequest("\(error)", parameter: field, reason: "a form of the answer that cannot be kept to")
  }

  static func overloaded(limit: Int) -> APIError {
    APIError(
      .tooManyRequests, "the server is busy: \(limit) answers are being computed or wait already; try again later",
      kind: "rate_limit_error", code: "queue_full", retryAfterSeconds: 1)
  }

  package static let shuttingDown = APIError(
    .serviceUnavailable, "the server is stopping", kind: "server_error", code: "shutting_down", retryAfterSeconds: 5)

  static let readerTooSlow = APIError(
    .requestTimeout, "the stream was ended because its reader fell too far behind", kind: "server_error",
    code: "reader_too_slow")

  /// The engine could not go on.
  static func engineFailed(_ reason: String) -> APIError {
    APIError(.internalServerError, "the answer could not be finished: \(reason)", kind: "server_error")
  }

  package var description: String { message }

  /// `{"error": {…}}`.
  var json: JSONValue {
    [
      "error": [
        "message": .string(message), "type": .string(kind), "param": parameter.map(JSONValue.string) ?? .null,
        "code": code.map(JSONValue.string) ?? .null,
      ]
    ]
  }

  var headers: HTTPFields {
    var fields: HTTPFields = [:]
    if let retryAfterSeconds { fields[.retryAfter] = String(retryAfterSeconds) }
    if let allow { fields[.allow] = allow }
    if status == .unsupportedMediaType { fields[.acceptEncoding] = Inflation.encodings }
    if status == .unauthorized { fields[.wwwAuthenticate] = "Bearer" }
    return fields
  }
}
