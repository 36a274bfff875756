internal import Decoding
internal import JSON

/// Answers of `/v1/responses`.
struct ResponsesFormat: SingleAnswerFormat {
  let framing = EventFraming.responses

  let serving: ServingContext
  let request: ResponsesRequest
  let created = AnswerHead.unixTime

  func choice(_ index: Int) -> ResponsesChoice { ResponsesChoice(format: self) }

  var names: TokenNames {
    TokenNames(tokenizer: serving.tokenizer, byID: request.chat.generation.namesTokensByID)
  }
  var wantsLogprobs: Bool { request.chat.generation.request.logprobCount != nil }

  /// A response as far as it has come.
  func response(_ status: String, output: [JSONValue], with fields: [(String, JSONValue)] = []) -> JSONObject {
    var response = JSONObject([
      ("id", .string(request.id)), ("object", "response"), ("created_at", .integer(created)),
      ("status", .string(status)), ("error", .null), ("incomplete_details", .null),
      ("model", .string(serving.modelName)), ("output", .array(output)), ("usage", .null),
    ])
    for (key, value) in request.repeated.pairs { response[key] = value }
    for (key, value) in fields { response[key] = value }
    return response
  }
}

/// A response as it comes.
struct ResponsesChoice: ChoiceFormat {
  private let format: ResponsesFormat
  private var items: AnswerItems
  /// Tokens so far, where they are wanted beside the text.
  private var tokens: [GeneratedToken] = []
  /// Events so far.
  private var number = 0

  init(format: ResponsesFormat) {
    self.format = format
    items = AnswerItems(parser: format.request.chat.parser, keepsTokens: format.wantsLogprobs)
  }

  // MARK: Events

  mutating func opening() -> [JSONValue] {
    let response = JSONValue.object(format.response("in_progress", output: []))
    return ["response.created", "response.in_progress"].map { event($0, [("response", response)]) }
  }

  mutating func pieces(for tokens: [GeneratedToken]) -> [JSONValue] {
    keep(tokens)
    return items.consume(tokens).flatMap { events($0, isCut: false) }
  }

  mutating func closing(_ summary: GenerationSummary) -> [JSONValue] {
    let isCut = summary.reason == .length
    var events = finish(summary).flatMap { self.events($0, isCut: isCut) }
    let response = ended(summary)
    events.append(event("response.\(isCut ? "incomplete" : "completed")", [("response", .object(response))]))
    return events
  }

  mutating func failing(_ error: APIError) -> [JSONValue]? {
    let reason: JSONValue = ["code": "server_error", "message": .string(error.message)]
    let response = format.response("failed", output: output(isCut: true), with: [("error", reason)])
    return [event("response.failed", [("response", .object(response))])]
  }

  private mutating func event(_ type: String, _ fields: [(String, JSONValue)]) -> JSONValue {
    defer { number += 1 }
    return .object(JSONObject([("type", .string(type)), ("sequence_number", .integer(number))] + fields))
  }

  /// What tells of a change to an item.
  private mutating func events(_ change: AnswerItems.Change, isCut: Bool) -> [JSONValue] {
    switch change {
    case .began(let place): began(place)
    case .grew(let place, let text, let tokens): [grew(place, by: text, tokens)]
    case .ended(let place): ended(place, isCut: isCut)
    }
  }

  private mutating func began(_ place: Int) -> [JSONValue] {
    let item = item(place, status: "in_progress", isEmpty: true)
    var events = [event("response.output_item.added", [("output_index", .integer(place)), ("item", item)])]
    if let part = part(of: place, isEmpty: true) {
      events.append(event("response.content_part.added", position(place) + [("part", part)]))
    }
    return events
  }

  private mutating func grew(_ place: Int, by text: String, _ tokens: [GeneratedToken]) -> JSONValue {
    let delta = ("delta", JSONValue.string(text))
    return switch items.items[place].kind {
    case .thought: event("response.reasoning_text.delta", position(place) + [delta])
    case .text:
      event("response.output_text.delta", position(place) + [delta, ("logprobs", logprobs(of: tokens))])
    case .call: event("response.function_call_arguments.delta", position(place) + [delta])
    }
  }

  private mutating func ended(_ place: Int, isCut: Bool) -> [JSONValue] {
    let item = items.items[place]
    let text = JSONValue.string(item.text)
    var events: [JSONValue]
    switch item.kind {
    case .thought: events = [event("response.reasoning_text.done", position(place) + [("text", text)])]
    case .text:
      let logprobs = logprobs(of: item.tokens)
      events = [event("response.output_text.done", position(place) + [("text", text), ("logprobs", logprobs)])]
    case .call(_, let name):
      events = [
        event(
          "response.function_call_arguments.done", position(place) + [("name", .string(name)), ("arguments", text)])
      ]
    }
    if let part = part(of: place) {
      events.append(event("response.content_part.done", position(place) + [("part", part)]))
    }
    let done = self.item(place, status: isCut ? "incomplete" : "completed")
    events.append(event("response.output_item.done", [("output_index", .integer(place)), ("item", done)]))
    return events
  }

  /// Where an item is, or its only part.
  private func position(_ place: Int) -> [(String, JSONValue)] {
    var fields: [(String, JSONValue)] = [("item_id", id(place)), ("output_index", .integer(place))]
    if case .call = items.items[place].kind { return fields }
    fields.append(("content_index", 0))
    return fields
  }

  // MARK: Whole

  mutating func add(_ token: GeneratedToken) {
    keep([token])
    _ = items.consume([token])
  }

  mutating func whole(_ summary: GenerationSummary) -> JSONValue {
    _ = finish(summary)
    return .object(ended(summary))
  }

  private mutating func keep(_ tokens: [GeneratedToken]) {
    if format.request.chat.generation.extras.areWanted { self.tokens += tokens }
  }

  /// The rest of the items. A response that is complete says or calls something, if it is nothing.
  private mutating func finish(_ summary: GenerationSummary) -> [AnswerItems.Change] {
    var changes = items.finish(summary)
    if summary.reason != .length, items.items.allSatisfy({ $0.kind == .thought }) { changes += items.addEmptyText() }
    return changes
  }

  /// The response at its end, which is kept if it is to be.
  private func ended(_ summary: GenerationSummary) -> JSONObject {
    let isCut = summary.reason == .length
    var usage = Usage(promptTokens: summary.promptTokens)
    usage.add(summary, isFirst: true, discardsOutput: false)
    let end: (String, JSONValue) =
      isCut
      ? ("incomplete_details", ["reason": "max_output_tokens"])
      : ("completed_at", .integer(AnswerHead.unixTime))
    var response = format.response(
      isCut ? "incomplete" : "completed", output: output(isCut: isCut),
      with: [("usage", usage.responsesJSON(reasoningTokens: items.thoughtTokens)), end])
    response["metrics"] = format.serving.metrics(of: usage)
    format.request.chat.generation.extras.add(tokens, format.names, to: &response)
    if let input = format.request.keptInput {
      let text = JSONValue.object(response).serialized()
      format.serving.responses.keep(.init(input: input, response: Array(text.utf8)), as: format.request.id)
    }
    return response
  }

  // MARK: Items

  private func output(isCut: Bool) -> [JSONValue] {
    items.items.indices.map { place in
      item(place, status: isCut && place == items.items.count - 1 ? "incomplete" : "completed")
    }
  }

  private func id(_ place: Int) -> JSONValue {
    let prefix =
      switch items.items[place].kind {
      case .thought: "rs"
      case .text: "msg"
      case .call: "fc"
      }
    return .string("\(prefix)_\(format.request.id.dropFirst("resp_".count))_\(place)")
  }

  private func item(_ place: Int, status: String, isEmpty: Bool = false) -> JSONValue {
    let item = items.items[place]
    let content = JSONValue.array(isEmpty ? [] : part(of: place).map { [$0] } ?? [])
    var fields: [(String, JSONValue)] = [("id", id(place)), ("status", .string(status))]
    switch item.kind {
    case .thought: fields += [("type", "reasoning"), ("summary", []), ("content", content)]
    case .text: fields += [("type", "message"), ("role", "assistant"), ("content", content)]
    case .call(let id, let name):
      fields += [
        ("type", "function_call"), ("call_id", .string(id)), ("name", .string(name)),
        ("arguments", .string(isEmpty ? "" : item.text)),
      ]
    }
    return .object(JSONObject(fields))
  }

  /// The part that an item's text is; `nil` for calls.
  private func part(of place: Int, isEmpty: Bool = false) -> JSONValue? {
    let item = items.items[place]
    let text = JSONValue.string(isEmpty ? "" : item.text)
    return switch item.kind {
    case .thought: ["type": "reasoning_text", "text": text]
    case .text:
      [
        "type": "output_text", "text": text, "annotations": [], "logprobs": logprobs(of: isEmpty ? [] : item.tokens),
      ]
    case .call: nil
    }
  }

  private func logprobs(of tokens: [GeneratedToken]) -> JSONValue {
    .array(tokens.compactMap { format.names.chatLogprobs($0) })
  }
}

extension Usage {
  /// `usage` as responses have it.
  fileprivate func responsesJSON(reasoningTokens: Int) -> JSONValue {
    [
      "input_tokens": .integer(promptTokens),
      "input_tokens_details": [
        "cached_tokens": .integer(cachedTokens), "cache_write_tokens": .integer(promptTokens - cachedTokens),
      ],
      "output_tokens": .integer(outputTokens),
      "output_tokens_details": ["reasoning_tokens": .integer(reasoningTokens)],
      "total_tokens": .integer(promptTokens + outputTokens),
    ]
  }
}
