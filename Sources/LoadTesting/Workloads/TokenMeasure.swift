internal import JSON
package import Tokenization

/// Counts and cuts tokens for workloads that ask for prompts of a length.
package struct TokenMeasure: Sendable {
  /// Where its counts come from.
  package enum Source: String, Sendable {
    /// A tokenizer on this machine.
    case tokenizer
    /// The server's `/tokenize` and `/detokenize`.
    case server
    /// Four characters to a token.
    case estimate
  }

  package let source: Source
  private let encode: @Sendable (String) async -> [TokenID]?
  private let decode: @Sendable ([TokenID]) async -> String?

  /// Of a tokenizer on this machine.
  package init(_ tokenizer: Tokenizer) {
    source = .tokenizer
    encode = { tokenizer.encode($0) }
    decode = { tokenizer.decode($0) }
  }

  /// Of a server, if it offers this; else an estimate.
  package init(_ client: ServingClient, _ endpoint: ServingEndpoint) async {
    @Sendable func tokens(_ text: String) async -> [TokenID]? {
      let body: JSONValue = [
        "model": .string(endpoint.model), "prompt": .string(text), "add_special_tokens": false,
      ]
      guard let answer = try? await client.post("/tokenize", body, to: endpoint),
        let list = (try? JSONValue(parsing: answer))?["tokens"]?.array
      else { return nil }
      let ids = list.compactMap { AnswerEvent.count($0).flatMap { TokenID(exactly: $0) } }
      return ids.count == list.count ? ids : nil
    }
    @Sendable func text(_ tokens: [TokenID]) async -> String? {
      let body: JSONValue = ["model": .string(endpoint.model), "tokens": .array(tokens.map { .integer(Int($0)) })]
      guard let answer = try? await client.post("/detokenize", body, to: endpoint) else { return nil }
      return (try? JSONValue(parsing: answer))?["prompt"]?.string
    }
    if let probe = await tokens("one two three"), !probe.isEmpty, await text(probe) != nil {
      source = .server
      encode = tokens
      decode = text
    } else {
      source = .estimate
      encode = { _ in nil }
      decode = { _ in nil }
    }
  }

  /// `phrase` over and over until it fills `count` tokens, cut there.
  func filling(_ count: Int, with phrase: String) async -> String {
    guard !phrase.isEmpty else { return "" }
    var text = phrase
    while true {
      // Every token is of at least one byte, so this ends.
      guard let tokens = await encode(text) else {
        let characters = count * 4
        return String(String(repeating: phrase, count: characters / phrase.count + 1).prefix(characters))
      }
      if tokens.count >= count { return await decode(Array(tokens.prefix(count))) ?? text }
      guard text.utf8.count < count * 64 else { return text }
      text += String(
        repeating: phrase, count: max(1, (count - tokens.count) * text.count / max(tokens.count, 1) / phrase.count))
    }
  }
}

extension Workload {
  /// The workload with the recipe's phrases repeated to their length.
  package func filled(by measure: TokenMeasure) async -> Workload {
    var texts: [String: String] = [:]
    for (_, phrase) in AWSTrainium2Recipe.cases {
      texts[phrase] = await measure.filling(AWSTrainium2Recipe.inputTokens, with: phrase)
    }
    return Workload(
      name: name,
      requests: requests.map {
        WorkloadRequest(
          category: $0.category, prompt: texts[$0.text].map { .text($0) } ?? $0.prompt, outputTokens: $0.outputTokens,
          inputTokens: $0.inputTokens, ignoresEndOfText: $0.ignoresEndOfText)
      })
  }
}
