internal import Deployment
internal import Foundation
internal import Presentation

/// What `foretoken deploy` says to people.
enum DeployText {
  /// Why a deployment was refused, after the sums.
  static func show(_ refusal: DeploymentRefusal, json: Bool) {
    if json {
      struct Document: Encodable {
        let problems: [String]
        let arithmetic: [ArithmeticLine]
      }
      try? emitJSON(Document(problems: refusal.problems, arithmetic: refusal.arithmetic))
    }
    note(.sums(refusal.arithmetic))
    note(.facts(refusal.problems.map { ("refused", $0) }))
  }

  /// What was written, and what to do with it.
  static func show(_ summary: DeploymentSummary, files: Int, in directory: String) {
    let style = TextStyle(for: .standardOutput)
    emit(.sums(summary.arithmetic))
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
}

extension ReportPage.Block {
  /// Sums by their topics.
  fileprivate static func sums(_ lines: [ArithmeticLine]) -> Self { facts(lines.map { ($0.topic, $0.text) }) }
}
