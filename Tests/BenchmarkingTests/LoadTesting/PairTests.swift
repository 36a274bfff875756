import Foundation
import JSON
import LoadTesting
import TestSupport
import Testing

/// The commands' inside against a server of ours in this process.
@Suite(.serialized) struct PairTests {
  /// The shipped pair's address while `body` runs.
  private func withPair(_ body: @Sendable (String) async throws -> Void) async throws {
    try await withPairServer { port in try await body("http://127.0.0.1:\(port)") }
  }

  @Test("a benchmark finds tokens, latencies and the server's own acceptance, by category", arguments: [1, 4])
  func benchmark(concurrency: Int) async throws {
    try await withPair { url in
      let client = ServingClient(connections: concurrency)
      let inspection = ServerInspection(client, ServingEndpoint(baseURL: url, backend: .openaiChat))
      #expect(try await inspection.firstModel(timeoutSeconds: 5) == "pair")
      let endpoint = ServingEndpoint(
        baseURL: url, backend: .openaiChat, model: "pair", extraBody: JSONObject([("temperature", 0)]))
      var plan = ServingBenchmark.Plan(
        endpoint: endpoint, workload: BuiltInWorkload.structured.workload(count: 10, outputTokens: 24))
      plan.maximumConcurrency = concurrency
      plan.keepsDetails = true
      let result = try await ServingBenchmark(
        plan, client: client, generator: LoadGenerator(client: client)
      ).run()
      await client.shutDown()
      #expect(result.total.completed == 10 && result.total.failed == 0)
      #expect(result.categories.map(\.name) == ["json", "code", "list", "email", "extraction"])
      let details = try #require(result.details)
      #expect(details.outputLengths.allSatisfy { (1...24).contains($0) } && details.inputLengths.allSatisfy { $0 > 0 })
      #expect(result.total.totalOutputTokens == details.outputLengths.reduce(0, +))
      let found = try #require(result.total.speculation)
      #expect(found.source == .metrics && found.draftTokens > 0 && found.acceptedTokens <= found.draftTokens)
      #expect(found.acceptedPerPosition.count <= 4 && found.acceptedPerPosition.reduce(0, +) == found.acceptedTokens)
      #expect(result.categories.allSatisfy { $0.figures.speculation != nil })
      #expect(result.total.latencies[.itlByToken]?.count == result.total.totalOutputTokens - 10)
      #expect(result.client.tokenCounts.allSatisfy { [.onePerEvent, .continuousUsage].contains($0) })
    }
  }

  @Test("with and without speculation, answers are equal, and acceptance is the responses' own")
  func comparison() async throws {
    try await withPair { url in
      let client = ServingClient(connections: 2)
      let a = ServingEndpoint(
        baseURL: url, backend: .openaiChat, model: "pair", extraBody: JSONObject([("temperature", 0)]))
      var b = a
      b.extraBody["speculative"] = ["enabled": false]
      var plan = ServingComparison.Plan(
        a: a, b: b, workload: BuiltInWorkload.openEnded.workload(count: 9, outputTokens: 16))
      plan.concurrency = 2
      let result = try await ServingComparison(
        plan, client: client, generator: LoadGenerator(client: client)
      ).run()
      await client.shutDown()
      let outputs = try #require(result.overall.outputs)
      #expect(outputs.compared == 9 && outputs.equal == 9 && outputs.firstDifference == nil)
      #expect(result.overall.pairs == 6 && result.categories.map(\.name) == ["story", "opinion", "brainstorm"])
      let speedup = try #require(result.overall.outputThroughput)
      let (lower, upper) = (try #require(speedup.lower), try #require(speedup.upper))
      #expect(lower <= speedup.ratio && speedup.ratio <= upper && lower > 0)
      // Two pairs say nothing of what others would be.
      #expect(result.categories.allSatisfy { $0.pairs == 2 && $0.outputThroughput?.lower == nil })
      #expect(result.a.total.speculation?.source == .responses && result.b.total.speculation == nil)
      #expect(result.a.total.totalOutputTokens == result.b.total.totalOutputTokens)
      let data = try JSONEncoder().encode(result)
      #expect(try JSONDecoder().decode(ServingComparisonResult.self, from: data) == result)
    }
  }
}

@Suite struct ComparisonTests {
  /// Two servers whose answers part at one prompt.
  @Test("the first difference is shown where it is, and ratios are of the same requests")
  func difference() async throws {
    @Sendable func script(_ ending: String) -> @Sendable (Int, String) -> ScriptedServer.Script {
      { _, request in
        guard request.contains("/v1/completions") else { return .whole("404 No", "") }
        let text = request.contains("\"prompt\":\"2\"") ? "the same until \(ending)" : "equal"
        return .stream([
          "{\"choices\":[{\"text\":\"\(text)\"}]}", "{\"choices\":[{\"text\":\"!\",\"finish_reason\":\"stop\"}]}",
          "{\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}",
        ])
      }
    }
    try await ScriptedServer.run(script("here")) { left in
      try await ScriptedServer.run(script("there")) { right in
        let client = ServingClient(connections: 1)
        let requests = (0..<4).map { WorkloadRequest(category: "c", prompt: .text("\($0)")) }
        let plan = ServingComparison.Plan(
          a: ServingEndpoint(baseURL: left.baseURL, backend: .openai),
          b: ServingEndpoint(baseURL: right.baseURL, backend: .openai),
          workload: Workload(name: "w", requests: requests))
        let result = try await ServingComparison(
          plan, client: client, generator: LoadGenerator(client: client)
        ).run()
        await client.shutDown()
        let outputs = try #require(result.overall.outputs)
        #expect(outputs.compared == 4 && outputs.equal == 3)
        let difference = try #require(outputs.firstDifference)
        #expect(difference.request == 2 && difference.prompt == "2" && difference.position == 15)
        #expect(difference.a == "the same until here!" && difference.b == "the same until there!")
        #expect(result.overall.pairs == 4 && result.a.total.totalOutputTokens == 8)
        // Turns alternate: A B, B A, ….
        #expect(left.requests.count == right.requests.count)
      }
    }
  }
}
