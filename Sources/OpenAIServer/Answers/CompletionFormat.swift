internal import Decoding
internal import JSON
internal import Tokenization

/// Answers of `/v1/completions`.
struct CompletionFormat: ChoicesFormat {
  let objectName = "text_completion"
  let chunkName = "text_completion"
  let idPrefix = "cmpl-"
  let discardsOutput: Bool

  let names: TokenNames
  let extras: TokenExtras
  let endOfText: Set<TokenID>
  let wantsLogprobs: Bool
  let echoes: Bool
  let prompts: [[TokenID]]
  let count: Int
  let promptScores: PromptScores?
  /// Whether the answer's text has no control tokens.
  let skipsSpecialTokens: Bool

  func choice(_ index: Int) -> CompletionChoice {
    CompletionChoice(index: index, prompt: prompts[index / count], format: self)
  }
}

/// One answer of a completion.
struct CompletionChoice: ChoiceFormat {
  private let index: Int
  private let prompt: [TokenID]
  private let format: CompletionFormat
  private var text = ""
  private var logprobs = LogprobLists()
  /// Those of the prompt.
  private var echoed = LogprobLists()
  private var tokens: [GeneratedToken] = []
  private var offsets: TextOffsets
  private var hasEchoed = false
  private var promptLogprobs: [TokenLogprobs]?

  init(index: Int, prompt: [TokenID], format: CompletionFormat) {
    self.index = index
    self.prompt = prompt
    self.format = format
    offsets = TextOffsets(
      tokenizer: format.names.tokenizer, skipsSpecialTokens: format.skipsSpecialTokens, continuesText: true)
  }

  func opening() -> [JSONValue] { [] }

  mutating func pieces(for tokens: [GeneratedToken]) -> [JSONValue] {
    var pieces: [JSONValue] = []
    if format.echoes, !hasEchoed {
      var lists = LogprobLists()
      let text = echo(scores: tokens.first?.promptLogprobs, into: &lists)
      pieces.append(piece(text, lists, tokens: nil))
    }
    guard !format.discardsOutput else { return pieces }
    var lists = LogprobLists()
    for token in tokens { list(token, in: &lists) }
    pieces.append(piece(tokens.map(\.text).joined(), lists, tokens: tokens))
    return pieces
  }

  func closing(_ summary: GenerationSummary) -> [JSONValue] {
    let text = format.discardsOutput ? "" : summary.remainingText
    return [piece(text, LogprobLists(), tokens: nil, end: endReason(summary.reason))]
  }

  mutating func add(_ token: GeneratedToken) {
    promptLogprobs = promptLogprobs ?? token.promptLogprobs
    if format.echoes, !hasEchoed {
      var lists = LogprobLists()
      text += echo(scores: token.promptLogprobs, into: &lists)
      echoed = lists
    }
    guard !format.discardsOutput else { return }
    text += token.text
    if format.extras.areWanted { tokens.append(token) }
    guard format.wantsLogprobs else { return }
    logprobs.append(token.id, score: token.logprobs, offset: offsets.next(token.id))
  }

  mutating func share(with first: CompletionChoice) {
    echoed = first.echoed
    promptLogprobs = promptLogprobs ?? first.promptLogprobs
  }

  func whole(_ summary: GenerationSummary) -> JSONValue {
    let reason = endReason(summary.reason)
    let lists = echoed + logprobs
    var choice = JSONObject([
      ("index", .integer(index)),
      ("text", .string(format.discardsOutput ? text : text + summary.remainingText)),
      ("logprobs", format.wantsLogprobs ? lists.json(format.names) : .null),
      ("finish_reason", .string(reason.name)),
      ("stop_reason", reason.stopReason(endOfText: format.endOfText)),
    ])
    if let scores = format.promptScores {
      choice["prompt_logprobs"] = format.names.promptLogprobs(prompt, promptLogprobs ?? [], count: scores.count)
    }
    format.extras.add(tokens, format.names, to: &choice)
    return .object(choice)
  }

  /// Nothing was asked for, so the limit ended it, whatever the token kept back.
  private func endReason(_ reason: FinishReason) -> FinishReason {
    if format.discardsOutput, case .stopToken = reason { .length } else { reason }
  }

  /// The prompt's text, with its log-probabilities.
  private mutating func echo(scores: [TokenLogprobs]?, into lists: inout LogprobLists) -> String {
    hasEchoed = true
    let text = format.names.tokenizer.decode(prompt)
    guard format.wantsLogprobs else { return text }
    var own = TextOffsets(tokenizer: format.names.tokenizer, skipsSpecialTokens: false, continuesText: false)
    for (place, token) in prompt.enumerated() {
      let score = place == 0 ? nil : scores.flatMap { $0.indices.contains(place - 1) ? $0[place - 1] : nil }
      lists.append(token, score: score, offset: own.next(token))
    }
    offsets.start(at: text.unicodeScalars.count)
    return text
  }

  private mutating func list(_ token: GeneratedToken, in lists: inout LogprobLists) {
    guard format.wantsLogprobs else { return }
    lists.append(token.id, score: token.logprobs, offset: offsets.next(token.id))
  }

  private func piece(
    _ text: String, _ lists: LogprobLists, tokens: [GeneratedToken]?, end: FinishReason? = nil
  ) -> JSONValue {
    var choice = JSONObject([
      ("index", .integer(index)), ("text", .string(text)),
      ("logprobs", format.wantsLogprobs && !lists.isEmpty ? lists.json(format.names) : .null),
      ("finish_reason", end.map { .string($0.name) } ?? .null),
    ])
    if let end { choice["stop_reason"] = end.stopReason(endOfText: format.endOfText) }
    if let tokens { format.extras.add(tokens, format.names, to: &choice) }
    return .object(choice)
  }
}

/// `logprobs` of a completion: four lists, one entry per token. They are kept as they came until they are written: as JSON
/// they take ten times the memory.
private struct LogprobLists {
  private var entries: [(token: TokenID, score: TokenLogprobs?, offset: Int)] = []

  var isEmpty: Bool { entries.isEmpty }

  static func + (first: LogprobLists, second: LogprobLists) -> LogprobLists {
    var both = first
    both.entries += second.entries
    return both
  }

  /// Adds a token; the first of a text has no score.
  mutating func append(_ token: TokenID, score: TokenLogprobs?, offset: Int) {
    entries.append((token, score, offset))
  }

  func json(_ names: TokenNames) -> JSONValue {
    var (tokens, logprobs, top): ([JSONValue], [JSONValue], [JSONValue]) = ([], [], [])
    for entry in entries {
      let name = names.name(of: entry.token)
      tokens.append(.string(name))
      guard let score = entry.score else {
        logprobs.append(.null)
        top.append(.null)
        continue
      }
      logprobs.append(TokenNames.clamped(score.chosen))
      var alternatives = JSONObject(score.top.map { (names.name(of: $0.token), TokenNames.clamped($0.logprob)) })
      // As vLLM: the chosen token is always there, even beyond the count.
      if alternatives[name] == nil { alternatives[name] = TokenNames.clamped(score.chosen) }
      top.append(.object(alternatives))
    }
    return [
      "text_offset": .array(entries.map { .integer($0.offset) }), "token_logprobs": .array(logprobs),
      "tokens": .array(tokens), "top_logprobs": .array(top),
    ]
  }
}
