import Foundation
import JSON
import LoadTesting
import TestSupport
import Testing
import Tokenization

/// Answers of servers of every kind, through the client as it is.
@Suite struct AnswerTests {
  private typealias Script = ScriptedServer.Script

  /// What the load generator makes of one answer.
  private func record(
    _ script: Script, backend: ServingEndpoint.Backend = .openaiChat, tokenizer: Tokenizer? = nil,
    stallSeconds: Double = 20
  ) async throws -> RequestRecord {
    var found: RequestRecord?
    try await ScriptedServer.run({ _, _ in script }) { server in
      found = try await Self.ask(server.baseURL, backend, tokenizer, stallSeconds)
    }
    return try #require(found)
  }

  private static func ask(
    _ url: String, _ backend: ServingEndpoint.Backend, _ tokenizer: Tokenizer?, _ stallSeconds: Double
  ) async throws -> RequestRecord {
    var patience = ServingClient.Patience()
    patience.stallSeconds = stallSeconds
    patience.connectSeconds = 2
    let client = ServingClient(connections: 4, patience: patience)
    let generator = LoadGenerator(client: client, tokenizer: tokenizer)
    let run = try await generator.run(
      [WorkloadRequest(category: "c", prompt: .text("p"), outputTokens: 8)],
      on: ServingEndpoint(baseURL: url, backend: backend, model: "m"))
    await client.shutDown()
    return try #require(run.records.first)
  }

  private func chat(_ text: String, finish: String? = nil, usage: Int? = nil) -> String {
    let reason = finish.map { "\"\($0)\"" } ?? "null"
    let counted = usage.map { ",\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":\($0)}" } ?? ""
    return "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\(text)\"},\"finish_reason\":\(reason)}]\(counted)}"
  }

  private func usage(_ count: Int) -> String {
    "{\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":\(count)}}"
  }

  @Test("one event per token: the role's event is none, the counts are usage's")
  func onePerToken() async throws {
    let role =
      "{\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}"
    let found = try await record(
      .stream([role, chat("Hel"), chat("lo"), chat("!", finish: "length"), usage(3)]))
    #expect(found.isComplete && found.text == "Hello!" && found.finishReason == "length")
    #expect(found.tokenCounts == .onePerEvent && found.events.map(\.tokens) == [1, 1, 1])
    #expect(found.inputTokens == 5 && found.outputTokens == 3)
    #expect(found.eventGaps.count == 2 && found.tokenGaps == found.eventGaps)
    #expect(try #require(found.timeToFirstToken) > 0 && found.latency > 0)
  }

  @Test("the token that ends an answer counts, with an event of its own or without")
  func endOfText() async throws {
    let own = try await record(.stream([chat("a"), chat("b"), chat("", finish: "stop"), usage(3)]))
    #expect(own.tokenCounts == .onePerEvent && own.events.map(\.tokens) == [1, 1, 1])
    let none = try await record(.stream([chat("a"), chat("b", finish: "stop"), usage(3)]))
    #expect(none.tokenCounts == .onePerEvent && none.events.map(\.tokens) == [1, 2])
    let silent = try await record(.stream([chat("a"), chat(""), chat("b"), chat("", finish: "stop"), usage(3)]))
    #expect(silent.tokenCounts == .onePerEvent && silent.events.map(\.tokens) == [1, 1, 1])
  }

  @Test("packed tokens are counted by usage in every event, by log-probabilities, by a tokenizer, or by length")
  func packed() async throws {
    let running = try await record(
      .stream([chat("abc", usage: 3), chat("d", usage: 4), chat("ef", finish: "length", usage: 6)]))
    #expect(running.tokenCounts == .continuousUsage && running.events.map(\.tokens) == [3, 1, 2])
    #expect(running.tokenGaps.count == 5 && running.tokenGaps.filter { $0 == 0 }.count >= 3)

    func scored(_ text: String, _ count: Int) -> String {
      let list = (0..<count).map { _ in "{\"token\":\"x\",\"logprob\":-1}" }.joined(separator: ",")
      return
        "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\(text)\"},\"logprobs\":{\"content\":[\(list)]},\"finish_reason\":null}]}"
    }
    let logprobs = try await record(.stream([scored("abc", 3), scored("d", 1)]))
    #expect(logprobs.tokenCounts == .logprobs && logprobs.events.map(\.tokens) == [3, 1])

    let tokenizer = try Tokenizer(directory: Places.target)
    let text = "The meeting about the annual report is on Friday."
    let middle = text.index(text.startIndex, offsetBy: 20)
    let halves = Script.stream([chat(String(text[..<middle])), chat(String(text[middle...]), finish: "stop")])
    let counted = try await record(halves, tokenizer: tokenizer)
    #expect(counted.tokenCounts == .tokenizer && counted.outputTokens == tokenizer.encode(text).count)
    #expect(counted.events.reduce(0) { $0 + $1.tokens } == counted.outputTokens)

    let estimated = try await record(.stream([chat("aaaaaa"), chat("bb", finish: "length"), usage(4)]))
    #expect(estimated.tokenCounts == .estimated && estimated.events.map(\.tokens) == [3, 1])
  }

  @Test("without usage, every event is taken for a token")
  func withoutUsage() async throws {
    let found = try await record(
      .stream(["{\"choices\":[{\"text\":\"a\"}]}", "{\"choices\":[{\"text\":\"b\",\"finish_reason\":\"stop\"}]}"]),
      backend: .openai)
    #expect(found.isComplete && found.text == "ab" && found.outputTokens == 2 && found.tokenCounts == .events)
  }

  @Test("thoughts and calls of tools are text too, and a server that does not stream is understood")
  func otherShapes() async throws {
    let found = try await record(
      .stream([
        "{\"choices\":[{\"delta\":{\"reasoning_content\":\"hm \"}}]}",
        "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},\"finish_reason\":\"tool_calls\"}]}",
      ]))
    #expect(found.isComplete && found.text == "hm f{}")
    let whole = try await record(
      .whole(
        "200 OK",
        "{\"choices\":[{\"message\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}],\"usage\":{\"completion_tokens\":1}}"
      ))
    #expect(whole.isComplete && whole.text == "hi" && whole.outputTokens == 1)
  }

  @Test("acceptance is read from vLLM's metrics or llama.cpp's timings in a response")
  func acceptance() async throws {
    let vllm = try await record(
      .stream([
        chat("a", finish: "stop"),
        "{\"choices\":[],\"usage\":{\"completion_tokens\":1},\"metrics\":{\"speculative_decoding\":{\"num_spec_steps\":10,\"num_draft_tokens\":30,\"num_accepted_draft_tokens\":16,\"acceptance_histogram\":[2,3,2,3]}}}",
      ]))
    let found = try #require(vllm.speculation)
    #expect(found.drafts == 10 && found.draftTokens == 30 && found.acceptedTokens == 16)
    #expect(found.acceptedPerPosition == [8, 5, 3] && found.source == .responses)
    let llama = try await record(
      .stream([chat("a", finish: "stop"), "{\"choices\":[],\"timings\":{\"draft_n\":8,\"draft_n_accepted\":6}}"]))
    #expect(llama.speculation?.acceptanceRate == 0.75 && llama.speculation?.acceptanceLength == nil)
  }

  @Test(
    "failures are told apart",
    arguments: [
      (Script.whole("500 Oops", "{\"error\":{\"message\":\"no memory\"}}"), .httpServer, 500, "no memory"),
      (Script.whole("429 Slow", "{\"error\":{\"message\":\"later\"}}"), .httpClient, 429, "later"),
      (Script.whole("400 Bad", "{\"detail\":\"no such model\"}"), .httpClient, 400, "no such model"),
      (Script.whole("404 No", "<html>", type: "text/html"), .httpClient, 404, "<html>"),
      (Script.whole("302 Away", "", type: "text/html"), .httpClient, 302, "no body"),
      (
        Script.stream(["{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}"], ends: false), .brokenStream, nil,
        "finish_reason"
      ),
      (Script.stream([], ends: false), .brokenStream, nil, "finish_reason"),
      (Script.stream(["{\"choices\": nonsense"]), .badPayload, nil, "nonsense"),
      (Script.stream(["[1]"]), .badPayload, nil, "[1]"),
      (Script.whole("200 OK", "<html>"), .badPayload, nil, "<html>"),
      (
        Script.stream(["{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}", "{\"error\":{\"message\":\"gone\"}}"]),
        .serverError,
        nil, "gone"
      ),
      (Script(pieces: [(0, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort")]), .brokenStream, nil, "closed"),
      (Script(pieces: [(0, "nothing like HTTP\r\n\r\n")]), .brokenStream, nil, "not HTTP"),
      (Script(pieces: []), .brokenStream, nil, "closed"),
    ] as [(ScriptedServer.Script, RequestFailure.Kind, Int?, String)])
  func failures(script: ScriptedServer.Script, kind: RequestFailure.Kind, status: Int?, words: String) async throws {
    let failure = try #require(try await record(script).failure)
    #expect(failure.kind == kind && failure.status == status && failure.description.contains(words))
  }

  @Test("a silent server times out, before the answer and within it")
  func stall() async throws {
    let silent = try await record(Script(pieces: [], hangs: true), stallSeconds: 2)
    #expect(silent.failure?.kind == .timeout)
    var begun = Script.stream([chat("a")], ends: false)
    begun.hangs = true
    let stalled = try await record(begun, stallSeconds: 2)
    #expect(stalled.failure?.kind == .timeout && stalled.text == "a")
  }

  @Test("no server, no connection")
  func refused() async throws {
    var port = ""
    try await ScriptedServer.run({ _, _ in Script(pieces: []) }) { port = $0.baseURL }
    #expect(try await Self.ask(port, .openai, nil, 20).failure?.kind == .connect)
  }

  @Test("requests carry what the endpoint says, the user's fields last")
  func body() async throws {
    try await ScriptedServer.run({ _, _ in .stream([]) }) { server in
      let client = ServingClient(connections: 1)
      let endpoint = ServingEndpoint(
        baseURL: server.baseURL + "/", backend: .openai, path: "/custom", model: "m", headers: [("X-Key", "secret")],
        extraBody: JSONObject([("temperature", 0.5), ("max_tokens", 3)]), ignoresEndOfText: true)
      _ = try await LoadGenerator(client: client).run(
        [WorkloadRequest(category: "c", prompt: .tokens([1, 2]), outputTokens: 8)], on: endpoint)
      await client.shutDown()
      let request = try #require(server.requests.first)
      #expect(request.hasPrefix("POST /custom HTTP/1.1\r\n") && request.contains("X-Key: secret"))
      let body = try JSONValue(parsing: String(request.split(separator: "\r\n\r\n")[1]))
      #expect(body["prompt"] == [1, 2] && body["temperature"] == 0.5 && body["max_tokens"] == 3)
      #expect(body["ignore_eos"] == true && body["stream"] == true && body["model"] == "m")
      #expect(body["stream_options"] == ["include_usage": true, "continuous_usage_stats": true])
    }
  }

  @Test("random bytes after a stream's head end in a record, whatever they are", arguments: 0..<40)
  func fuzz(seed: UInt64) async throws {
    var random = Random(seed)
    let whole = Array(
      (chat("ab", usage: 2) + "\n\ndata: " + chat("c", finish: "stop") + "\n\ndata: " + usage(3)
        + "\n\ndata: [DONE]\n\n").utf8)
    var bytes = whole
    for _ in 0..<Int.random(in: 0...6, using: &random) {
      bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 32...126, using: &random)
    }
    bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random)))
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: "
    let found = try await record(Script(pieces: [(0, head + String(decoding: bytes, as: UTF8.self))]))
    #expect(found.isComplete ? found.outputTokens >= 0 : found.failure?.description.isEmpty == false)
  }
}
