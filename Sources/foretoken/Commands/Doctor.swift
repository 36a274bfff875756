internal import ArgumentParser
internal import Decoding
internal import Foundation
internal import Inference
internal import Measurement
internal import ModelFiles
internal import PJRT
internal import Presentation
internal import Report
internal import Transformer

/// `foretoken doctor`: whether this machine is fit to run models, and what to expect of it.
struct Doctor: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check machine, memory, caches and plugins, and say what to expect.",
    discussion: """
      Takes about two seconds. Speeds are worked out from what the memory and the processor were measured to do; they \
      are the most that decoding without speculation can reach. Nothing is asked of the network without --online.

        foretoken doctor
        foretoken doctor --online --json

      Exits with 1 where something keeps models from running, and with 0 where there are only warnings.
      """)

  @Flag(help: "Ask the hub whether it can be reached, for at most five seconds.")
  var online = false

  @Option(
    help: """
      A PJRT plugin that has to be there: \(PJRTPluginLocation.names.joined(separator: ", ")), or the path of a library.
      """,
    completion: .pjrtPlugin)
  var pjrtPlugin: String?

  @Flag(help: "Print JSON.")
  var json = false

  private struct Report: Encodable {
    let version: String
    let diagnosis: Diagnosis
    let has_fault: Bool
  }

  func run() async throws {
    let bar = ProgressBar()
    defer { bar.clear() }
    var diagnosis = Diagnosis()
    bar.update("Looking at the machine", fraction: 0)
    diagnosis.examineMachine()
    bar.update("Measuring memory", fraction: 0.3)
    try diagnosis.examineMemory()
    diagnosis.examineStorage(weights: WeightCache(folder: WeightCache.defaultFolder))
    if online { bar.update("Asking the hub", fraction: 0.7) }
    await diagnosis.examineHub(HubClient(), asks: online)
    diagnosis.examineAccelerators(wanted: pjrtPlugin)
    bar.clear()
    if json {
      try emitJSON(Report(version: Engine.version, diagnosis: diagnosis, has_fault: diagnosis.hasFault))
    } else {
      show(diagnosis)
    }
    if diagnosis.hasFault { throw ExitCode.failure }
  }

  private func show(_ diagnosis: Diagnosis) {
    for topic in Diagnosis.Topic.allCases {
      let facts = diagnosis.checks.filter { $0.topic == topic }.map { check in
        (name: check.name, value: check.state.prefix + check.found)
      }
      emit(ReportPage.Section(heading: topic.rawValue.capitalized, blocks: [.facts(facts)]))
      emit("\n")
    }
    if !diagnosis.expected.isEmpty {
      var table = ReportPage.Table(
        "Estimates, from the bandwidth as measured now: the most without speculation, which adds to it.",
        ["model", "weights", "has room"], numbers: ["in memory", "tokens/s, at most"])
      for estimate in diagnosis.expected {
        table.add([
          estimate.model, estimate.quantization, estimate.fits ? "yes" : "no", FigureText.bytes(estimate.weight_bytes),
          estimate.fits ? FigureText.decimal(estimate.tokens_per_second, 1) : nil,
        ])
      }
      emit(ReportPage.Section(heading: "What to expect", blocks: [.table(table)]))
      emit("\n")
    }
    let advice = diagnosis.checks.compactMap { check in check.advice.map { (name: check.name, value: $0) } }
    if advice.isEmpty {
      emit("Nothing is wrong. Next: foretoken models\n")
    } else {
      emit(ReportPage.Section(heading: "What to do", blocks: [.facts(advice)]))
    }
  }
}

extension Diagnosis.Check.State {
  /// What stands before what was found.
  fileprivate var prefix: String {
    switch self {
    case .ok, .skipped: ""
    case .warning: "warning: "
    case .fault: "FAULT: "
    }
  }
}
