internal import Deployment
internal import Foundation
internal import Report

/// What `foretoken deploy` says to people.
enum DeployText {
  /// Why a deployment was refused, after the sums.
  static func show(_ refusal: DeploymentRefusal, json: Bool) {
    let style = TextStyle(for: .standardError)
    if json {
      struct Document: Encodable {
        let problems: [String]
        let arithmetic: [ArithmeticLine]
      }
      try? emitJSON(Document(problems: refusal.problems, arithmetic: refusal.arithmetic))
    }
    note(rows(refusal.arithmetic, style))
    for problem in refusal.problems { note(style.red("refused") + "  " + problem) }
  }

  /// What was written, and what to do with it.
  static func show(_ summary: DeploymentSummary, files: Int, in directory: String) {
    let style = TextStyle(for: .standardOutput)
    emit(rows(summary.arithmetic, style) + "\n")
    for text in summary.notes { emit(style.bold("note") + "  " + text + "\n") }
    emit(
      "\n\(summary.objects) objects in \(files) files under \(directory): \(summary.engine) \(summary.engine_version)\n"
    )
    for server in summary.servers { emit("  \(server.name)\n") }
    emit("\n" + style.bold("Next") + "\n")
    for command in summary.next { emit("  \(command)\n") }
  }

  static func show(_ report: ManifestCheck.Report) {
    let style = TextStyle(for: .standardOutput)
    for finding in report.findings { emit(style.red("✗") + " \(finding)\n") }
    let against =
      report.versions.isEmpty
      ? "policies and custom resources (Kubernetes' own kinds need --schemas: make deploy-schemas)"
      : "policies, custom resources and Kubernetes \(report.versions.joined(separator: " and "))"
    emit("\(report.objects) objects in \(report.files) files against \(against): ")
    emit(report.isClean ? "all fit\n" : "\(report.findings.count) findings\n")
  }

  private static func rows(_ lines: [ArithmeticLine], _ style: TextStyle) -> String {
    let width = lines.map(\.topic.count).max() ?? 0
    return lines.map { line in
      style.bold(line.topic) + String(repeating: " ", count: width - line.topic.count + 2) + line.text
    }.joined(separator: "\n")
  }
}
