/// Drafts and windows to try one after another, each against the same server without speculation.
package struct SweepRequest: Sendable, Equatable {
  /// Tokens proposed per verification.
  package var windows: [Int]
  /// ORG/NAME of the hub or directories; empty for methods without a draft.
  package var drafts: [String]
  /// Prompts of one's own: JSON lines, as `foretoken compare --dataset-name custom` reads them.
  package var dataset: String?

  /// Most candidates: each takes up to two hours to compile, and as long again to measure.
  package static let most = 48
  /// A ConfigMap holds 1 MiB in all, with the candidates' command lines.
  package static let longestDataset = 900_000

  package init(windows: [Int], drafts: [String], dataset: String? = nil) {
    self.windows = windows
    self.drafts = drafts
    self.dataset = dataset
  }

  /// Reads `windows=3,5,7,10`.
  ///
  /// - Throws: `DeploymentError` that says what was expected.
  package static func windows(_ text: String) throws(DeploymentError) -> [Int] {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let numbers =
      parts.count == 2 ? parts[1].split(separator: ",", omittingEmptySubsequences: false).map { Int($0) } : []
    let windows = numbers.compactMap { $0 }
    guard parts.first == "windows", !windows.isEmpty, windows.count == numbers.count,
      windows == Set(windows).sorted(), windows.allSatisfy({ (1...Preflight.largestWindow).contains($0) })
    else {
      throw DeploymentError(
        "--sweep is '\(text)'; expected windows= and ascending numbers from 1 to \(Preflight.largestWindow), such as windows=3,5,7,10"
      )
    }
    return windows
  }

  /// Prompts in the dataset.
  var prompts: Int { dataset.map { $0.split(whereSeparator: \.isNewline).count } ?? 0 }
}
