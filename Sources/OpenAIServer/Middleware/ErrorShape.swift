internal import HTTPTypes
internal import JSON

/// How an API writes its errors. A request's path tells which API it is of.
enum ErrorShape {
  /// `{"error": {"message", "type", "param", "code"}}`
  case openAI
  /// `{"type": "error", "error": {"type", "message"}}`
  case anthropic
  /// `{"error": "message"}`
  case ollama

  init(path: String) {
    if path == "/v1/messages" || path.hasPrefix("/v1/messages/") {
      self = .anthropic
    } else {
      self = path.hasPrefix("/api/") ? .ollama : .openAI
    }
  }

  /// - Parameter requestID: names the request, where the shape has a place for that.
  func json(_ error: APIError, requestID: String? = nil) -> JSONValue {
    switch self {
    case .openAI: return error.json
    case .ollama: return ["error": .string(error.message)]
    case .anthropic:
      // Clients look for the beginning to tell when a conversation has to be shortened.
      let isTooLong = error.code == "context_length_exceeded"
      let message = (isTooLong ? "prompt is too long: " : "") + error.message
      let inner: JSONValue = ["type": .string(Self.anthropicType(error.status)), "message": .string(message)]
      var object = JSONObject([("type", "error"), ("error", inner)])
      object["request_id"] = requestID.map(JSONValue.string)
      return .object(object)
    }
  }

  /// https://docs.anthropic.com/en/api/errors
  private static func anthropicType(_ status: HTTPResponse.Status) -> String {
    switch status.code {
    case 401: "authentication_error"
    case 403: "permission_error"
    case 404: "not_found_error"
    case 413: "request_too_large"
    case 429: "rate_limit_error"
    case 503: "overloaded_error"
    case 500...: "api_error"
    default: "invalid_request_error"
    }
  }
}
