internal import ArgumentParser
internal import Foundation
internal import Inference
internal import Presentation
internal import Tokenization

/// `foretoken tokenize`: text to token ids, and back.
struct Tokenize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show the tokens of a text, or the text of token ids.",
    discussion: """
      Text comes from the argument, or from standard input.

        foretoken tokenize -m Models/foretoken-reference-target "Hello, world"
        foretoken tokenize -m Models/foretoken-reference-target --decode "12 345"
      """)

  @Option(
    name: [.short, .long], help: "A model directory, a GGUF file, or ORG/NAME in the Hugging Face cache.",
    completion: .model)
  var model: String

  @Argument(help: "The text; with --decode, token ids separated by spaces or commas.")
  var text: String?

  @Flag(help: "Turn token ids into text.")
  var decode = false

  @Flag(help: "Add the tokens that the model expects around a text, such as a beginning of text.")
  var specialTokens = false

  @Flag(help: "Print JSON.")
  var json = false

  @Flag(help: "Encode the text repeatedly for two seconds and print the speed.")
  var benchmark = false

  func run() throws {
    let tokenizer = try ModelSource.tokenizer(of: model)
    let input = text ?? String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self)
    if decode {
      let output = tokenizer.decode(try Self.ids(in: input))
      if json { try emitJSON(["text": output]) } else { emit(output + "\n") }
    } else if benchmark {
      report(speedOn: input, tokenizer)
    } else {
      try show(tokenizer.encode(input, addsSpecialTokens: specialTokens), tokenizer)
    }
  }

  private static func ids(in input: String) throws -> [TokenID] {
    try input.split(whereSeparator: { $0 == "," || $0.isWhitespace || "[]".contains($0) }).map { part in
      guard let id = TokenID(part) else { throw ValidationError("'\(part)' is not a token id.") }
      return id
    }
  }

  private func show(_ tokens: [TokenID], _ tokenizer: Tokenizer) throws {
    struct Entry: Encodable {
      let id: TokenID
      let text: String
    }
    let entries = tokens.map { Entry(id: $0, text: tokenizer.decode([$0], continuesText: true)) }
    if json { return try emitJSON(["tokens": entries]) }
    for entry in entries { emit("\(entry.id)\t\(entry.text.debugDescription)\n") }
  }

  private func report(speedOn input: String, _ tokenizer: Tokenizer) {
    let started = ContinuousClock.now
    var (bytes, tokens) = (0, 0)
    while ContinuousClock.now - started < .seconds(2), !input.isEmpty {
      tokens += tokenizer.encode(input).count
      bytes += input.utf8.count
    }
    let seconds = (ContinuousClock.now - started) / .seconds(1)
    emit(
      String(format: "%.1f MB/s, %.0f tokens/s on one core\n", Double(bytes) / seconds / 1e6, Double(tokens) / seconds))
  }
}
