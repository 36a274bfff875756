internal import Decoding

/// A sweep that was checked: every candidate's plan, and what they share.
package struct DeploymentSweep: Sendable {
  /// A draft with a window.
  package struct Candidate: Sendable {
    package let plan: DeploymentPlan
    /// Tells its results from others: draft, window, and what its command line compiles.
    package let name: String
  }

  /// Of the candidate whose draft is largest, with the server without speculation beside it.
  package let plan: DeploymentPlan
  package let candidates: [Candidate]
  package let request: SweepRequest

  /// Works out `request.sweep`.
  ///
  /// - Throws: `DeploymentError` for input that cannot be read, `DeploymentRefusal` when a candidate cannot hold.
  package init(_ request: DeploymentRequest) throws {
    guard let sweep = request.sweep else { throw DeploymentError("--sweep is missing; expected windows=3,5,7,10") }
    var plans = try Self.plans(request, sweep)
    // One baseline serves all comparisons, so that all are split alike: as the largest draft needs.
    let parallel = plans.map(\.tensorParallel).max() ?? 1
    if plans.contains(where: { $0.tensorParallel != parallel }) {
      var wider = request
      wider.tensorParallel = parallel
      plans = try Self.plans(wider, sweep)
    }
    guard let largest = plans.max(by: { ($0.draft?.weightBytes ?? 0) < ($1.draft?.weightBytes ?? 0) }) else {
      throw DeploymentError("--sweep has no candidates; expected windows, and drafts where the method needs them")
    }
    var problems: [String] = []
    for plan in plans where plan.stack.version != largest.stack.version {
      problems.append(
        "\(plan.speculation?.draft?.name ?? "a draft") needs \(plan.stack.description), and \(largest.speculation?.draft?.name ?? "another") \(largest.stack.description); sweep over them one after the other"
      )
    }
    if largest.storage == .emptyDir {
      problems.append("a sweep keeps what it compiles and measures: --storage s3, efs, fsx or pvc, not emptyDir")
    }
    guard problems.isEmpty else {
      throw DeploymentRefusal(problems: Array(Set(problems)).sorted(), arithmetic: largest.arithmetic)
    }
    plan = largest
    self.request = sweep
    candidates = try plans.map { plan in
      let draft =
        plan.speculation?.draft.map { ManifestBuilder.slug($0) } ?? plan.speculation?.method.rawValue ?? "plain"
      let key = try plan.compiledKey(.speculative).prefix(8)
      return Candidate(plan: plan, name: "\(draft)-w\(plan.speculation?.window ?? 0)-\(key)")
    }
  }

  private static func plans(_ request: DeploymentRequest, _ sweep: SweepRequest) throws -> [DeploymentPlan] {
    let drafts: [String?] = sweep.drafts.isEmpty ? [request.draft] : sweep.drafts
    var problems = check(request, sweep)
    var plans: [DeploymentPlan] = []
    var arithmetic: [ArithmeticLine] = []
    for draft in drafts {
      for window in sweep.windows {
        var candidate = request
        (candidate.draft, candidate.window, candidate.withBaseline) = (draft, window, true)
        do { plans.append(try DeploymentPlan(candidate)) } catch let refusal as DeploymentRefusal {
          problems += refusal.problems.filter { !problems.contains($0) }
          if arithmetic.isEmpty { arithmetic = refusal.arithmetic }
        }
      }
    }
    guard problems.isEmpty else { throw DeploymentRefusal(problems: problems, arithmetic: arithmetic) }
    return plans
  }

  private static func check(_ request: DeploymentRequest, _ sweep: SweepRequest) -> [String] {
    var problems: [String] = []
    if !sweep.drafts.isEmpty, request.draft != nil { problems.append("name drafts once: --drafts A,B or --draft A") }
    if Set(sweep.drafts).count != sweep.drafts.count { problems.append("--drafts names a draft twice") }
    if request.window != nil {
      problems.append("--num-speculative-tokens and --sweep both say the window; leave one out")
    }
    if request.windowsByBatchSize != nil {
      problems.append("a sweep tries one window for all batch sizes; leave --from-tuning out")
    }
    if request.draftRevision != nil, sweep.drafts.count > 1 {
      problems.append("--draft-revision is of one draft, and --drafts names \(sweep.drafts.count)")
    }
    if request.method == .automatic { problems.append("--method auto chooses its window itself; take draft_model") }
    let count = max(1, sweep.drafts.count) * sweep.windows.count
    if count > SweepRequest.most {
      problems.append("the sweep has \(count) candidates; expected at most \(SweepRequest.most)")
    }
    if let dataset = sweep.dataset {
      if dataset.utf8.count > SweepRequest.longestDataset {
        problems.append(
          "the dataset has \(dataset.utf8.count) bytes; expected at most \(SweepRequest.longestDataset), for it travels in a ConfigMap"
        )
      }
      if sweep.prompts == 0 { problems.append("the dataset is empty; expected JSON lines with prompt or messages") }
    }
    return problems
  }
}
