import LoadTesting
import Testing
import Tuning

@Suite struct EndpointTunerTests {
  @Test("of a server that takes no window per request nothing is guessed, and what is not known is said")
  func unknown() async throws {
    try await ScriptedServer.run({ number, request in
      if request.contains("/metrics") {
        // Counters that never stand still: whatever a request asks for, the server speculates.
        let drafts = 10 * (number + 1)
        return .whole(
          "200 OK",
          """
          vllm:spec_decode_num_drafts_total \(drafts)
          vllm:spec_decode_num_draft_tokens_total \(3 * drafts)
          vllm:spec_decode_num_accepted_tokens_total \(drafts)
          vllm:spec_decode_num_accepted_tokens_per_pos_total{position="0"} \(drafts)

          """)
      }
      guard request.contains("/v1/completions") else { return .whole("404 No", "") }
      return .stream(
        ["{\"choices\":[{\"text\":\"a\"}]}", "{\"choices\":[{\"text\":\"b\",\"finish_reason\":\"stop\"}]}"])
    }) { server in
      let client = ServingClient(connections: 2)
      let requests = (0..<2).map { WorkloadRequest(category: "c", prompt: .text("\($0)")) }
      var plan = EndpointTuner.Plan(
        endpoint: ServingEndpoint(baseURL: server.baseURL, backend: .openai, model: "m"),
        workload: Workload(name: "w", requests: requests), concurrencies: [2, 1])
      plan.repetitions = 1
      let result = try await EndpointTuner(plan, client: client, generator: LoadGenerator(client: client))
        .run { _, _ in }
      await client.shutDown()
      #expect(result.entries.map(\.concurrency) == [1, 2] && result.entries.allSatisfy { $0.candidate.window == 3 })
      for entry in result.entries {
        #expect(entry.measured != nil && entry.predicted == nil && entry.knownSpeedup == nil)
        #expect(entry.meanAcceptanceLength == 2 && entry.breakEvenLength == nil)
      }
      #expect(!result.choice.speculates && result.choice.method == nil && result.choice.values.isEmpty)
      #expect(result.choice.reason.contains("not known") && result.choice.reason.contains("2.00 at 1 at a time"))
      #expect(result.assumptions.contains { $0.hasPrefix("Not measured") })
    }
  }
}
