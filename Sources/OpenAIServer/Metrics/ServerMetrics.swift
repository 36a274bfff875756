internal import Decoding
internal import Synchronization

/// What Prometheus reads at `/metrics`, under vLLM's names.
final class ServerMetrics: Sendable {
  private struct State {
    var timeToFirstToken = Histogram(bounds: Histogram.tokenSeconds)
    var interTokenLatency = Histogram(bounds: Histogram.tokenSeconds)
    var timePerOutputToken = Histogram(bounds: Histogram.tokenSeconds)
    var queueTime = Histogram(bounds: Histogram.requestSeconds)
    var latency = Histogram(bounds: Histogram.requestSeconds)
    var prefillTime = Histogram(bounds: Histogram.requestSeconds)
    var decodeTime = Histogram(bounds: Histogram.requestSeconds)
    var inferenceTime = Histogram(bounds: Histogram.requestSeconds)
    var promptTokens = Histogram(bounds: Histogram.tokenCounts)
    var outputTokens = Histogram(bounds: Histogram.tokenCounts)
    var longestAnswer = Histogram(bounds: Histogram.tokenCounts)
    var maximumTokens = Histogram(bounds: Histogram.tokenCounts)
    var answers = Histogram(bounds: [1, 2, 5, 10, 20])
    var finished: [String: Int] = ["stop": 0, "length": 0, "abort": 0, "error": 0]
    var responses: [Response: Int] = [:]
    var durations: [Endpoint: Histogram] = [:]
  }

  private struct Endpoint: Hashable {
    let method: String
    let handler: String
  }

  private struct Response: Hashable {
    let method: String
    let handler: String
    let status: Int
  }

  private let state = Mutex(State())
  private let modelName: String
  private let engine: Engine
  private let cacheLabels, servedLabels: [(String, String)]

  /// - Parameters:
  ///   - cacheLabels: facts about the KV cache.
  ///   - servedLabels: facts about what is served.
  init(modelName: String, engine: Engine, cacheLabels: [(String, String)], servedLabels: [(String, String)]) {
    self.modelName = modelName
    self.engine = engine
    self.cacheLabels = cacheLabels
    self.servedLabels = servedLabels
  }

  /// A time between two tokens of one answer.
  func observe(interTokenSeconds seconds: Double) { state.withLock { $0.interTokenLatency.observe(seconds) } }

  /// An answer has ended.
  func observe(_ summary: GenerationSummary) {
    state.withLock { state in
      state.finished[summary.reason.name, default: 0] += 1
      state.queueTime.observe(summary.timing.queueSeconds)
      state.latency.observe(summary.timing.totalSeconds)
      state.promptTokens.observe(Double(summary.promptTokens))
      state.outputTokens.observe(Double(summary.outputTokens))
      let timing = summary.timing
      state.inferenceTime.observe(max(0, timing.totalSeconds - timing.queueSeconds))
      if summary.outputTokens > 0 {
        state.timeToFirstToken.observe(timing.firstTokenSeconds)
        state.prefillTime.observe(max(0, timing.firstTokenSeconds - timing.queueSeconds))
        state.decodeTime.observe(max(0, timing.totalSeconds - timing.firstTokenSeconds))
      }
      if let seconds = summary.timing.secondsPerOutputToken(summary.outputTokens) {
        state.timePerOutputToken.observe(seconds)
      }
    }
  }

  /// A request has been taken, with its answers.
  func observe(_ requests: [GenerationRequest], answersPerPrompt: Int) {
    state.withLock { state in
      state.answers.observe(Double(answersPerPrompt))
      if let limit = requests.first?.stopping.maximumTokens, limit < .max { state.maximumTokens.observe(Double(limit)) }
    }
  }

  /// All answers of a request have ended.
  func observe(longestOf answers: [GenerationSummary]) {
    guard let longest = answers.map(\.outputTokens).max() else { return }
    state.withLock { $0.longestAnswer.observe(Double(longest)) }
  }

  /// An answer whose client has gone.
  func observeAbort() { state.withLock { $0.finished["abort", default: 0] += 1 } }

  /// An HTTP response has been given.
  func observe(method: String, handler: String, status: Int) {
    state.withLock { $0.responses[Response(method: method, handler: handler, status: status), default: 0] += 1 }
  }

  /// An HTTP response has been sent to its end.
  func observe(method: String, handler: String, seconds: Double) {
    state.withLock {
      $0.durations[Endpoint(method: method, handler: handler), default: Histogram(bounds: Histogram.requestSeconds)]
        .observe(seconds)
    }
  }

  /// The text that Prometheus reads.
  func exposition() -> String {
    let state = state.withLock { $0 }
    let engine = engine.statistics
    var text = ExpositionText(labels: [("model_name", modelName), ("engine", "0")])
    text.gauge("vllm:num_requests_running", "Requests being computed on.", Double(engine.running))
    text.gauge("vllm:num_requests_waiting", "Requests that wait for room.", Double(engine.waiting))
    text.gauge("vllm:kv_cache_usage_perc", "Share of the KV blocks in use, 0 to 1.", engine.cacheUsage)
    text.counter("vllm:num_preemptions", "Requests that gave up their KV blocks.", engine.preemptions)
    text.counter("vllm:prompt_tokens", "Prompt tokens read.", engine.promptTokens)
    text.counter("vllm:generation_tokens", "Tokens generated.", engine.outputTokens)
    text.counter("vllm:prefix_cache_queries", "Tokens looked up in the KV cache.", engine.prefixQueries)
    text.counter("vllm:prefix_cache_hits", "Tokens found there.", engine.prefixHits)
    text.counters(
      "vllm:request_success", "Answers that have ended.", label: "finished_reason",
      state.finished.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
    let speculation = engine.speculation
    text.counter("vllm:spec_decode_num_drafts", "Verifications of proposals.", speculation.drafts)
    text.counter("vllm:spec_decode_num_draft_tokens", "Proposed tokens.", speculation.draftTokens)
    text.counter("vllm:spec_decode_num_accepted_tokens", "Accepted proposals.", speculation.acceptedTokens)
    text.counters(
      "vllm:spec_decode_num_accepted_tokens_per_pos", "Accepted proposals by their place in the window.",
      label: "position", speculation.acceptedPerPosition.enumerated().map { ("\($0.offset)", $0.element) })
    text.counter("foretoken:speculation_audits", "Answers decoded again without speculation.", engine.audited)
    text.counter("foretoken:speculation_audit_mismatches", "Audited answers that differed.", engine.auditMismatches)
    text.histogram(
      "foretoken:step_overhead_seconds", "Per step of the engine, outside of passes of target and draft.",
      engine.overheadSeconds)
    text.histogram("vllm:time_to_first_token_seconds", "From arrival to the first token.", state.timeToFirstToken)
    text.histogram("vllm:inter_token_latency_seconds", "Between two tokens of an answer.", state.interTokenLatency)
    text.histogram(
      "vllm:request_time_per_output_token_seconds", "Mean per token of an answer after its first.",
      state.timePerOutputToken)
    text.histogram("vllm:e2e_request_latency_seconds", "From arrival to the end.", state.latency)
    text.histogram("vllm:request_queue_time_seconds", "From arrival to the first pass.", state.queueTime)
    text.histogram(
      "vllm:request_prefill_time_seconds", "From the first pass to the first token.", state.prefillTime)
    text.histogram("vllm:request_decode_time_seconds", "From the first token to the end.", state.decodeTime)
    text.histogram("vllm:request_inference_time_seconds", "From the first pass to the end.", state.inferenceTime)
    text.histogram(
      "vllm:iteration_tokens_total", "Tokens of a step, of prompts and of answers.", engine.tokensPerStep)
    text.histogram(
      "vllm:request_max_num_generation_tokens", "Tokens of a request's longest answer.", state.longestAnswer)
    text.histogram("vllm:request_params_max_tokens", "Limits on answers' tokens, where given.", state.maximumTokens)
    text.histogram("vllm:request_params_n", "Answers that a request asks for per prompt.", state.answers)
    text.gauge("foretoken:served_info", "What is served, in the labels.", 1, labels: servedLabels)
    text.gauge("vllm:cache_config_info", "The KV cache, in the labels.", 1, labels: cacheLabels)
    text.histogram("vllm:request_prompt_tokens", "Tokens of a prompt.", state.promptTokens)
    text.histogram("vllm:request_generation_tokens", "Tokens of an answer.", state.outputTokens)
    text.responses(
      state.responses.map { ($0.key.method, $0.key.handler, $0.key.status, $0.value) }
        .sorted { ($0.1, $0.0, $0.2) < ($1.1, $1.0, $1.2) })
    text.durations(
      state.durations.map { ($0.key.method, $0.key.handler, $0.value) }.sorted { ($0.1, $0.0) < ($1.1, $1.0) })
    return text.text
  }
}
