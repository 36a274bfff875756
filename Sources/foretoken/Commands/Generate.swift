internal import ArgumentParser
internal import Decoding
internal import Foundation
internal import Inference
internal import Presentation

/// `foretoken generate`: one prompt, one answer.
struct Generate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Answer one prompt.",
    discussion: """
      The answer streams to standard output; on a terminal, draft tokens that the target accepted are green. The answer \
      is the same with and without speculation.

      Example: foretoken generate -m Models/foretoken-reference-target --draft-model Models/foretoken-reference-draft \
      "List the planets."
      """)

  @OptionGroup var prompt: PromptOptions
  @OptionGroup var engine: EngineOptions
  @OptionGroup(title: "Sampling") var sampling: SamplingOptions
  @OptionGroup(title: "Structured output") var structure: StructureOptions

  @Flag(help: "Print one JSON object at the end instead of streaming text.")
  var json = false

  @Flag(help: "Print times, acceptance and memory to standard error.")
  var stats = false

  @Flag(help: "Print to standard error, step by step, how much was proposed and why (with the method auto).")
  var explain = false

  func run() async throws {
    let started = ContinuousClock.now
    let model = try engine.load()
    let secondsToLoad = (ContinuousClock.now - started) / .seconds(1)
    var request = sampling.request(
      prompt: try prompt.tokens(for: model.target), endOfText: model.target.endOfTextTokens)
    request.startsText = prompt.isConversation(with: model.target)
    request.constraint = try structure.constraint(for: model.target)
    request.explainsDecisions = explain
    var decisions: [String] = []
    let printer = AnswerPrinter(marksOrigin: model.window > 0)
    var report = RunReport()
    for await event in try model.engine.generate(request) {
      switch event {
      case .token(let token):
        report.add(token)
        if let decision = token.decision { decisions.append("token \(report.token_ids.count): \(decision)") }
        if !json { printer.print(token) }
      case .finished(let summary):
        report.finish(summary, model: model)
        if !json { emit(summary.remainingText + "\n") }
        if case .failed(let reason) = summary.reason {
          note("foretoken: the answer could not be finished: \(reason)")
          throw ExitCode.failure
        }
      }
    }
    if json { try emitJSON(report) }
    if explain {
      note(decisions.isEmpty ? "No decisions were made: the window is fixed." : decisions.joined(separator: "\n"))
    }
    if stats { note(report.statistics(secondsToLoad: secondsToLoad)) }
  }
}
