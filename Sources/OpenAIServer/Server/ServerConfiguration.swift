package import Decoding

/// How the server listens, whom it lets in, and what it bounds.
package struct ServerConfiguration: Sendable {
  /// Address to listen on; loopback unless asked otherwise.
  package var host = "127.0.0.1"
  /// Port to listen on; 0 takes a free one.
  package var port = 8000
  /// Keys that clients must send one of as a bearer token; none are asked for when empty.
  package var apiKeys: [String] = []
  /// Names that the model answers to; the first one is shown in answers.
  package var servedModelNames: [String]
  /// Origins that browsers may call from: none when empty, any with `*`.
  package var allowedOrigins: [String] = []
  /// A chat template's source instead of the model's own.
  package var chatTemplate: String?
  /// The methods that requests may name (`auto`, `draft_model`, `ngram`, …); none without speculation.
  package var speculationMethods: [SpeculationMethod] = []
  /// What answers say about speculation in `metrics.speculative_decoding`.
  package var speculationReport = SpeculationReport.summary
  /// Names that requests may call the server by (`Host`) beside those of this machine's own loopback; any with `*`.
  ///
  /// Names are checked when the server listens on loopback or when some are given: a web page whose name was made to
  /// point here (DNS rebinding) calls the server by that name.
  package var allowedHosts: [String] = []
  /// Facts about the KV cache that `vllm:cache_config_info` has for labels, such as `cache_dtype`.
  package var cacheFacts: [(name: String, value: String)] = []
  /// Facts about what is served that the page shows, in their order: the method of speculation, the draft, the weights'
  /// format.
  package var servedFacts: [(name: String, value: String)] = []
  /// Requests that the engine computes on at one time (`max_num_seqs`).
  package var concurrentRequests = 1
  /// Whether the text of a special token in prompts and messages becomes that token, unless a request says otherwise.
  package var parsesSpecialTokens = true
  /// Whether requests may say how urgent they are (`scheduling_policy` `priority`).
  package var allowsPriority = false
  /// Threads that read requests and write answers, beside those that serve connections and compute.
  package var requestThreads = 2
  /// Requests that may wait beyond those.
  package var maximumQueueLength = 256
  /// Open connections.
  package var maximumConnections = 1024
  /// Bytes of a request's body.
  package var maximumBodyBytes = 8 << 20
  /// Bytes of a request's head.
  package var maximumHeaderBytes = 32 << 10
  /// Tokens per server-sent event.
  package var streamInterval = 1
  /// Bytes of a stream that may wait for a slow reader.
  package var maximumBufferedBytes = 1 << 20
  /// Responses that are kept for clients to come back to; 0 keeps none.
  package var maximumStoredResponses = 1024
  /// Bytes of all of them.
  package var maximumStoredBytes = 64 << 20
  /// How long a stream may be unable to write anything to its reader.
  package var writeTimeout = Duration.seconds(30)
  /// How long a request's body may take to arrive.
  package var bodyTimeout = Duration.seconds(30)
  /// How long a connection may be silent between requests or within one.
  package var idleTimeout = Duration.seconds(75)
  /// How long running requests may go on after the order to stop.
  package var shutdownTimeout = Duration.seconds(30)
  /// Whether `/invocations` answers, as SageMaker asks of a container.
  package var answersInvocations = false
  /// What `/version` says.
  package var version = Engine.version

  /// The defaults, for a model of this name.
  package init(servedModelName: String) { servedModelNames = [servedModelName] }
}
