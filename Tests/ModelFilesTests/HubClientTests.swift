import FlyingFox
import FlyingSocks
import Foundation
import ModelFiles
import Synchronization
import TestSupport
import Testing

/// A hub on this machine, speaking the API that `foretoken pull` uses.
final class LocalHub: Sendable {
  struct Fault: Sendable {
    /// Connections to drop in the middle of the weights.
    var drops = 0
    var wrongChecksum = false
    var extraName: String?
    /// What the listing says of the weights' size and of the commit, when not the truth.
    var sizeText: String?
    var commit: String?
    var needsToken = false
    /// Where the weights are redirected to.
    var redirect: String?
    /// Bytes to leave out at the end, or to add, while the announced length is that of what is sent.
    var missing = 0
    var excess = 0
    /// Requests to answer with 429 and a wish to be asked again in a twentieth of a second.
    var busy = 0
    /// How long each answer takes.
    var pause: Duration?
    /// Further files; with them, weights in safetensors are not listed.
    var files: [String: Data] = [:]
  }

  static let commit = String(repeating: "c0ffee12", count: 5)
  let weights = Data((0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
  let config = Data("{\"hidden_size\": 8}".utf8)
  private let fault: Mutex<Fault>
  /// What was asked: path, range, authorization.
  let requests = Mutex<[(path: String, range: String?, token: String?)]>([])
  let server = HTTPServer(address: sockaddr_in.inet(port: 0))

  init(_ fault: Fault = Fault()) { self.fault = Mutex(fault) }

  /// Runs the server while `body` does; gives it the address.
  func serve<Result: Sendable>(_ body: @Sendable (String) async throws -> Result) async throws -> Result {
    await server.appendRoute("*") { [weak self] request in
      guard let self else { return HTTPResponse(statusCode: .notFound) }
      if let pause = fault.withLock({ $0.pause }) { try await Task.sleep(for: pause) }
      return answer(request)
    }
    return try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await self.server.run() }
      try await server.waitUntilListening()
      guard case .ip4(_, port: let port)? = await server.listeningAddress else { throw HubTestError() }
      let result = try await body("http://127.0.0.1:\(port)")
      await server.stop()
      group.cancelAll()
      return result
    }
  }

  private struct HubTestError: Error {}

  private func answer(_ request: HTTPRequest) -> HTTPResponse {
    let range = request.headers[HTTPHeader("Range")]
    requests.withLock { $0.append((request.path, range, request.headers[.authorization])) }
    let isBusy = fault.withLock { fault in
      defer { fault.busy = max(0, fault.busy - 1) }
      return fault.busy > 0
    }
    if isBusy {
      return HTTPResponse(statusCode: .tooManyRequests, headers: HTTPHeaders([HTTPHeader("Retry-After"): "0.05"]))
    }
    let fault = fault.withLock { $0 }
    if fault.needsToken, request.headers[.authorization] != "Bearer secret" {
      return HTTPResponse(statusCode: .unauthorized)
    }
    switch request.path {
    case "/api/models/org/tiny/revision/main": return HTTPResponse(statusCode: .ok, body: listing(fault))
    case "/org/tiny/resolve/\(Self.commit)/config.json": return HTTPResponse(statusCode: .ok, body: config)
    case "/org/tiny/resolve/\(Self.commit)/model.safetensors":
      if let redirect = fault.redirect {
        return HTTPResponse(statusCode: .found, headers: HTTPHeaders([.location: redirect + "/elsewhere"]))
      }
      return send(weights, range: range)
    case "/back":
      return HTTPResponse(statusCode: .found, headers: HTTPHeaders([.location: (fault.redirect ?? "") + "/elsewhere"]))
    case "/elsewhere": return send(weights, range: range)
    default:
      let name = request.path.dropFirst("/org/tiny/resolve/\(Self.commit)/".count)
      return fault.files[String(name)].map { send($0, range: range) } ?? HTTPResponse(statusCode: .notFound)
    }
  }

  private func send(_ data: Data, range: String?) -> HTTPResponse {
    let start = range.flatMap { Int($0.dropFirst("bytes=".count).dropLast()) } ?? 0
    let short = fault.withLock { fault in
      defer { fault.missing = 0 }
      return fault.missing
    }
    let part = data.dropFirst(start).dropLast(short) + Data(count: fault.withLock { $0.excess })
    let drops = fault.withLock { fault in
      defer { fault.drops = max(0, fault.drops - 1) }
      return fault.drops > 0
    }
    let status: HTTPStatusCode = start > 0 ? HTTPStatusCode(206, phrase: "Partial Content") : .ok
    guard drops else { return HTTPResponse(statusCode: status, body: Data(part)) }
    // The length is announced in full; the connection ends half-way.
    let half = Data(part.prefix(part.count / 2))
    return HTTPResponse(
      statusCode: status,
      body: HTTPBodySequence(from: HalfBody(data: half), count: part.count, suggestedBufferSize: 4096))
  }

  private func listing(_ fault: Fault) -> Data {
    func digest(_ kind: Digest.Kind, _ data: Data) -> String {
      let digest = Digest(kind)
      digest.add(data.bytes)
      return digest.hexadecimal()
    }
    let sha256 = digest(.sha256, fault.wrongChecksum ? Data("other".utf8) : weights)
    let blob = digest(.sha1, Data("blob \(config.count)\0".utf8) + config)
    var files = [
      #"{"rfilename":"config.json","size":\#(config.count),"blobId":"\#(blob)"}"#,
      #"{"rfilename":"model.safetensors","size":\#(weights.count),"blobId":"\#(blob)","lfs":{"sha256":"\#(sha256)","size":\#(fault.sizeText ?? "\(weights.count)")}}"#,
      #"{"rfilename":"pytorch_model.bin","size":5,"blobId":"\#(blob)"}"#,
    ]
    if !fault.files.isEmpty { files.removeAll { $0.contains("model.safetensors") } }
    for (name, data) in fault.files.sorted(by: { $0.key < $1.key }) {
      files.append(
        #"{"rfilename":"\#(name)","size":\#(data.count),"blobId":"\#(blob)","lfs":{"sha256":"\#(digest(.sha256, data))","size":\#(data.count)}}"#
      )
    }
    if let name = fault.extraName { files.append(#"{"rfilename":"\#(name)","size":1,"blobId":"\#(blob)"}"#) }
    return Data(#"{"sha":"\#(fault.commit ?? Self.commit)","siblings":[\#(files.joined(separator: ","))]}"#.utf8)
  }
}

/// A body that stops before its announced end.
struct HalfBody: AsyncBufferedSequence {
  typealias Element = UInt8
  struct Broken: Error {}
  let data: Data

  func makeAsyncIterator() -> Iterator { Iterator(left: data) }

  struct Iterator: AsyncBufferedIteratorProtocol {
    var left: Data
    mutating func next() async throws -> UInt8? {
      guard !left.isEmpty else { throw Broken() }
      return left.removeFirst()
    }
    mutating func nextBuffer(suggested count: Int) async throws -> Data? {
      guard !left.isEmpty else { throw Broken() }
      defer { left = left.dropFirst(count) }
      return Data(left.prefix(count))
    }
  }
}

@Suite(.serialized) struct HubClientTests {
  static func client(_ address: String, _ home: TemporaryDirectory, token: String? = nil) -> HubClient {
    var environment = ["HF_ENDPOINT": address, "HF_HOME": home.path]
    environment["HF_TOKEN"] = token
    return HubClient(environment: environment, pausesSeconds: [0.01, 0.01, 0.01])
  }

  @Test("a model is downloaded into the shared layout, found there, and not downloaded again")
  func wholePull() async throws {
    let (hub, home) = (LocalHub(), try TemporaryDirectory())
    try await hub.serve { address in
      let snapshot = try await Self.client(address, home).pull("org/tiny")
      #expect(snapshot == home.path + "/hub/models--org--tiny/snapshots/\(LocalHub.commit)")
      #expect(try Data(contentsOf: URL(fileURLWithPath: snapshot + "/model.safetensors")) == hub.weights)
      #expect(try Data(contentsOf: URL(fileURLWithPath: snapshot + "/config.json")) == hub.config)
      #expect(!FileManager.default.fileExists(atPath: snapshot + "/pytorch_model.bin"))
      #expect(try HubCache(environment: ["HF_HOME": home.path]).locate("org/tiny") == snapshot)
      let before = hub.requests.withLock { $0.count }
      _ = try await Self.client(address, home).pull("org/tiny")
      #expect(hub.requests.withLock { $0.count } == before + 1, "only the list is asked for again")
    }
  }

  @Test("a busy hub is asked again when it says so")
  func retryAfter() async throws {
    var fault = LocalHub.Fault()
    fault.busy = 2
    let (hub, home) = (LocalHub(fault), try TemporaryDirectory())
    try await hub.serve { address in
      let started = ContinuousClock.now
      let snapshot = try await Self.client(address, home).pull("org/tiny")
      // The client's own pauses are 0.01 s: less than this would have passed without the hub's wish.
      #expect(ContinuousClock.now - started >= .milliseconds(100))
      #expect(try Data(contentsOf: URL(fileURLWithPath: snapshot + "/config.json")) == hub.config)
    }
  }

  @Test("patterns choose the files")
  func selection() async throws {
    let (hub, home) = (LocalHub(), try TemporaryDirectory())
    try await hub.serve { address in
      let snapshot = try await Self.client(address, home).pull(
        "org/tiny", selection: FileSelection(included: ["*.json", "*.safetensors"], excluded: ["model.*"]))
      #expect(try FileManager.default.contentsOfDirectory(atPath: snapshot) == ["config.json"])
      await #expect(throws: HubError.self) {
        _ = try await Self.client(address, home).pull("org/tiny", selection: FileSelection(included: ["*.gguf"]))
      }
    }
  }

  @Test("dropped connections are resumed where they stopped")
  func resume() async throws {
    let (hub, home) = (LocalHub(.init(drops: 3)), try TemporaryDirectory())
    try await hub.serve { address in
      let snapshot = try await Self.client(address, home).pull("org/tiny")
      #expect(try Data(contentsOf: URL(fileURLWithPath: snapshot + "/model.safetensors")) == hub.weights)
      let ranges = hub.requests.withLock { $0.filter { $0.path.hasSuffix("safetensors") }.map(\.range) }
      #expect(ranges.count > 1 && ranges.dropFirst().contains { $0 != nil })
    }
  }

  @Test("a wrong checksum is reported, and the damaged file does not stay")
  func wrongChecksum() async throws {
    let (hub, home) = (LocalHub(.init(wrongChecksum: true)), try TemporaryDirectory())
    try await hub.serve { address in
      let error = await #expect(throws: HubError.self) { try await Self.client(address, home).pull("org/tiny") }
      #expect(error?.description.contains("'model.safetensors' of 'org/tiny' arrived damaged") == true)
      let blobs = try FileManager.default.contentsOfDirectory(atPath: home.path + "/hub/models--org--tiny/blobs")
      #expect(blobs.count == 1, "the configuration only")
      #expect(throws: ModelFileError.self) { try HubCache(environment: ["HF_HOME": home.path]).locate("org/tiny") }
    }
  }

  @Test("the token goes to the hub, and not to where the hub redirects")
  func token() async throws {
    let (other, home) = (LocalHub(), try TemporaryDirectory())
    try await other.serve { elsewhere in
      let hub = LocalHub(.init(needsToken: true, redirect: elsewhere))
      try await hub.serve { address in
        let refused = await #expect(throws: HubError.self) { try await Self.client(address, home).pull("org/tiny") }
        #expect(refused?.description.contains("HF_TOKEN") == true)
        _ = try await Self.client(address, home, token: "secret").pull("org/tiny")
        #expect(hub.requests.withLock { $0.contains { $0.token == "Bearer secret" } })
        #expect(other.requests.withLock { !$0.isEmpty && $0.allSatisfy { $0.token == nil } })
        // A second redirect, on the other host, does not bring it back.
        let again = try TemporaryDirectory()
        let chained = LocalHub(.init(redirect: elsewhere + "/back#"))
        try await chained.serve { address in
          _ = try? await Self.client(address, again, token: "secret").pull("org/tiny")
        }
        #expect(other.requests.withLock { $0.allSatisfy { $0.token == nil } })
      }
    }
  }

  @Test("pulls at the same time, and a damaged blob in the cache, end with the right files")
  func parallelPulls() async throws {
    let (hub, home) = (LocalHub(), try TemporaryDirectory())
    try await hub.serve { address in
      try await withThrowingTaskGroup(of: String.self) { group in
        for _ in 0..<4 { group.addTask { try await Self.client(address, home).pull("org/tiny") } }
        for try await snapshot in group {
          #expect(try Data(contentsOf: URL(fileURLWithPath: snapshot + "/model.safetensors")) == hub.weights)
        }
      }
      let blobs = home.path + "/hub/models--org--tiny/blobs"
      for name in try FileManager.default.contentsOfDirectory(atPath: blobs) {
        try Data("cut".utf8).write(to: URL(fileURLWithPath: blobs + "/" + name))
      }
      let snapshot = try await Self.client(address, home).pull("org/tiny")
      #expect(try Data(contentsOf: URL(fileURLWithPath: snapshot + "/model.safetensors")) == hub.weights)
    }
  }

  @Test("sizes and commits that make no sense are refused")
  func absurdListings() async throws {
    let home = try TemporaryDirectory()
    for fault in [
      LocalHub.Fault(sizeText: "9223372036854775807"), .init(sizeText: "99999999999999999999"), .init(sizeText: "-1"),
      .init(commit: "ab"),
    ] {
      try await LocalHub(fault).serve { address in
        _ = await #expect(throws: HubError.self) { try await Self.client(address, home).pull("org/tiny") }
      }
    }
  }

  @Test("a token with white space around it is trimmed, and an empty one is none")
  func tokenText() async throws {
    let home = try TemporaryDirectory()
    try home.write(Data("\n".utf8), to: "token")
    let open = LocalHub()
    try await open.serve { address in
      _ = try await Self.client(address, home).pull("org/tiny")
      #expect(open.requests.withLock { $0.allSatisfy { $0.token == nil } })
    }
    try await LocalHub(.init(needsToken: true)).serve { address in
      _ = try await Self.client(address, home, token: " secret\n").pull("org/tiny")
    }
  }

  @Test("a file that ends early is asked for again from there; one that goes on too long is given up")
  func length() async throws {
    let (short, home) = (LocalHub(.init(missing: 1_000)), try TemporaryDirectory())
    try await short.serve { address in
      let snapshot = try await Self.client(address, home).pull("org/tiny")
      #expect(try Data(contentsOf: URL(fileURLWithPath: snapshot + "/model.safetensors")) == short.weights)
      let ranges = short.requests.withLock { $0.filter { $0.path.hasSuffix("safetensors") }.map(\.range) }
      #expect(ranges == [nil, "bytes=299000-"])
    }
    let other = try TemporaryDirectory()
    try await LocalHub(.init(excess: 1)).serve { address in
      let error = await #expect(throws: HubError.self) { try await Self.client(address, other).pull("org/tiny") }
      #expect(error?.description.contains("than the 300000 bytes expected") == true, "\(error?.description ?? "")")
      let blobs = try FileManager.default.contentsOfDirectory(atPath: other.path + "/hub/models--org--tiny/blobs")
      #expect(blobs.count == 1, "the configuration only")
    }
  }

  @Test("two downloads of one model at a time end with the same whole files, each downloaded once")
  func concurrentPulls() async throws {
    let (hub, home) = (LocalHub(.init(drops: 1, pause: .milliseconds(30))), try TemporaryDirectory())
    try await hub.serve { address in
      async let first = Self.client(address, home).pull("org/tiny")
      async let second = Self.client(address, home).pull("org/tiny")
      let snapshots = try await [first, second]
      #expect(snapshots[0] == snapshots[1])
      #expect(try Data(contentsOf: URL(fileURLWithPath: snapshots[0] + "/model.safetensors")) == hub.weights)
      let weights = hub.requests.withLock { $0.filter { $0.path.hasSuffix("safetensors") }.map(\.range) }
      #expect(weights.count == 2 && weights[0] == nil && weights[1] != nil, "one download, resumed once")
    }
  }

  @Test("a blob of the wrong size is replaced, and a commit is found by its name")
  func repair() async throws {
    let (hub, home) = (LocalHub(), try TemporaryDirectory())
    try await hub.serve { address in
      let snapshot = try await Self.client(address, home).pull("org/tiny", revision: "main")
      let weights = URL(fileURLWithPath: snapshot + "/model.safetensors").resolvingSymlinksInPath()
      try Data("cut".utf8).write(to: weights)
      _ = try await Self.client(address, home).pull("org/tiny")
      #expect(try Data(contentsOf: weights) == hub.weights)
      let cache = HubCache(environment: ["HF_HOME": home.path])
      #expect(try cache.locate("org/tiny", revision: LocalHub.commit) == snapshot)
      #expect(throws: ModelFileError.self) { try cache.locate("org/tiny", revision: String(repeating: "0", count: 40)) }
    }
  }

  @Test("a cancelled download stops at once")
  func cancellation() async throws {
    let home = try TemporaryDirectory()
    try await LocalHub(.init(pause: .seconds(30))).serve { address in
      let pull = Task { try await Self.client(address, home).pull("org/tiny") }
      try await Task.sleep(for: .milliseconds(50))
      pull.cancel()
      _ = await #expect(throws: CancellationError.self) { try await pull.value }
    }
  }

  @Test("what is not there, not a name, or leads out of the folder is refused")
  func refusals() async throws {
    let home = try TemporaryDirectory()
    try await LocalHub().serve { address in
      let missing = await #expect(throws: HubError.self) { try await Self.client(address, home).pull("org/none") }
      #expect(missing?.description.contains("404") == true)
      let name = await #expect(throws: HubError.self) { try await Self.client(address, home).pull("../../etc") }
      #expect(name?.description.contains("ORG/NAME") == true)
    }
    for hostile in [#"a\\b.json"#, #"nul\u0000.json"#] {
      try await LocalHub(.init(extraName: hostile)).serve { address in
        let error = await #expect(throws: HubError.self) { try await Self.client(address, home).pull("org/tiny") }
        #expect(error?.description.contains("leads out of the model's folder") == true)
      }
    }
    let escaping = LocalHub(.init(extraName: "../x.json"))
    try await escaping.serve { address in
      _ = try await Self.client(address, home).pull("org/tiny")
      #expect(escaping.requests.withLock { $0.allSatisfy { !$0.path.contains("x.json") } })
      #expect(!FileManager.default.fileExists(atPath: home.path + "/hub/models--org--tiny/x.json"))
    }
    let silent = await #expect(throws: HubError.self) {
      try await Self.client("http://127.0.0.1:9", home).pull("org/tiny")
    }
    #expect(silent?.description.contains("after 4 tries") == true)
  }
}
