internal import ArgumentParser
internal import ChatTemplates
internal import Decoding
internal import Foundation
internal import Inference
internal import Presentation

/// `foretoken chat`: a conversation in the terminal.
struct Chat: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Talk with a model.",
    discussion: """
      Ctrl-C stops an answer or drops a line, Ctrl-D ends the conversation. /clear forgets what was said, /exit leaves, \
      /help lists the commands. Arrow keys walk through earlier lines. Lines that are pasted together are one message.
      """)

  private static let help = """
    /clear   forget what was said
    /exit    leave (or Ctrl-D)
    /help    this list
    Ctrl-C stops an answer, or drops the line. Lines that are pasted together are one message.
    """

  @OptionGroup var template: TemplateOptions
  @OptionGroup var engine: EngineOptions
  @OptionGroup(title: "Sampling") var sampling: SamplingOptions

  @Flag(help: "After each answer, print times and acceptance to standard error.")
  var stats = false

  func run() async throws {
    let model = try engine.load()
    _ = try model.target.chatTemplate()
    let interrupt = InterruptWatch()
    let editor = LineEditor()
    var messages: [ChatMessage] = []
    var interrupts = 0
    while let entry = editor.next(prompt: "> ") {
      guard case .text(let line) = entry else {
        emit("\n")
        interrupts = entry == .interrupt(hadText: true) ? 0 : interrupts + 1
        if interrupts > 1 { return }
        if interrupts == 1 { note("(Ctrl-C again, Ctrl-D or /exit leaves; /help lists the commands)") }
        continue
      }
      interrupts = 0
      let command = line.trimmingCharacters(in: .whitespacesAndNewlines)
      switch command {
      case "": continue
      case "/exit", "/quit": return
      case "/clear": messages = []
      case "/help", "/?": note(Self.help)
      case _ where command.hasPrefix("/") && command.dropFirst().allSatisfy(\.isLetter) && command.count > 1:
        note("There is no command \(command); /help lists those that there are.")
      default:
        messages.append(ChatMessage(role: "user", content: line))
        do {
          let answer = try await self.answer(messages, model, interrupt)
          messages.append(ChatMessage(role: "assistant", content: answer))
        } catch let error as RequestError {
          // The conversation has outgrown the context, or a flag does not fit: say so and go on.
          note("\(error)")
          messages.removeLast()
        }
      }
    }
    emit("\n")
  }

  private func answer(
    _ messages: [ChatMessage], _ model: SpeculativeEngine, _ interrupt: InterruptWatch
  ) async throws -> String {
    let request = sampling.request(
      prompt: try template.tokens(for: messages, of: model.target), endOfText: model.target.endOfTextTokens)
    let printer = AnswerPrinter(marksOrigin: model.window > 0)
    let events = try model.engine.generate(request)
    let reading = Task {
      var report = RunReport()
      for await event in events {
        switch event {
        case .token(let token):
          report.add(token)
          printer.print(token)
        case .finished(let summary):
          report.finish(summary, model: model)
          emit(summary.remainingText)
        }
      }
      return report
    }
    interrupt.onInterrupt { reading.cancel() }
    let report = await reading.value
    interrupt.onInterrupt(nil)
    emit(Task.isCancelled || report.finish_reason.isEmpty ? "\n[stopped]\n" : "\n")
    if stats { note(report.statistics(secondsToLoad: 0)) }
    return report.text
  }
}
