internal import Decoding
internal import JSON
internal import NIOCore
internal import Tokenization

/// Answers of llama.cpp's `/completion`.
struct LlamaCompletionFormat: AnswerFormat {
  let framing = EventFraming.dataOnly

  let request: LlamaCompletionRequest
  let names: TokenNames
  let modelName: String
  let endOfText: Set<TokenID>
  let settings: JSONObject
  let contextLength: Int

  var count: Int { request.completion.generation.count }
  var discardsOutput: Bool { request.completion.isEchoOnly }

  func choice(_ index: Int) -> LlamaCompletionChoice { LlamaCompletionChoice(index: index, format: self) }

  func event(_ piece: JSONValue, _ head: AnswerHead, usage: JSONValue?) -> JSONValue { piece }

  func usageEvent(_ head: AnswerHead, usage: JSONValue, metrics: JSONValue?) -> JSONValue? { nil }

  /// An answer, or a list of several.
  func body(
    _ head: AnswerHead, _ answers: [(choice: LlamaCompletionChoice, summary: GenerationSummary)], usage: JSONValue,
    metrics: JSONValue?
  ) throws(APIError) -> ByteBuffer {
    let texts = answers.map { answer in
      var choice = answer.choice
      return choice.whole(answer.summary).serialized()
    }
    return ByteBuffer(string: texts.count == 1 ? texts[0] : "[\(texts.joined(separator: ","))]")
  }

  /// `completion_probabilities` of a token.
  fileprivate func probabilities(_ token: GeneratedToken) -> JSONValue? {
    guard let logprobs = token.logprobs else { return nil }
    var chosen = entry(token.id, logprobs.chosen)
    chosen["top_logprobs"] = .array(logprobs.top.map { .object(entry($0.token, $0.logprob)) })
    return .object(chosen)
  }

  private func entry(_ id: TokenID, _ logprob: Double) -> JSONObject {
    var entry = names.entry(id, logprob)
    entry["id"] = .integer(Int(id))
    return entry
  }
}

/// One answer.
struct LlamaCompletionChoice: ChoiceFormat {
  private let index: Int
  private let format: LlamaCompletionFormat
  private var text = ""
  private var tokens: [GeneratedToken] = []
  private var count = 0
  private var hasNewLine = false

  init(index: Int, format: LlamaCompletionFormat) { (self.index, self.format) = (index, format) }

  private var promptCount: Int { format.request.completion.prompts[index / format.count].count }

  func opening() -> [JSONValue] { [] }

  mutating func pieces(for tokens: [GeneratedToken]) -> [JSONValue] {
    guard !format.discardsOutput else { return [] }
    count += tokens.count
    let text = tokens.map(\.text).joined()
    hasNewLine = hasNewLine || text.contains("\n")
    var piece = JSONObject([
      ("index", .integer(index)), ("content", .string(text)),
      ("tokens", .array(tokens.map { .integer(Int($0.id)) })), ("stop", false), ("id_slot", -1),
      ("tokens_predicted", .integer(count)), ("tokens_evaluated", .integer(promptCount)),
    ])
    addProbabilities(tokens, to: &piece)
    return [.object(piece)]
  }

  mutating func closing(_ summary: GenerationSummary) -> [JSONValue] {
    [whole(summary, content: format.discardsOutput ? "" : summary.remainingText, tokens: [])]
  }

  mutating func add(_ token: GeneratedToken) {
    guard !format.discardsOutput else { return }
    text += token.text
    if format.request.returnsTokens || format.request.probabilityCount != nil { tokens.append(token) }
  }

  mutating func whole(_ summary: GenerationSummary) -> JSONValue {
    text += format.discardsOutput ? "" : summary.remainingText
    return whole(summary, content: text, tokens: tokens)
  }

  private func whole(_ summary: GenerationSummary, content: String, tokens: [GeneratedToken]) -> JSONValue {
    let output = format.discardsOutput ? 0 : summary.outputTokens
    let stop = stop(summary.reason)
    var answer = JSONObject([
      ("index", .integer(index)), ("content", .string(content)),
      ("tokens", .array(format.request.returnsTokens ? tokens.map { .integer(Int($0.id)) } : [])),
      ("id_slot", -1), ("stop", true), ("model", .string(format.modelName)), ("tokens_predicted", .integer(output)),
      ("tokens_evaluated", .integer(summary.promptTokens)),
      ("generation_settings", .object(format.settings)),
      ("prompt", .string(format.request.promptTexts[index / format.count])),
      ("has_new_line", .bool(hasNewLine || content.contains("\n"))),
      // Whether the context had room for no more.
      (
        "truncated",
        .bool(summary.reason == .length && summary.promptTokens + summary.outputTokens >= format.contextLength)
      ),
      ("stop_type", .string(stop.type)), ("stopping_word", .string(stop.word)),
      ("tokens_cached", .integer(summary.cachedTokens)),
      (
        "timings",
        LlamaSettings.timings(
          summary.timing, prompt: summary.promptTokens, cached: summary.cachedTokens, output: output,
          counts: summary.speculation)
      ),
    ])
    addProbabilities(tokens, to: &answer)
    return .object(chosen(answer))
  }

  /// Why it ended: `eos`, `limit` or `word`, and the word.
  private func stop(_ reason: FinishReason) -> (type: String, word: String) {
    if format.discardsOutput { return ("limit", "") }
    return switch reason {
    case .stopToken: ("eos", "")
    case .stopString(let word): ("word", word)
    case .length: ("limit", "")
    case .cancelled, .failed, .pooled: ("none", "")
    }
  }

  private func addProbabilities(_ tokens: [GeneratedToken], to object: inout JSONObject) {
    guard format.request.probabilityCount != nil, !tokens.isEmpty else { return }
    object["completion_probabilities"] = .array(tokens.compactMap(format.probabilities))
  }

  /// The fields of an answer that the request names, those of inner objects under their paths.
  private func chosen(_ answer: JSONObject) -> JSONObject {
    let wanted = format.request.responseFields
    guard !wanted.isEmpty else { return answer }
    var chosen = JSONObject()
    for path in wanted {
      var value: JSONValue? = .object(answer)
      for part in path.split(separator: "/") { value = value?[String(part)] }
      chosen[path] = value
    }
    return chosen
  }
}
