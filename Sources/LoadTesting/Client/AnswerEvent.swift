internal import JSON

/// What one event of a streamed answer says, whichever of the APIs it is from.
struct AnswerEvent {
  var text = ""
  /// Tokens that it brought, if it says so by itself (log-probabilities or token ids).
  var ownTokens: Int?
  var finishReason: String?
  /// `usage.completion_tokens`: so far, or in all.
  var completionTokens: Int?
  var promptTokens: Int?
  var speculation: SpeculationFigures?
  /// Whether it has a choice; the last usage event has none.
  var hasChoice = false

  /// - Throws: `RequestFailure` if it is not JSON, not an object, or an error.
  init(_ data: [UInt8]) throws {
    let value: JSONValue
    do {
      value = try JSONValue(parsing: data)
    } catch {
      throw RequestFailure(.badPayload, "an event is not JSON: \(error); found \(Self.excerpt(data))")
    }
    try self.init(value)
  }

  /// An event, or a whole answer that was not streamed.
  init(_ value: JSONValue) throws {
    guard case .object = value else {
      throw RequestFailure(
        .badPayload, "an event is \(Self.excerpt(Array(value.serialized().utf8))); expected an object")
    }
    if let error = value["error"], error != .null {
      let message = error["message"]?.string ?? error.string ?? error.serialized()
      throw RequestFailure(.serverError, message)
    }
    if let choice = value["choices"]?.array?.first {
      hasChoice = true
      let delta = choice["delta"] ?? choice["message"]
      text = choice["text"]?.string ?? ""
      if let delta {
        text += delta["reasoning_content"]?.string ?? delta["reasoning"]?.string ?? ""
        text += delta["content"]?.string ?? ""
        for call in delta["tool_calls"]?.array ?? [] {
          text += (call["function"]?["name"]?.string ?? "") + (call["function"]?["arguments"]?.string ?? "")
        }
      }
      finishReason = choice["finish_reason"]?.string
      ownTokens =
        choice["token_ids"]?.array?.count ?? choice["logprobs"]?["content"]?.array?.count
        ?? choice["logprobs"]?["tokens"]?.array?.count
    }
    completionTokens = Self.count(value["usage"]?["completion_tokens"])
    promptTokens = Self.count(value["usage"]?["prompt_tokens"])
    speculation = SpeculationFigures(response: value)
  }

  /// A number of tokens; `nil` for what is none, which is what an answer of more than `mostTokens` is taken for.
  static func count(_ value: JSONValue?) -> Int? {
    let most = OutsideNumbers.mostTokens
    switch value {
    case .integer(let count): return (0...most).contains(count) ? count : nil
    case .number(let count): return count >= 0 && count <= Double(most) ? Int(count) : nil
    default: return nil
    }
  }

  /// The first of the bytes, as text.
  static func excerpt(_ bytes: [UInt8]) -> String {
    let text = String(decoding: bytes.prefix(120), as: UTF8.self)
    return "\"\(text)\(bytes.count > 120 ? "…" : "")\""
  }
}

extension SpeculationFigures {
  /// vLLM's `metrics.speculative_decoding`, or the counts in llama.cpp's `timings`; `nil` if there is neither.
  init?(response: JSONValue) {
    if let found = response["metrics"]?["speculative_decoding"], case .object = found {
      let drafts = AnswerEvent.count(found["num_spec_steps"]) ?? 0
      let histogram = (found["acceptance_histogram"]?.array ?? []).prefix(OutsideNumbers.mostPositions).map {
        AnswerEvent.count($0) ?? 0
      }
      // Verifications that accepted at least n proposals.
      var atLeast: [Int] = []
      for count in histogram.dropFirst().reversed() { atLeast.append(count + (atLeast.last ?? 0)) }
      atLeast.reverse()
      self.init(
        source: .responses, drafts: drafts, draftTokens: AnswerEvent.count(found["num_draft_tokens"]) ?? 0,
        acceptedTokens: AnswerEvent.count(found["num_accepted_draft_tokens"]) ?? 0, acceptedPerPosition: atLeast)
    } else if let timings = response["timings"], let proposed = AnswerEvent.count(timings["draft_n"]) {
      self.init(
        source: .responses, draftTokens: proposed,
        acceptedTokens: AnswerEvent.count(timings["draft_n_accepted"]) ?? 0)
    } else {
      return nil
    }
  }
}
