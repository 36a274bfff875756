internal import Decoding
internal import HTTPTypes
internal import Hummingbird
internal import Inference
internal import JSON
internal import Logging
internal import NIOCore

/// A request that the engine has taken, on its way to the client: whole, or as a stream.
struct AnswerJob<Format: AnswerFormat>: Sendable {
  let serving: ServingContext
  let format: Format
  let context: ServerRequestContext
  private let head: AnswerHead
  private let streams: [AsyncStream<GenerationEvent>]
  private let ticket: AdmissionGate.Ticket
  private let promptTokens: Int
  private let progress = AnswerProgress()

  /// Hands `requests`, one per answer, to the engine.
  ///
  /// - Throws: 429 when too many wait, 400 for a request that the model cannot serve.
  init(
    _ requests: [GenerationRequest], promptTokens: Int, format: Format, serving: ServingContext,
    context: ServerRequestContext
  ) throws(APIError) {
    self.serving = serving
    self.format = format
    self.context = context
    self.promptTokens = promptTokens
    head = AnswerHead(
      requestID: context.requestID, created: AnswerHead.unixTime, model: serving.modelName)
    ticket = try serving.gate.admit(requests.count)
    var streams: [AsyncStream<GenerationEvent>] = []
    serving.metrics.observe(requests, answersPerPrompt: format.count)
    for request in requests {
      do { streams.append(try serving.engine.generate(request)) } catch { throw APIError(error) }
    }
    self.streams = streams
  }

  /// The answer to a conversation, whole or as a stream.
  ///
  /// - Parameter warnings: what of the request was not heeded.
  static func answer(
    _ chat: ChatCompletionRequest, format: Format, warnings: [String], serving: ServingContext,
    context: ServerRequestContext
  ) async throws -> Response {
    let generation = chat.generation
    let job = try AnswerJob(
      generation.requests(for: [chat.prompt]), promptTokens: chat.prompt.count, format: format, serving: serving,
      context: context)
    var response = generation.streams ? try job.eventStream(generation) : try await job.response()
    if !warnings.isEmpty { response.headers[.warnings] = warnings.joined(separator: "; ") }
    return response
  }

  // MARK: Whole

  /// The answer in one piece.
  func response() async throws -> Response {
    defer { withExtendedLifetime(ticket) {} }
    let answers = try await serving.whileAwaited(context, logCancellation) { try await self.answers() }
    return try await serving.work.run(for: context, isNew: false) { _ in try whole(answers) }
  }

  /// One answer that has come to its end.
  private struct Answer: Sendable {
    let index: Int
    var choice: Format.Choice
    let summary: GenerationSummary
  }

  private func answers() async throws -> [Answer] {
    try await withThrowingTaskGroup(of: Answer.self) { group in
      for (index, stream) in streams.enumerated() {
        group.addTask {
          var choice = format.choice(index)
          var meter = GenerationMeter(metrics: serving.metrics)
          for await event in stream {
            switch event {
            case .token(let token):
              meter.token()
              progress.count()
              choice.add(token)
            case .finished(let summary):
              meter.finish(summary)
              if case .failed(let reason) = summary.reason { throw APIError.engineFailed(reason) }
              return Answer(index: index, choice: choice, summary: summary)
            }
          }
          meter.abort()
          throw CancellationError()
        }
      }
      var answers: [Answer] = []
      for try await answer in group { answers.append(answer) }
      return answers.sorted { $0.index < $1.index }
    }
  }

  /// All answers in one piece.
  private func whole(_ answers: [Answer]) throws -> Response {
    let usage = usage(of: answers.map { ($0.index, $0.summary) })
    serving.metrics.observe(longestOf: answers.map(\.summary))
    log(usage, reasons: answers.map(\.summary.reason.name))
    let body = try format.body(
      head, answers.map { ($0.choice, $0.summary) }, usage: usage.json, metrics: serving.metrics(of: usage))
    return Response(
      status: .ok, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: body))
  }

  // MARK: Streaming

  /// The answer as server-sent events.
  func eventStream(_ generation: GenerationFields) throws -> Response {
    let queue = EventQueue(limit: serving.configuration.maximumBufferedBytes, framing: format.framing)
    let connection = serving.connections.connection(of: context.channel)
    let stream = RunningStream(
      queue: queue, connection: connection, requests: serving.running,
      writing: Task { await write(into: queue, generation) })
    try stream.start()
    return Response(
      status: .ok,
      headers: [
        // Proxies are to pass events on as they come.
        .contentType: format.framing.contentType, .cacheControl: "no-cache", .accelBuffering: "no",
      ],
      body: ResponseBody { writer in
        let watch = Task { await hangUpWhenStuck(queue, connection) }
        defer {
          watch.cancel()
          withExtendedLifetime((stream, ticket)) {}
        }
        while let events = await queue.next() { try await writer.write(events) }
        try await writer.finish(nil)
      })
  }

  /// Writes every answer's pieces into `queue` as they come.
  private func write(into queue: EventQueue, _ generation: GenerationFields) async {
    let scores = generation.request.promptLogprobCount == nil ? nil : SharedPromptScores()
    let summaries = await withTaskGroup(of: (Int, GenerationSummary?).self) { group in
      for (index, stream) in streams.enumerated() {
        group.addTask {
          let summary = await write(stream, index: index, into: queue, generation, scores)
          if index % format.count == 0 { scores?.set(nil, of: index / format.count) }
          return (index, summary)
        }
      }
      var summaries: [(index: Int, summary: GenerationSummary)] = []
      for await (index, summary) in group {
        if let summary { summaries.append((index, summary)) } else { group.cancelAll() }
      }
      return summaries.sorted { $0.index < $1.index }
    }
    let usage = usage(of: summaries.map { ($0.index, $0.summary) })
    if queue.isCut || summaries.count < streams.count {
      logCancellation(because: queue.cause ?? "client_left")
    } else {
      serving.metrics.observe(longestOf: summaries.map(\.summary))
      log(usage, reasons: summaries.map(\.summary.reason.name))
    }
    if generation.includesUsage,
      let last = format.usageEvent(head, usage: usage.json, metrics: serving.metrics(of: usage))
    {
      _ = queue.push(last)
    }
    queue.finish(isComplete: true)
  }

  /// Writes one answer's pieces.
  ///
  /// - Parameter scores: where the first answer to a prompt leaves what it is told about it, for the others.
  /// - Returns: `nil` when it did not come to its end.
  private func write(
    _ stream: AsyncStream<GenerationEvent>, index: Int, into queue: EventQueue, _ generation: GenerationFields,
    _ scores: SharedPromptScores?
  ) async -> GenerationSummary? {
    var choice = format.choice(index)
    var meter = GenerationMeter(metrics: serving.metrics)
    var packed: [GeneratedToken] = []
    var written = 0
    func chunk(_ piece: JSONValue) -> JSONValue {
      let usage =
        generation.reportsUsageContinuously
        ? Usage.json(promptTokens: promptTokens, outputTokens: format.discardsOutput ? 0 : written) : nil
      return format.event(piece, head, usage: usage)
    }
    func push(_ pieces: [JSONValue]) -> Bool { pieces.allSatisfy { queue.push(chunk($0)) } }
    var isOpen = push(choice.opening())
    for await event in stream {
      guard isOpen else { break }
      switch event {
      case .token(var token):
        meter.token()
        progress.count()
        written += 1
        if let scores, written == 1 {
          if index % format.count == 0 {
            scores.set(token.promptLogprobs, of: index / format.count)
          } else {
            token.promptLogprobs = await scores.scores(of: index / format.count)
          }
        }
        packed.append(token)
        guard packed.count >= serving.configuration.streamInterval else { continue }
        if written == packed.count {
          // The first pieces may hold the prompt, which no reader asked for piece by piece.
          for piece in choice.pieces(for: packed) where isOpen {
            isOpen = await queue.push(whenThereIsRoom: chunk(piece))
          }
        } else {
          isOpen = push(choice.pieces(for: packed))
        }
        packed = []
      case .finished(let summary):
        meter.finish(summary)
        if case .failed(let reason) = summary.reason {
          let error = APIError.engineFailed(reason)
          queue.fail(error, saying: choice.failing(error))
          return nil
        }
        if !packed.isEmpty { _ = push(choice.pieces(for: packed)) }
        _ = push(choice.closing(summary))
        return summary
      }
    }
    meter.abort()
    return nil
  }

  /// Hangs up on a client that has not taken anything for too long.
  private func hangUpWhenStuck(_ queue: EventQueue, _ connection: ClientConnection) async {
    let timeout = serving.configuration.writeTimeout
    while !Task.isCancelled {
      try? await Task.sleep(for: min(timeout / 4, .seconds(1)))
      if let time = queue.sendingTime, time > timeout {
        context.logger.warning("reader stuck; connection closed", metadata: ["seconds": "\(time.components.seconds)"])
        connection.close()
        return
      }
    }
  }

  // MARK: Parts

  /// What the answers that came to their ends have used, by their indices.
  private func usage(of answers: [(index: Int, summary: GenerationSummary)]) -> Usage {
    var usage = Usage(promptTokens: promptTokens)
    for (index, summary) in answers {
      usage.add(summary, isFirst: index % format.count == 0, discardsOutput: format.discardsOutput)
    }
    return usage
  }

  private func logCancellation(because cause: String) {
    context.logger.notice(
      "cancelled",
      metadata: [
        "prompt_tokens": "\(promptTokens)", "output_tokens": "\(progress.tokens)", "cause": "\(cause)",
        "seconds": "\(progress.seconds)",
      ])
  }

  private func log(_ usage: Usage, reasons: [String]) {
    context.logger.info(
      "answered",
      metadata: [
        "prompt_tokens": "\(usage.promptTokens)", "output_tokens": "\(usage.outputTokens)",
        "finish_reasons": "\(reasons.joined(separator: ","))",
      ])
  }
}
