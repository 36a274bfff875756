internal import ArgumentParser
internal import ChatTemplates
internal import Foundation
internal import Inference
internal import Presentation
internal import Tokenization

/// Where a prompt comes from, and whether it is a message or plain text.
struct PromptOptions: ParsableArguments {
  @Argument(help: "The prompt; read from standard input when neither it nor --file is given.")
  var prompt: String?

  @Option(name: .shortAndLong, help: "Read the prompt from this file.", completion: .file())
  var file: String?

  @Flag(help: "Give the prompt to the model as it is, without the chat template.")
  var raw = false

  @OptionGroup var template: TemplateOptions

  func validate() throws {
    if prompt != nil, file != nil { throw ValidationError("Give the prompt or --file, not both.") }
    if raw, template.system != nil { throw ValidationError("--system needs the chat template; leave out --raw.") }
  }

  /// Whether the prompt is put into a chat template.
  func isConversation(with model: ModelSource) -> Bool { !raw && model.tokenizer.chatTemplate != nil }

  /// Token ids of the prompt, in the model's chat template when it has one.
  func tokens(for model: ModelSource) throws -> [TokenID] {
    let text = try text()
    guard isConversation(with: model) else {
      return model.tokenizer.encode(text, addsSpecialTokens: true)
    }
    return try template.tokens(for: [ChatMessage(role: "user", content: text)], of: model)
  }

  private func text() throws -> String {
    if let prompt { return prompt }
    if let file { return String(decoding: try InputFile.read(file), as: UTF8.self) }
    if isatty(FileHandle.standardInput.fileDescriptor) == 1 { note("Prompt (end with Ctrl-D):") }
    return String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self)
  }
}

/// What goes into the chat template besides the messages.
struct TemplateOptions: ParsableArguments {
  @Option(help: "System message.")
  var system: String?

  @Flag(inversion: .prefixedNo, help: "Whether a thinking model thinks before it answers (default: the model's own).")
  var thinking: Bool?

  /// The conversation so far, up to where the assistant begins to answer.
  func tokens(for messages: [ChatMessage], of model: ModelSource) throws -> [TokenID] {
    let head = system.map { [ChatMessage(role: "system", content: $0)] } ?? []
    return try model.tokens(for: head + messages, thinking: thinking)
  }
}
