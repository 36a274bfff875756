internal import AsyncHTTPClient
internal import Foundation
internal import JSON
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
internal import Synchronization

/// A client of one endpoint: plain requests for what a server says of itself, and timed ones for answers.
package final class ServingClient: Sendable {
  /// How patient it is.
  package struct Patience: Sendable {
    /// Until a connection stands.
    package var connectSeconds = 10.0
    /// Between two pieces of an answer, the first included.
    package var stallSeconds = 300.0

    package init() {}
  }

  let client: HTTPClient
  let loops: MultiThreadedEventLoopGroup

  /// - Parameters:
  ///   - connections: most connections that are open at one time.
  ///   - verifiesCertificates: off for servers of HTTPS whose certificate nobody vouches for.
  package init(connections: Int, patience: Patience = Patience(), verifiesCertificates: Bool = true) {
    // Few loops: each handles thousands of streams, and cores are better left to a server on the same machine.
    loops = MultiThreadedEventLoopGroup(numberOfThreads: max(1, min(4, System.coreCount / 2)))
    var configuration = HTTPClient.Configuration()
    if !verifiesCertificates { configuration.tlsConfiguration = Self.anyCertificate }
    configuration.redirectConfiguration = .disallow
    configuration.decompression = .disabled
    configuration.httpVersion = .http1Only
    configuration.timeout.connect = .nanoseconds(OutsideNumbers.nanoseconds(patience.connectSeconds))
    configuration.timeout.read = .nanoseconds(OutsideNumbers.nanoseconds(patience.stallSeconds))
    configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = max(connections, 1)
    // Shorter than servers keep silent connections (uvicorn: 5 s), so that none is closed as a request leaves on it.
    configuration.connectionPool.idleTimeout = .seconds(4)
    configuration.connectionPool.retryConnectionEstablishment = false
    client = HTTPClient(eventLoopGroupProvider: .shared(loops), configuration: configuration)
  }

  private static var anyCertificate: TLSConfiguration {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.certificateVerification = .none
    return configuration
  }

  /// Closes every connection. Call it once, last.
  package func shutDown() async {
    try? await client.shutdown()
    try? await loops.shutdownGracefully()
  }

  /// The body of a response to GET with status 200.
  ///
  /// - Throws: `RequestFailure`.
  func get(_ path: String, of endpoint: ServingEndpoint) async throws -> [UInt8] {
    try await plain(.GET, path, nil, of: endpoint)
  }

  /// The body of a response to POST with status 200.
  ///
  /// - Throws: `RequestFailure`.
  func post(_ path: String, _ body: JSONValue, to endpoint: ServingEndpoint) async throws -> [UInt8] {
    try await plain(.POST, path, body, of: endpoint)
  }

  private func plain(
    _ method: HTTPMethod, _ path: String, _ body: JSONValue?, of endpoint: ServingEndpoint
  ) async throws -> [UInt8] {
    let request = try prepare(method, path, body, of: endpoint)
    let answer = await withCheckedContinuation { continuation in
      let loop = loops.next()
      loop.execute {
        _ = self.send(request, on: loop, onPiece: {}) { continuation.resume(returning: $0) }
      }
    }
    if let failure = answer.failure { throw failure }
    guard let status = answer.status, status < 300 else {
      throw AnswerDecoder.failure(status: answer.status ?? 0, body: answer.bytes)
    }
    return answer.bytes
  }

  /// A request that can be sent at once.
  ///
  /// - Throws: `RequestFailure` if the URL is none.
  func prepare(
    _ method: HTTPMethod, _ path: String, _ body: JSONValue?, of endpoint: ServingEndpoint
  ) throws -> HTTPClient.Request {
    var headers = HTTPHeaders()
    if body != nil { headers.add(name: "Content-Type", value: "application/json") }
    for header in endpoint.headers { headers.replaceOrAdd(name: header.name, value: header.value) }
    do {
      return try HTTPClient.Request(
        url: endpoint.baseURL + path, method: method, headers: headers,
        body: body.map { .bytes(Array($0.serialized().utf8)) })
    } catch {
      throw RequestFailure(.connect, "'\(endpoint.baseURL + path)' is no URL that can be asked: \(error)")
    }
  }

  /// Sends a request now; calls back on `loop` when the answer is whole or has failed. Call on `loop`.
  ///
  /// - Returns: what cancels it.
  func send(
    _ request: HTTPClient.Request, on loop: any EventLoop, onPiece: @escaping @Sendable () -> Void,
    onEnd: @escaping @Sendable (RawAnswer) -> Void
  ) -> HTTPClient.Task<RawAnswer> {
    let recorder = AnswerRecorder(onPiece: onPiece)
    let start = NIODeadline.now().uptimeNanoseconds
    let task = client.execute(request: request, delegate: recorder, eventLoop: .delegateAndChannel(on: loop))
    task.futureResult.whenComplete { result in
      var answer: RawAnswer
      switch result {
      case .success(let whole): answer = whole
      case .failure(let error):
        answer = recorder.current
        answer.failure = Self.failure(error, afterHead: answer.status != nil)
      }
      answer.start = start
      answer.end = NIODeadline.now().uptimeNanoseconds
      onEnd(answer)
    }
    return task
  }

  private static func failure(_ error: any Error, afterHead: Bool) -> RequestFailure {
    let place = afterHead ? " in the middle of the answer" : ""
    if let failure = error as? RequestFailure { return failure }
    switch error as? HTTPClientError {
    case .connectTimeout?: return RequestFailure(.connect, "no connection in time")
    case .readTimeout?, .deadlineExceeded?, .writeTimeout?:
      return RequestFailure(.timeout, afterHead ? "the answer stalled" : "no answer in time")
    case .cancelled?: return RequestFailure(.cancelled, "stopped")
    case .remoteConnectionClosed?:
      return RequestFailure(.brokenStream, "the server closed the connection" + place)
    default: break
    }
    if let failure = error as? NIOConnectionError {
      let cause = failure.connectionErrors.first.map { reason($0.error) } ?? "\(failure.host) is not known"
      return RequestFailure(.connect, "no connection: \(cause)")
    }
    if let failure = error as? HTTPParserError {
      return RequestFailure(
        .brokenStream,
        afterHead ? "the server closed the connection" + place : "the answer is not HTTP: \(failure)")
    }
    if case .handshakeFailed(let cause)? = error as? NIOSSLError {
      return RequestFailure(
        .connect,
        "\(cause)".contains("CERTIFICATE_VERIFY_FAILED")
          ? "no connection: its certificate is not trusted (--insecure takes any)"
          : "no connection: the TLS handshake failed")
    }
    if error is IOError, !afterHead { return RequestFailure(.connect, "no connection: \(reason(error))") }
    return RequestFailure(.brokenStream, reason(error) + place)
  }

  /// What the system calls the error, where it is the system's.
  private static func reason(_ error: any Error) -> String {
    (error as? IOError).map { unsafe String(cString: strerror($0.errnoCode)) } ?? "\(error)"
  }
}
