import Foundation
import JSON
import LoadTesting
import Testing

@Suite struct LoadTests {
  private static let answer = ScriptedServer.Script(
    pieces: ScriptedServer.Script.stream(
      ["{\"choices\":[{\"text\":\"a\"}]}", "{\"choices\":[{\"text\":\"b\",\"finish_reason\":\"stop\"}]}"]
    ).pieces.map { ($0.milliseconds * 5, $0.text) })

  private func requests(_ count: Int, _ category: String = "c") -> [WorkloadRequest] {
    (0..<count).map { WorkloadRequest(category: category, prompt: .text("\($0)")) }
  }

  private func most(_ records: [RequestRecord]) -> Int {
    let changes = records.flatMap { [($0.start, 1), ($0.end, -1)] }.sorted { ($0.0, $0.1) < ($1.0, $1.1) }
    return changes.reduce(into: (0, 0)) { $0 = ($0.0 + $1.1, max($0.1, $0.0 + $1.1)) }.1
  }

  @Test("a closed loop keeps to its limit, and answers everything once", arguments: [1, 3, 50])
  func closedLoop(limit: Int) async throws {
    try await ScriptedServer.run({ _, _ in Self.answer }) { server in
      let client = ServingClient(connections: limit)
      let run = try await LoadGenerator(client: client).run(
        requests(12), on: ServingEndpoint(baseURL: server.baseURL, backend: .openai), maximumConcurrency: limit)
      await client.shutDown()
      #expect(run.records.map(\.index) == Array(0..<12) && run.unfinished == 0)
      #expect(run.records.allSatisfy { $0.isComplete && $0.text == "ab" })
      #expect(most(run.records) <= limit && run.duration > 0)
      #expect(run.records.allSatisfy { $0.arrival <= $0.start && $0.start <= $0.end })
    }
  }

  @Test("an open loop sends requests when they are due, and queues those that find no place")
  func openLoop() async throws {
    let rate = try #require(RequestRate(100))
    try await ScriptedServer.run({ _, _ in Self.answer }) { server in
      let client = ServingClient(connections: 2)
      let schedule = ArrivalSchedule(rate: rate, seed: 5)
      let run = try await LoadGenerator(client: client).run(
        requests(20), on: ServingEndpoint(baseURL: server.baseURL, backend: .openai), arrivals: schedule,
        maximumConcurrency: 2)
      await client.shutDown()
      let due = schedule.times(20)
      for (record, time) in zip(run.records, due) {
        #expect(abs((record.arrival - run.records[0].arrival) - (time - due[0])) < 1e-6)
        #expect(record.start >= record.arrival)
      }
      #expect(most(run.records) <= 2 && run.records.allSatisfy(\.isComplete))
    }
  }

  @Test("no patience and no rate is too large for a clock", arguments: [1e10, 1e19, 1e308, .infinity])
  func absurdTimes(seconds: Double) async throws {
    var patience = ServingClient.Patience()
    (patience.connectSeconds, patience.stallSeconds) = (seconds, seconds)
    try await ScriptedServer.run({ _, _ in Self.answer }) { server in
      let client = ServingClient(connections: 1, patience: patience)
      let endpoint = ServingEndpoint(baseURL: server.baseURL, backend: .openai)
      let request = requests(1)[0]
      _ = try await ServerInspection(client, endpoint).ready(for: request, timeoutSeconds: seconds)
      let generator = LoadGenerator(client: client)
      let rate = try #require(RequestRate(max(1 / seconds, .leastNonzeroMagnitude)))
      let run = Task {
        try await generator.run(
          [request], on: endpoint, arrivals: ArrivalSchedule(rate: rate), maximumConcurrency: 1)
      }
      try await Task.sleep(for: .milliseconds(100))
      generator.stop()
      #expect(try await run.value.records.count <= 1)
      await client.shutDown()
    }
  }

  @Test("stopping ends the run with what is whole, and lets none begin")
  func stop() async throws {
    try await ScriptedServer.run({ number, _ in
      number < 2 ? Self.answer : ScriptedServer.Script(pieces: [], hangs: true)
    }) { server in
      let client = ServingClient(connections: 1)
      let generator = LoadGenerator(client: client)
      let endpoint = ServingEndpoint(baseURL: server.baseURL, backend: .openai)
      let run = try await generator.run(requests(10), on: endpoint, maximumConcurrency: 1) { progress in
        if progress.finished == 2 { generator.stop() }
      }
      #expect(run.records.map(\.index) == [0, 1] && run.unfinished == 8)
      #expect(try await generator.run(requests(3), on: endpoint).records.isEmpty)
      await client.shutDown()
    }
  }

  @Test("figures add up over categories; failures are counted and the benchmark goes on")
  func figures() async throws {
    try await ScriptedServer.run({ _, request in
      if request.contains("/v1/models") { return .whole("200 OK", "{\"data\":[{\"id\":\"the model\"}]}") }
      if request.contains("/version") { return .whole("200 OK", "{\"version\":\"9\"}") }
      if !request.contains("/v1/completions") { return .whole("404 No", "") }
      return request.contains("\"prompt\":\"3\"")
        ? .whole("503 Busy", "{\"error\":{\"message\":\"busy\"}}") : Self.answer
    }) { server in
      let client = ServingClient(connections: 2)
      let workload = Workload(name: "w", requests: requests(5, "x") + requests(3, "y"))
      var plan = ServingBenchmark.Plan(
        endpoint: ServingEndpoint(baseURL: server.baseURL, backend: .openai, model: "m"), workload: workload)
      plan.maximumConcurrency = 2
      plan.warmups = 2
      plan.keepsDetails = true
      plan.summing.objectives = ServingObjectives(ttft: 60_000)
      let result = try await ServingBenchmark(
        plan, client: client, generator: LoadGenerator(client: client)
      ).run()
      await client.shutDown()
      #expect(result.total.completed == 7 && result.total.failed == 1 && result.total.totalOutputTokens == 14)
      #expect(result.total.failures.map(\.kind) == [.httpServer] && result.total.failures[0].status == 503)
      #expect(result.categories.map(\.name) == ["x", "y"] && result.categories.map(\.figures.completed) == [4, 3])
      let seconds = result.categories.reduce(0) { $0 + $1.figures.duration }
      #expect(abs(seconds - result.total.duration) < 1e-9)
      #expect(result.total.requestGoodput == result.total.requestThroughput)
      #expect(result.header.serverVersion == "9" && !result.header.isPartial)
      #expect(result.total.latencies[.ttft]?.count == 7 && result.total.latencies[.itl]?.count == 7)
      #expect(result.details?.errors.filter { !$0.isEmpty }.count == 1)
      let data = try JSONEncoder().encode(result)
      #expect(try JSONDecoder().decode(ServingResult.self, from: data) == result)
    }
  }

  @Test("the result's keys are vLLM's")
  func keys() throws {
    let latencies = [ServingMetric.ttft, .tpot, .itl, .e2el].map {
      ServingFixture.latency($0, mean: 1, percentiles: ["99": 2, "99.9": 3])
    }
    let speculation = ServingFixture.speculation(
      drafts: 4, draftTokens: 12, accepted: 6, rates: [0.75, 0.5, 0.25])
    let figures = (latencies + [speculation]).reduce(ServingFixture.figures()) { $0.merging($1) { $1 } }
    var result = try JSONDecoder().decode(
      ServingResult.self,
      from: ServingFixture.data(
        ServingFixture.result(
          ["model_id": "m", "base_url": "http://h", "dataset": "d"], figures: figures, categories: ["c": figures])))
    result.details = ServingResult.Details([])
    let data = try JSONEncoder().encode(result)
    let object = try JSONValue(parsing: Array(data))
    for key in [
      "date", "backend", "model_id", "num_prompts", "request_rate", "burstiness", "duration", "completed", "failed",
      "total_input_tokens", "total_output_tokens", "request_throughput", "request_goodput", "output_throughput",
      "total_token_throughput", "max_output_tokens_per_s", "max_concurrent_requests", "mean_ttft_ms", "median_ttft_ms",
      "std_ttft_ms", "p99_ttft_ms", "p99.9_tpot_ms", "mean_itl_ms", "p99_e2el_ms", "spec_decode_acceptance_rate",
      "spec_decode_acceptance_length", "spec_decode_num_drafts", "spec_decode_draft_tokens",
      "spec_decode_accepted_tokens", "spec_decode_per_position_acceptance_rates", "input_lens", "output_lens", "ttfts",
      "itls", "latencies", "start_times", "queue_times", "generated_texts", "errors", "categories", "client",
    ] {
      #expect(object[key] != nil, "no \(key)")
    }
    #expect(object["request_rate"] == "inf" && object["spec_decode_acceptance_length"] == 2.5)
    #expect(object["spec_decode_acceptance_rate"] == 50)
    #expect(object["spec_decode_per_position_acceptance_rates"] == [0.75, 0.5, 0.25])
    #expect(try JSONDecoder().decode(ServingResult.self, from: data) == result)
  }
}
