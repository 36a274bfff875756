internal import Foundation
internal import JSON

/// What a server says of itself, where it does.
package struct ServerInspection: Sendable {
  private let client: ServingClient
  private let endpoint: ServingEndpoint

  package init(_ client: ServingClient, _ endpoint: ServingEndpoint) {
    self.client = client
    self.endpoint = endpoint
  }

  /// The first model at `/v1/models`, waited for.
  ///
  /// - Throws: `RequestFailure` if there is no such list, it is empty, or the server is not there in time.
  package func firstModel(
    timeoutSeconds: Double, onWaiting: (RequestFailure) -> Void = { _ in }
  ) async throws -> String {
    let answer = try await patiently(timeoutSeconds, onWaiting) { try await client.get("/v1/models", of: endpoint) }
    guard let name = (try? JSONValue(parsing: answer))?["data"]?.array?.first?["id"]?.string else {
      throw RequestFailure(
        .badPayload, "/v1/models names no model: \(AnswerEvent.excerpt(answer)); name one with --model")
    }
    return name
  }

  /// What `/version` answers; `nil` if it does not.
  package func version() async -> String? {
    guard let answer = try? await client.get("/version", of: endpoint) else { return nil }
    return (try? JSONValue(parsing: answer))?["version"]?.string
  }

  /// What the server says of what it serves (`served` at `/v1/models`, which Foretoken has); `nil` if it does not.
  package func served(model: String) async -> [String: String]? {
    guard let answer = try? await client.get("/v1/models", of: endpoint),
      let models = (try? JSONValue(parsing: answer))?["data"]?.array,
      let facts = models.first(where: { $0["id"]?.string == model })?["served"]?.object
    else { return nil }
    return Dictionary(facts.pairs.compactMap { name, value in value.string.map { (name, $0) } }) { first, _ in first }
  }

  /// The counters of speculation at `/metrics`; `nil` if there are none.
  package func speculationCounters() async -> SpeculationCounters? {
    guard let page = try? await client.get("/metrics", of: endpoint),
      let samples = try? PrometheusText.samples(page)
    else { return nil }
    return SpeculationCounters(samples)
  }

  /// What is to be known about the server's figures: an index that keeps past answers makes prompts that come again look
  /// easier than they are. `nil` if there is nothing, or the server does not say.
  package func caution() async -> String? {
    guard let page = try? await client.get("/metrics", of: endpoint),
      let samples = try? PrometheusText.samples(page),
      let kept = samples.first(where: { $0.name == "foretoken:served_info" })?.labels["past_answers_indexed"]
    else { return nil }
    return
      "\(endpoint.baseURL) guesses from past answers (\(kept)): prompts that it has answered before, in earlier runs too, are guessed better than new ones. Start it anew, or with \"suffix_decoding_max_cached_requests\": 0, to measure without."
  }

  /// Waits until the server answers a short form of `request`, and finds out whether it takes `continuous_usage_stats`.
  ///
  /// - Returns: the endpoint as it is to be asked.
  /// - Throws: `RequestFailure` if it refuses the request, or does not answer within `timeoutSeconds`.
  package func ready(
    for request: WorkloadRequest, timeoutSeconds: Double, onWaiting: (RequestFailure) -> Void = { _ in }
  ) async throws -> ServingEndpoint {
    var short = request
    short.outputTokens = 2
    func ask(_ endpoint: ServingEndpoint) async throws {
      _ = try await patiently(timeoutSeconds, onWaiting) {
        try await client.post(endpoint.path, endpoint.body(for: short), to: endpoint)
      }
    }
    do {
      try await ask(endpoint)
      return endpoint
    } catch let failure as RequestFailure
      where endpoint.asksForContinuousUsage && (failure.status == 400 || failure.status == 422)
    {
      var plainer = endpoint
      plainer.asksForContinuousUsage = false
      try await ask(plainer)
      return plainer
    }
  }

  /// Asks every second until the server is there.
  private func patiently(
    _ seconds: Double, _ onWaiting: (RequestFailure) -> Void, _ ask: () async throws -> [UInt8]
  ) async throws -> [UInt8] {
    let deadline = ContinuousClock.now + .nanoseconds(OutsideNumbers.nanoseconds(seconds))
    while true {
      do {
        return try await ask()
      } catch let failure as RequestFailure {
        let mayPass = failure.kind != .httpClient || [408, 425, 429].contains(failure.status)
        guard mayPass, ContinuousClock.now < deadline else { throw failure }
        onWaiting(failure)
        try await Task.sleep(for: .seconds(1))
      }
    }
  }
}
