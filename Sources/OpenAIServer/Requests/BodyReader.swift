internal import HTTPTypes
internal import Hummingbird
internal import JSON
internal import NIOCore
internal import NIOHTTP1
internal import Tokenization

/// Reads request bodies within bounds of size and time.
struct BodyReader: Sendable {
  /// The error's code for a body that is not framed as its head says.
  static let malformed = "malformed_body"

  let maximumBytes: Int
  let timeout: Duration

  /// The bytes of a request's body, which is to be JSON.
  ///
  /// - Throws: 415 for another content type or encoding, 413 for too many bytes, 408 for a body that does not come.
  func bytes(of request: Request) async throws -> ReceivedBody {
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
    return ReceivedBody(
      bytes: try await collect(request.body), encoding: encoding == "identity" ? nil : encoding,
      maximumBytes: maximumBytes)
  }

  /// The JSON object that a body holds.
  ///
  /// A compressed body is unfolded first; the bound on its size holds before and after.
  ///
  /// - Throws: 400 when it holds none, or is not compressed as it says; 413 for one that unfolds to too many bytes.
  static func object(in body: ReceivedBody) throws -> JSONFields {
    let body = try body.inflated()
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
    } catch let error as HTTPParserError {
      throw APIError(
        .badRequest,
        "the body is not in the form that the head announces (\(error)); expected chunks, or as many bytes as Content-Length says",
        kind: "invalid_request_error",
        code: Self.malformed)
    }
  }

  private var tooLarge: APIError { .bodyTooLarge(maximumBytes) }
}

/// A body as it came.
struct ReceivedBody: Sendable {
  fileprivate let bytes: ByteBuffer
  /// How it is compressed.
  fileprivate let encoding: String?
  /// Most bytes of what it stands for.
  fileprivate let maximumBytes: Int

  /// The bytes that it stands for.
  fileprivate func inflated() throws(APIError) -> [UInt8] {
    let bytes = Array(self.bytes.readableBytesView)
    guard let encoding else { return bytes }
    do { return try Inflation.inflate(bytes, limit: maximumBytes) } catch {
      switch error {
      case .tooLarge: throw .bodyTooLarge(maximumBytes)
      case .malformed: throw .badRequest("the body is not what Content-Encoding says: \(encoding)", parameter: nil)
      }
    }
  }
}

extension APIError {
  fileprivate static func bodyTooLarge(_ limit: Int) -> APIError {
    APIError(.contentTooLarge, "the body has more than the allowed \(limit) bytes", kind: "invalid_request_error")
  }
}
