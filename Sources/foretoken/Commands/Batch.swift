internal import ArgumentParser
internal import ChatTemplates
internal import Decoding
internal import Foundation
internal import Inference
internal import JSON
internal import Presentation
internal import Tokenization

/// `foretoken batch`: many prompts at once, from a file to a file.
struct Batch: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Answer the prompts of a file, many at a time.",
    discussion: """
      Each line of the input is a JSON object with "prompt" (a string) or "messages" (a conversation), and may hold \
      "id", "seed" and "max_tokens". Each line of the output is the answer to one of them, in the input's order, with \
      "index", "id", "text", "token_ids", "finish_reason" and "usage".

      Example: foretoken batch -m Models/foretoken-reference-target prompts.jsonl -o answers.jsonl
      """)

  @Argument(
    help: "File of prompts, one JSON object per line; - for standard input.", completion: .file(extensions: ["jsonl"]))
  var input: String

  @Option(name: .shortAndLong, help: "Where to write the answers (default: standard output).", completion: .file())
  var output: String?

  @Option(help: "Most requests in one pass.")
  var maxNumSeqs = 16

  @Option(
    help: "Folder for the target's residual streams of prompts and answers, to train a head on (see Training).",
    completion: .directory)
  var taps: String?

  @Option(
    parsing: .upToNextOption,
    help: "With --taps: the layers whose streams are kept, as they enter the layer; the number of layers is the last.")
  var tapLayers: [Int] = []

  @OptionGroup var template: TemplateOptions
  @OptionGroup var engine: EngineOptions
  @OptionGroup(title: "Sampling") var sampling: SamplingOptions

  /// One line of the input.
  private struct Line {
    var prompt: String?
    var messages: [ChatMessage]?
    var id: String?
    var seed: UInt64?
    var maximumTokens: Int?

    /// `nil` for what is none.
    init?(_ text: some Sequence<UInt8>) {
      guard case .object(let object)? = try? JSONValue(parsing: Array(text)) else { return nil }
      for (key, value) in object.pairs where value != .null {
        switch (key, value) {
        case ("prompt", .string(let text)): prompt = text
        case ("messages", .array(let values)):
          let read = values.compactMap { try? ChatMessage(json: $0) }
          guard read.count == values.count else { return nil }
          messages = read
        case ("id", .string(let text)): id = text
        case ("seed", _):
          guard let number = value.wholeNumber else { return nil }
          seed = UInt64(bitPattern: Int64(number))
        case ("max_tokens", _):
          guard let number = value.wholeNumber else { return nil }
          maximumTokens = number
        case ("prompt", _), ("messages", _), ("id", _): return nil
        default: break
        }
      }
      guard (prompt == nil) != (messages == nil) else { return nil }
    }
  }

  /// One line of the output.
  private struct Answer: Encodable {
    struct Usage: Encodable { let prompt_tokens, completion_tokens: Int }
    let index: Int
    let id: String?
    var text = ""
    var token_ids: [TokenID] = []
    var finish_reason = ""
    var usage = Usage(prompt_tokens: 0, completion_tokens: 0)
  }

  func validate() throws {
    if taps == nil, !tapLayers.isEmpty { throw ValidationError("--tap-layers needs --taps.") }
    if taps != nil, tapLayers.isEmpty { throw ValidationError("--taps needs --tap-layers, such as 2 16 29 32.") }
  }

  func run() async throws {
    let lines = try readLines()
    var configuration = engine.resources.configuration(for: engine.model)
    configuration.speculation = try engine.speculation.configuration()
    configuration.sequences = min(maxNumSeqs, max(lines.count, 1))
    if let taps {
      configuration.recording = StreamRecording(layers: tapLayers, folder: taps)
      // What is found in the cache is computed in no pass.
      configuration.sharesPrefixes = false
    }
    let model = try engine.resources.load(configuration)
    let requests = try lines.enumerated().map { try request($1, line: $0 + 1, model: model) }
    let file = try output.map { try OutputFile.open($0) }

    var answers: [Int: Answer] = [:]
    var (written, tokens) = (0, 0)
    let bar = ProgressBar()
    let started = ContinuousClock.now
    try await model.engine.generate(requests, atATime: configuration.sequences) { index, stream in
      try await Self.collect(stream, Answer(index: index, id: lines[index].id))
    } receive: { answer in
      answers[answer.index] = answer
      tokens += answer.token_ids.count
      while let ready = answers.removeValue(forKey: written) {
        try write(try JSONEncoder.sorted().encode(ready) + Data("\n".utf8), to: file)
        written += 1
      }
      let speed = Double(tokens) / ((ContinuousClock.now - started) / .seconds(1))
      bar.update(
        "Answering", fraction: Double(written) / Double(requests.count),
        detail: String(format: "%d of %d, %.0f tokens/s", written, requests.count, speed))
    }
    bar.clear()
    try configuration.recording?.check()
  }

  private func readLines() throws -> [Line] {
    let data = input == "-" ? FileHandle.standardInput.readDataToEndOfFile() : try InputFile.read(input)
    return try data.split(separator: UInt8(ascii: "\n")).enumerated().map { index, line in
      guard let parsed = Line(line) else {
        throw ValidationError(
          "'\(input)', line \(index + 1): expected a JSON object with \"prompt\" or \"messages\", and at most \"id\" (string), \"seed\" and \"max_tokens\" (numbers) besides."
        )
      }
      return parsed
    }
  }

  private func request(_ line: Line, line number: Int, model: SpeculativeEngine) throws -> GenerationRequest {
    let messages = line.messages ?? [ChatMessage(role: "user", content: line.prompt ?? "")]
    let prompt =
      model.target.tokenizer.chatTemplate == nil
      ? model.target.tokenizer.encode(line.prompt ?? "", addsSpecialTokens: true)
      : try template.tokens(for: messages, of: model.target)
    var request = sampling.request(prompt: prompt, endOfText: model.target.endOfTextTokens)
    request.startsText = model.target.tokenizer.chatTemplate != nil
    if let seed = line.seed { request.sampling.seed = seed }
    if let most = line.maximumTokens { request.stopping.maximumTokens = most }
    do {
      try request.validate(vocabularySize: model.engine.vocabularySize, maximumLength: model.engine.maximumLength)
    } catch {
      throw ValidationError("'\(input)', line \(number): \(error)")
    }
    return request
  }

  private static func collect(_ stream: AsyncStream<GenerationEvent>, _ empty: Answer) async throws -> Answer {
    var answer = empty
    for await event in stream {
      switch event {
      case .token(let token):
        answer.text += token.text
        answer.token_ids.append(token.id)
      case .finished(let summary):
        answer.text += summary.remainingText
        answer.finish_reason = summary.reason.name
        answer.usage = .init(prompt_tokens: summary.promptTokens, completion_tokens: summary.outputTokens)
        if case .failed(let reason) = summary.reason {
          note("foretoken: prompt \(answer.index + 1) could not be answered: \(reason)")
          throw ExitCode.failure
        }
      }
    }
    return answer
  }

  private func write(_ line: Data, to file: FileHandle?) throws {
    guard let file else { return emit(line) }
    do { try file.write(contentsOf: line) } catch {
      throw ValidationError("Cannot write '\(output ?? "")': \(OutputFile.reason(error))")
    }
  }
}
