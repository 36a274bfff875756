internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import Tokenization

/// Reads request bodies within bounds of size and time.
struct BodyReader: Sendable {
  let maximumBytes: Int
  let timeout: Duration

  /// The JSON object that the request's body holds.
  ///
  /// A compressed body is unfolded first; the bound on its size holds before and after.
  ///
  /// - Throws: 415 for another content type or encoding, 413 for too many bytes, 408 for a body that does not come, 400 for one that
  ///   is not a JSON object.
  func object(of request: Request) async throws -> JSONFields {
    // Asking for the type keeps web pages of other origins from posting without the browser asking first.
    let type = request.headers[.contentType]?.split(separator: ";").first?.lowercased() ?? ""
    guard type == "application/json" || type.hasSuffix("+json") else {
      let found = type.isEmpty ? "missing" : "'\(type)'"
      throw APIError(
        .unsupportedMediaType, "the header Content-Type is \(found); expected application/json",
        kind: "invalid_request_error")
    }
    if let length = request.headers[.contentLength].flatMap(Int.init), length > maximumBytes { throw tooLarge }
    let encoding = request.headers[.contentEncoding]?.lowercased() ?? "identity"
    guard ["identity", "gzip", "x-gzip", "deflate"].contains(encoding) else {
      throw APIError(
        .unsupportedMediaType,
        "the header Content-Encoding is '\(encoding.prefix(60))'; expected one of \(Inflation.encodings), or none",
        kind: "invalid_request_error")
    }
    var body = Array(try await collect(request.body).readableBytesView)
    if encoding != "identity" { body = try inflated(body, encoding) }
    do {
      let value = try JSONValue(parsing: body)
      guard case .object(let object) = value else {
        throw APIError.badRequest("the body is \(JSONFields.shown(value)); expected a JSON object", parameter: nil)
      }
      return JSONFields(object)
    } catch let error as JSONError {
      throw APIError.badRequest("the body is not JSON: \(error)", parameter: nil)
    }
  }

  private func inflated(_ body: [UInt8], _ encoding: String) throws(APIError) -> [UInt8] {
    do { return try Inflation.inflate(body, limit: maximumBytes) } catch {
      switch error {
      case .tooLarge: throw tooLarge
      case .malformed: throw .badRequest("the body is not what Content-Encoding says: \(encoding)", parameter: nil)
      }
    }
  }

  private func collect(_ body: RequestBody) async throws -> ByteBuffer {
    do {
      return try await withThrowingTaskGroup(of: ByteBuffer.self) { group in
        group.addTask { try await body.collect(upTo: maximumBytes) }
        group.addTask {
          try await Task.sleep(for: timeout)
          throw APIError(
            .requestTimeout, "the body did not arrive within \(timeout)", kind: "invalid_request_error")
        }
        defer { group.cancelAll() }
        guard let buffer = try await group.next() else { throw CancellationError() }
        return buffer
      }
    } catch is NIOTooManyBytesError {
      throw tooLarge
    }
  }

  private var tooLarge: APIError {
    APIError(
      .contentTooLarge, "the body has more than the allowed \(maximumBytes) bytes", kind: "invalid_request_error")
  }
}
