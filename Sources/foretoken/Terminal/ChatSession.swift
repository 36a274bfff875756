internal import ArgumentParser
internal import ChatTemplates
internal import Decoding
internal import Foundation
internal import Inference
internal import Presentation

/// A conversation with a loaded model: what `foretoken chat` does between two prompts.
struct ChatSession {
  /// Who proposes.
  private enum Speculation: Equatable {
    case asStarted, off
    case method(SpeculationMethod)
  }

  private let model: SpeculativeEngine
  private let template: TemplateOptions
  private let sampling: SamplingOptions
  private let interrupt: InterruptWatch
  private var conversation: Conversation
  private var speculation = Speculation.asStarted
  private var showsStatistics: Bool
  private var lastReport: RunReport?
  /// How often the last message was answered anew.
  private var repetitions: UInt64 = 0

  init(
    _ model: SpeculativeEngine, template: TemplateOptions, sampling: SamplingOptions, interrupt: InterruptWatch,
    showsStatistics: Bool
  ) {
    (self.model, self.template, self.sampling, self.interrupt) = (model, template, sampling, interrupt)
    self.showsStatistics = showsStatistics
    conversation = Conversation(system: template.system)
  }

  /// What is talked with, in a line.
  var greeting: String {
    "\(URL(fileURLWithPath: model.target.path).lastPathComponent), context \(model.engine.maximumLength) tokens, speculation: \(speculationText). /help lists the commands, Ctrl-D leaves."
  }

  // MARK: Messages

  /// Answers a message of the user's.
  mutating func say(_ text: String) async throws {
    repetitions = 0
    conversation.say(text)
    try await answerLast()
  }

  /// Answers what was said last; takes it back where that cannot be done.
  private mutating func answerLast() async throws {
    do {
      let report = try await answer()
      conversation.answer(report.text)
      lastReport = report
      if showsStatistics { note(report.statistics()) }
    } catch let error as RequestError {
      // The conversation has outgrown the context, or a flag does not fit: say so and go on.
      note("\(error)\nThe message is taken back; /clear forgets what was said before it.")
      conversation.takeBack()
    } catch let error as ChatTemplateError {
      note("The model's chat template refuses this conversation: \(error)")
      conversation.takeBack()
    }
  }

  private func answer() async throws -> RunReport {
    var request = sampling.request(
      prompt: try tokens(of: conversation), endOfText: model.target.endOfTextTokens)
    request.startsText = true
    request.sampling.seed &+= repetitions
    switch speculation {
    case .asStarted: break
    case .off: request.window = 0
    case .method(let method): if model.methods.count > 1 { request.method = method }
    }
    let printer = AnswerPrinter(marksOrigin: model.window > 0 && speculation != .off)
    let events = try model.engine.generate(request)
    let loaded = model
    let reading = Task {
      var report = RunReport()
      for await event in events {
        switch event {
        case .token(let token):
          report.add(token)
          printer.print(token)
        case .finished(let summary):
          report.finish(summary, model: loaded)
          emit(summary.remainingText)
          if case .failed(let reason) = summary.reason { note("\nThe answer could not be finished: \(reason)") }
        }
      }
      return report
    }
    interrupt.onInterrupt { reading.cancel() }
    let report = await reading.value
    interrupt.onInterrupt(nil)
    emit(report.finish_reason.isEmpty ? "\n[stopped]\n" : "\n")
    return report
  }

  private func tokens(of conversation: Conversation) throws -> [Int32] {
    var template = template
    template.system = conversation.system
    return try template.tokens(for: conversation.messages, of: model.target)
  }

  // MARK: Commands

  /// Does what a command says; leaving is the caller's.
  mutating func perform(_ command: ChatCommand) async throws {
    switch command {
    case .exit: break
    case .help: note(Self.help)
    case .clear:
      conversation.clear()
      note("Forgotten.")
    case .regenerate:
      guard conversation.takeBackAnswer() else { return note("There is no message to answer yet.") }
      repetitions += 1
      if sampling.temperature == 0 {
        note("(At temperature 0 the answer is the same every time: start with --temperature 0.7 for others.)")
      }
      try await answerLast()
    case .system(let text): setSystem(text)
    case .stats(let isOn?):
      showsStatistics = isOn
      note("Statistics after every answer: \(isOn ? "on" : "off").")
    case .stats(nil):
      if let lastReport { note(lastReport.statistics()) } else { note("There is no answer yet.") }
    case .speculation(let wish): setSpeculation(wish)
    case .save(let path): save(path)
    case .load(let path): load(path)
    }
  }

  private mutating func setSystem(_ text: String?) {
    guard let text else { return note(conversation.system.map { "System message: \($0)" } ?? "No system message.") }
    let before = conversation
    conversation.system = text.isEmpty ? nil : text
    // Some templates have no place for it.
    do { if !conversation.messages.isEmpty { _ = try tokens(of: conversation) } } catch {
      conversation = before
      return note("The model's chat template refuses it: \(error)")
    }
    note(text.isEmpty ? "No system message from now on." : "System message set; /clear begins anew with it.")
  }

  private mutating func setSpeculation(_ wish: String?) {
    let choices = ["off", "on"] + model.methods.map(\.rawValue)
    switch wish {
    case nil: break
    case "off": speculation = .off
    case "on": speculation = .asStarted
    case let name?:
      guard let method = model.methods.first(where: { $0.rawValue == name }) else {
        let loaded =
          model.methods.isEmpty
          ? "this chat was started without speculation (--draft-model, --speculative-config)"
          : "expected \(choices.joined(separator: ", "))"
        return note("'\(name)' is no way to speculate here: \(loaded).")
      }
      speculation = .method(method)
    }
    note("Speculation: \(speculationText).")
  }

  private var speculationText: String {
    switch speculation {
    case .off: "off"
    case .method(let method): method.rawValue
    case .asStarted: model.methods.first?.rawValue ?? "off, as no draft was named"
    }
  }

  // MARK: Files

  /// Files that are larger are no conversations.
  private static let mostBytes = 64 << 20

  private func save(_ path: String) {
    let place = (path as NSString).expandingTildeInPath
    do {
      // A slip of the finger is not to cost anybody a file that is something else.
      if FileManager.default.fileExists(atPath: place), (try? read(place)) == nil {
        return note("'\(path)' is there already and is no conversation; expected another name.")
      }
      try OutputFile.write(Data(conversation.text.utf8), to: place)
      note("\(conversation.messages.count) messages written to '\(path)'.")
    } catch {
      note(Self.reason(error))
    }
  }

  private mutating func load(_ path: String) {
    do {
      let loaded = try read((path as NSString).expandingTildeInPath)
      let length = loaded.messages.isEmpty ? 0 : try tokens(of: loaded).count
      guard length < model.engine.maximumLength else {
        return note(
          "'\(path)' has \(length) tokens, and the context of this chat \(model.engine.maximumLength) (--max-model-len)."
        )
      }
      conversation = loaded
      let isOpen = loaded.messages.last.map { $0.role != "assistant" } ?? false
      note(
        "\(loaded.messages.count) messages, \(length) tokens"
          + (isOpen ? "; the last one has no answer yet: /regenerate answers it." : "."))
    } catch {
      note("Cannot load '\(path)': \(Self.reason(error))")
    }
  }

  private func read(_ path: String) throws -> Conversation {
    let size = (try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? NSNumber
    guard (size?.intValue ?? 0) <= Self.mostBytes else {
      throw ValidationError("it has \(size ?? 0) bytes; expected at most \(Self.mostBytes)")
    }
    return try Conversation([UInt8](InputFile.read(path)), for: model.target.chatTemplate().traits)
  }

  private static func reason(_ error: any Error) -> String { (error as? ValidationError)?.message ?? "\(error)" }

  private static let help: String = {
    let rows = ChatCommand.all.map { command in
      ("/\(command.name)" + (command.argument.isEmpty ? "" : " \(command.argument)"), command.help)
    }
    let width = rows.map(\.0.count).max() ?? 0
    return rows.map { $0.0 + String(repeating: " ", count: width - $0.0.count + 2) + $0.1 }.joined(separator: "\n")
      + "\n\nA line that ends in \\ goes on in the next; so does what stands between \"\"\" and \"\"\". Lines that are\npasted together are one message. Ctrl-C stops an answer, or drops the line."
  }()
}
