import Foundation
import JSON
import OpenAIServer
import Testing

/// SageMaker's container contract.
@Suite struct SageMakerTests {
  private static let chat = #"{"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 3}"#
  private static let completion = #"{"prompt": "One, two,", "max_tokens": 3, "temperature": 0}"#

  @Test("one path answers chats and completions, by their fields")
  func invocations() async throws {
    try await withRouter({ $0.answersInvocations = true }) { server in
      let ping = try await server.ask("GET", "/ping")
      #expect(ping.status == 200)
      let chat = try await server.ask("POST", "/invocations", body: Self.chat)
      #expect(chat.status == 200)
      let kind = try chat.json["object"]?.string
      #expect(kind == "chat.completion")
      let completion = try await server.ask("POST", "/invocations", body: Self.completion)
      let same = try await server.ask("POST", "/v1/completions", body: Self.completion)
      #expect(completion.status == 200)
      let texts = try [completion, same].map { try $0.json["choices"]?.array?.first?["text"]?.string }
      #expect(texts[0] != nil && texts[0] == texts[1])
      let streamed = Self.chat.replacing("\"max_tokens\"", with: "\"stream\": true, \"max_tokens\"")
      let stream = try await server.ask("POST", "/invocations", body: streamed)
      #expect(stream.events.last == "[DONE]")
    }
  }

  @Test(
    "what is neither or both is refused by name",
    arguments: [
      ("{}", "neither 'messages' nor 'prompt'"), (#"{"inputs": "Hi"}"#, "neither 'messages' nor 'prompt'"),
      (#"{"messages": [], "prompt": "a"}"#, "both 'messages' and 'prompt'"), ("[]", "expected a JSON object"),
    ])
  func refusals(body: String, words: String) async throws {
    try await withRouter({ $0.answersInvocations = true }) { server in
      let response = try await server.ask("POST", "/invocations", body: body)
      #expect(response.status == 400 && response.body.contains(words), "\(response.body)")
    }
  }

  @Test("without the contract there is no such path")
  func absent() async throws {
    try await withRouter { server in
      let response = try await server.ask("POST", "/invocations", body: Self.chat)
      #expect(response.status == 404)
    }
  }
}
