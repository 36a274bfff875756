internal import ArgumentParser
internal import Foundation
internal import Inference
internal import Presentation

/// `foretoken chat`: a conversation in the terminal.
struct Chat: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Talk with a model.",
    discussion: """
      Ctrl-C stops an answer or drops a line; pressed twice on an empty line, it ends the conversation, as Ctrl-D does. \
      A line that ends in a backslash goes on in the next one, and so does what stands between \"\"\" and \"\"\"; lines \
      that are pasted together are one message. Arrow keys walk through earlier lines.

      Commands: /system TEXT, /regenerate, /clear, /save FILE, /load FILE, /speculation off, /stats, /help, /exit.

        foretoken chat Qwen/Qwen3-0.6B
        foretoken chat Models/foretoken-reference-target --draft-model Models/foretoken-reference-draft --stats
      """)

  @Argument(help: "Target: a model directory, a GGUF file, or ORG/NAME in the Hugging Face cache.", completion: .model)
  var target: String?

  @Option(name: [.short, .long], help: "The target, as other commands take it.", completion: .model)
  var model: String?

  @OptionGroup var template: TemplateOptions
  @OptionGroup(title: "Speculation") var speculation: SpeculationOptions
  @OptionGroup(title: "Memory and threads") var resources: ResourceOptions
  @OptionGroup(title: "Sampling") var sampling: SamplingOptions

  @Flag(help: "After each answer, print times and acceptance to standard error.")
  var stats = false

  func validate() throws {
    if target != nil, model != nil { throw ValidationError("Give the model once: as argument or with --model.") }
    guard target ?? model != nil else {
      throw ValidationError(
        "The model is missing: 'foretoken models' lists those that are here, 'foretoken pull ORG/NAME' downloads one.")
    }
  }

  func run() async throws {
    guard let name = target ?? model else { throw CleanExit.helpRequest(self) }
    var configuration = resources.configuration(for: name)
    configuration.speculation = try speculation.configuration()
    let model = try resources.load(configuration)
    _ = try model.target.chatTemplate()
    let editor = LineEditor()
    var session = ChatSession(
      model, template: template, sampling: sampling, interrupt: InterruptWatch(), showsStatistics: stats)
    if editor.isTerminal { note(session.greeting) }
    try await converse(&session, editor)
  }

  /// Reads messages and commands until the user leaves.
  private func converse(_ session: inout ChatSession, _ editor: LineEditor) async throws {
    var (input, interrupts) = (MessageInput(), 0)
    while let entry = editor.next(prompt: input.isUnfinished ? "… " : "> ") {
      guard case .text(let line) = entry else {
        emit("\n")
        interrupts = entry == .interrupt(hadText: true) || input.isUnfinished ? 0 : interrupts + 1
        input.drop()
        if interrupts > 1 { return }
        if interrupts == 1 { note("(Ctrl-C again, Ctrl-D or /exit leaves; /help lists the commands)") }
        continue
      }
      interrupts = 0
      guard let message = input.add(line), !message.allSatisfy(\.isWhitespace) else { continue }
      do {
        switch try ChatCommand(message) {
        case .exit?: return
        case let command?: try await session.perform(command)
        case nil: try await session.say(message)
        }
      } catch let mistake as ChatCommand.Mistake {
        note("\(mistake)")
      }
    }
    emit("\n")
  }
}
