internal import ArgumentParser
internal import Foundation
internal import ModelFiles
internal import OpenAIServer
internal import Tensor

/// Flags about the network, limits and what answers carry. Names are vLLM's where it has the thing.
struct ServerOptions: ParsableArguments {
  @Option(help: "Address to listen on; 0.0.0.0 lets other machines in.")
  var host = "127.0.0.1"

  @Option(help: "Port to listen on; 0 takes a free one.")
  var port = 8000

  @Option(
    parsing: .singleValue,
    help: "Key that clients must send as a bearer token; repeatable. FORETOKEN_API_KEY keeps it out of process lists.")
  var apiKey: [String] = []

  @Option(
    parsing: .singleValue,
    help: "Name that the model answers to; repeatable (default: the model as given, a directory by its last part).")
  var servedModelName: [String] = []

  @Option(parsing: .singleValue, help: "Origin whose pages may call the server, or *; repeatable.")
  var allowedOrigins: [String] = []

  @Option(
    parsing: .singleValue,
    help:
      "Name that requests may call the server by, beside localhost, or *; repeatable. Checked when it listens on loopback, or when given."
  )
  var allowedHosts: [String] = []

  @Option(help: "Chat template to use instead of the model's own.", completion: .file())
  var chatTemplate: String?

  @Flag(
    inversion: .prefixedNo,
    help: "Read special tokens such as <|im_end|> in prompts and messages as these tokens; otherwise they are text.")
  var parseSpecialTokens = true

  @Option(help: "Tokens per server-sent event.")
  var streamInterval = 1

  @Option(help: "Report acceptance in answers: none, summary or detailed (every verification).")
  var perRequestSpecDecodeMetrics = RequestMetrics.summary

  @Option(
    help: """
      Which waiting request is next: fcfs, the one that came first, or priority, the one with the lowest priority field.
      """)
  var schedulingPolicy = SchedulingPolicy.fcfs

  @Option(help: "Most requests that wait; beyond them clients get 429.")
  var maxQueueLength = 256

  @Option(help: "Most open connections.")
  var maxConnections = 1024

  @Option(help: "Most bytes of a request's body.")
  var maxBodyBytes = 8 << 20

  @Option(help: "Most bytes of a request's head.")
  var maxHeaderBytes = 32 << 10

  @Option(help: "Most bytes of a stream that may wait for a slow reader; beyond them the stream is cut.")
  var maxStreamBacklogBytes = 1 << 20

  @Option(help: "Most responses of /v1/responses that are kept in memory; 0 keeps none.")
  var maxStoredResponses = 1024

  @Option(help: "Most bytes of all of them; those that were used longest ago go first.")
  var maxStoredResponseBytes = 64 << 20

  @Option(help: "Seconds that a stream may be unable to write to its reader.")
  var writeTimeout = 30.0

  @Option(help: "Seconds that a request's body may take to arrive.")
  var bodyTimeout = 30.0

  @Option(help: "Seconds that a connection may be silent.")
  var idleTimeout = 75.0

  @Option(help: "Seconds that running requests may go on after SIGTERM.")
  var shutdownTimeout = 30.0

  @Option(help: "What to log: trace, debug, info, notice, warning or error.")
  var logLevel = LogLevel.info

  @Option(help: "How to log: text or json.")
  var logFormat = LogFormat.text

  func validate() throws {
    func check<Number: Comparable>(_ flag: String, _ value: Number, _ range: ClosedRange<Number>) throws {
      guard range.contains(value) else {
        throw ValidationError("\(flag) is \(value); expected \(range.lowerBound) to \(range.upperBound).")
      }
    }
    try check("--port", port, 0...65535)
    try check("--stream-interval", streamInterval, 1...1024)
    try check("--max-queue-length", maxQueueLength, 0...1_000_000)
    try check("--max-connections", maxConnections, 1...1_000_000)
    try check("--max-body-bytes", maxBodyBytes, 1024...1 << 30)
    try check("--max-header-bytes", maxHeaderBytes, 1024...1 << 20)
    try check("--max-stream-backlog-bytes", maxStreamBacklogBytes, 1024...1 << 30)
    try check("--max-stored-responses", maxStoredResponses, 0...100_000)
    try check("--max-stored-response-bytes", maxStoredResponseBytes, 0...1 << 40)
    for (flag, value) in [
      ("--write-timeout", writeTimeout), ("--body-timeout", bodyTimeout), ("--idle-timeout", idleTimeout),
    ] { try check(flag, value, 0.1...86400) }
    try check("--shutdown-timeout", shutdownTimeout, 0...86400)
    guard !apiKey.contains("") else { throw ValidationError("--api-key is empty; expected a key.") }
  }

  /// The configuration for a model given as `model`.
  func configuration(for model: String) throws -> ServerConfiguration {
    var configuration = ServerConfiguration(servedModelName: HubCache.modelName(of: model))
    if !servedModelName.isEmpty { configuration.servedModelNames = servedModelName }
    configuration.host = host
    configuration.port = port
    configuration.apiKeys = apiKey
    configuration.allowedOrigins = allowedOrigins
    configuration.allowedHosts = allowedHosts
    configuration.chatTemplate = try chatTemplate.map { path in
      do { return try String(contentsOfFile: path, encoding: .utf8) } catch {
        throw ValidationError("Cannot read --chat-template '\(path)': \(error.localizedDescription)")
      }
    }
    configuration.streamInterval = streamInterval
    configuration.speculationReport = perRequestSpecDecodeMetrics.report
    configuration.parsesSpecialTokens = parseSpecialTokens
    configuration.allowsPriority = schedulingPolicy == .priority
    configuration.requestThreads = max(2, ProcessorShare.current.threads / 4)
    configuration.maximumQueueLength = maxQueueLength
    configuration.maximumConnections = maxConnections
    configuration.maximumBodyBytes = maxBodyBytes
    configuration.maximumHeaderBytes = maxHeaderBytes
    configuration.maximumBufferedBytes = maxStreamBacklogBytes
    configuration.maximumStoredResponses = maxStoredResponses
    configuration.maximumStoredBytes = maxStoredResponseBytes
    configuration.writeTimeout = .seconds(writeTimeout)
    configuration.bodyTimeout = .seconds(bodyTimeout)
    configuration.idleTimeout = .seconds(idleTimeout)
    configuration.shutdownTimeout = .seconds(shutdownTimeout)
    configuration.version = Foretoken.configuration.version
    return configuration
  }
}

/// `--scheduling-policy`.
enum SchedulingPolicy: String, ExpressibleByArgument, CaseIterable {
  case fcfs, priority
}

/// `--per-request-spec-decode-metrics`.
enum RequestMetrics: String, ExpressibleByArgument, CaseIterable {
  case none, summary, detailed

  var report: SpeculationReport {
    switch self {
    case .none: .none
    case .summary: .summary
    case .detailed: .detailed
    }
  }
}
