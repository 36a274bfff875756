internal import Decoding

// A sweep in a cluster: one Job that measures its candidates one after another, and one that makes the report.

extension ManifestBuilder {
  private enum Place {
    static let candidates = "/sweep"
    static let results = ServerCommand.Place.results
    /// What the parts of a candidate's pod tell each other.
    static let state = ServerCommand.Place.local + "/sweep"
  }

  /// The name under which the candidates' results are kept.
  private var keptResults: String {
    let folder = "results/\(modelSlug)-sweep"
    return plan.storage == .s3
      ? "s3://\(plan.request.bucket ?? "")/\(folder)" : "\(ServerCommand.Place.models)/\(folder)"
  }

  /// Every object of a sweep.
  func manifests(of sweep: DeploymentSweep) throws -> [Manifest] {
    var all = shared()
    if plan.compilesAhead { all.append(try compileJob(.baseline)) }
    all += try server(.baseline)
    let candidates = try candidateFiles(sweep)
    let map = "\(modelSlug)-sweep-\(digest(try YAMLText.encode(candidates).utf8).prefix(8))"
    all.append(Manifest(.sweep, "candidates", ConfigMap(metadata: meta(map), data: candidates)))
    all.append(Manifest(.sweep, "job", try sweepJob(sweep, candidates: map)))
    all.append(Manifest(.sweepReport, "job", try reportJob()))
    return all
  }

  // MARK: Candidates

  private func workloads(_ sweep: DeploymentSweep) -> [String] {
    [plan.request.workload] + (sweep.request.dataset == nil ? [] : ["dataset"])
  }

  /// What `sweep.sh` reads: of candidate N its name, its server's arguments line by line, its store, its draft's copy.
  private func candidateFiles(_ sweep: DeploymentSweep) throws -> [String: String] {
    var files: [String: String] = [:]
    for (index, candidate) in sweep.candidates.enumerated() {
      let command = try ServerCommand(candidate.plan, .speculative)
      files["\(index).name"] = candidate.name
      files["\(index).arguments"] = (command.program + command.arguments).map { $0 + "\n" }.joined()
      if plan.compilesAhead { files["\(index).store"] = try candidate.plan.compiledStore(.speculative) }
      let speculation = candidate.plan.speculation
      let notes =
        [
          "sweep_method=\(speculation?.method.rawValue ?? "")", "sweep_window=\(speculation?.window ?? 0)",
        ] + (speculation?.draft.map { ["sweep_draft=\($0.name)"] } ?? [])
      files["\(index).notes"] = notes.map { $0 + "\n" }.joined()
      if let draft = speculation?.draft, let copy = copy(of: draft, candidate.plan) {
        files["\(index).draft"] = copy.map { $0 + "\n" }.joined()
      }
    }
    files["dataset.jsonl"] = sweep.request.dataset
    return files
  }

  /// How a draft comes to the node: the words of the program that brings it; `nil` where the server does.
  private func copy(of draft: ModelPlace, _ plan: DeploymentPlan) -> [String]? {
    let path = ServerCommand.path(of: draft, plan)
    let scripts = ServerCommand.Place.scripts
    if plan.storage == .s3, let bucket = plan.request.bucket {
      return ["bash", "\(scripts)/sync.sh", "s3://\(bucket)/models/\(draft.folder)", path]
    }
    guard draft.isOnHub, !ServerCommand.isFetchedByEngine(draft, plan) || plan.stack.dialect == .foretoken else {
      return nil
    }
    return path == draft.name
      ? ["foretoken", "pull", draft.name]
      : ["bash", "\(scripts)/fetch.sh", draft.name, draft.revision ?? "main", path]
  }

  // MARK: Measuring

  /// Indexed: candidates run one at a time, those that are done stay done when a node goes, and one that fails does not
  /// end the others.
  ///
  /// https://kubernetes.io/docs/concepts/workloads/controllers/job/#backoff-limit-per-index
  private func sweepJob(_ sweep: DeploymentSweep, candidates map: String) throws -> Object<JobSpec> {
    let base = "\(modelSlug)-sweep"
    let workloads = workloads(sweep)
    let own = [
      EnvironmentVariable("SWEEP", Place.candidates), EnvironmentVariable("STATE", Place.state),
      EnvironmentVariable("RESULTS", Place.results), EnvironmentVariable("KEPT", keptResults),
      EnvironmentVariable("COMPILED", ServerCommand.Place.compiled),
      EnvironmentVariable("WORKLOADS", workloads.joined(separator: " ")),
      EnvironmentVariable("PROMPTS", "\(sweep.request.prompts)"),
      EnvironmentVariable("STATUS_FILE", "\(Place.state)/status"),
      EnvironmentVariable("PORT", "\(ServerCommand.port)"),
    ]
    let more =
      mounts + [
        Container.Mount(name: "results", mountPath: Place.results),
        Container.Mount(name: "candidates", mountPath: Place.candidates, readOnly: true),
      ]
    func step(_ name: String, _ step: String) -> Container {
      script(name, "sweep.sh", [step], environment: own, mounts: more)
    }
    let command = try ServerCommand(plan, .speculative)
    let scripts = ServerCommand.Place.scripts
    var prepare = step("prepare", "prepare")
    if plan.storage != .s3 { prepare.env = (prepare.env ?? []) + hubEnvironment }
    var serve = Container(
      name: "server", image: plan.image, command: ["/bin/bash", "\(scripts)/sweep.sh"], args: ["serve"],
      env: command.environment + own, resources: deviceResources,
      startupProbe: Probe(
        exec: .init(command: ["/bin/bash", "\(scripts)/sweep.sh", "ready"]), failureThreshold: startupSeconds / 15,
        periodSeconds: 15, timeoutSeconds: 10), volumeMounts: more, workingDir: ServerCommand.Place.local)
    // A sidecar: it is ended when the comparison is over, and the next candidate has the devices.
    serve.restartPolicy = "Always"
    let compare = Container(
      name: "compare", image: plan.benchmarkImage ?? plan.image, command: ["/bin/bash", "\(scripts)/sweep.sh"],
      args: (["compare", "foretoken", "compare", "http://127.0.0.1:\(ServerCommand.port)", "http://\(name(.baseline))"]
        + compareFlags + ["--ready-check-timeout-sec", "\(startupSeconds)"]).verbatim,
      env: benchmarkEnvironment + own, resources: smallResources, volumeMounts: more, workingDir: Place.results)
    let volumes =
      volumes + [
        Volume(name: "results", emptyDir: .init(sizeLimit: "1Gi")),
        Volume(name: "candidates", configMap: .init(name: map)),
      ]
    let steps =
      try targetPreparation() + [prepare, serve] + (plan.compilesAhead ? [step("keep-compiled", "keep")] : []) + [
        compare
      ]
    var pod = PodSpec(
      containers: [step("publish", "publish")], initContainers: steps, nodeSelector: machineSelector,
      restartPolicy: "Never", schedulerName: schedulerName, serviceAccountName: accountName,
      terminationGracePeriodSeconds: 60, tolerations: deviceResource.map { [.init(key: $0)] }, volumes: volumes)
    if plan.allocation == .dra {
      pod.resourceClaims = [.init(name: "neurons", resourceClaimTemplateName: claimTemplateName)]
    }
    let count = sweep.candidates.count
    // To start, and an hour for each workload on both servers.
    let each = startupSeconds + workloads.count * 3600
    let spec = JobSpec(
      backoffLimit: 2 * count, activeDeadlineSeconds: count * each, ttlSecondsAfterFinished: 604_800,
      template: PodTemplate(metadata: .init(labels: labels("sweep", base)), spec: pod),
      backoffLimitPerIndex: 1, completionMode: "Indexed", completions: count, parallelism: 1,
      podFailurePolicy: .init(rules: [
        // A node that is drained or lost is no failure of the candidate.
        .init(action: "Ignore", onPodConditions: [.init(type: "DisruptionTarget")]),
        // What `sweep.sh` says of one that cannot be measured: trying again takes the hours again.
        .init(
          action: "FailIndex", onExitCodes: .init(containerName: "publish", operator: "In", values: [3])),
      ]))
    return Object(
      apiVersion: "batch/v1", kind: "Job", metadata: meta(try jobName(base, spec), "sweep", base), spec: spec)
  }

  /// Seconds after which the sweep's Job ends.
  func deadline(_ sweep: DeploymentSweep) -> Int {
    sweep.candidates.count * (startupSeconds + workloads(sweep).count * 3600)
  }

  /// What brings the target to the node; candidates bring their drafts themselves.
  private func targetPreparation() throws -> [Container] {
    try preparation(.baseline).filter { $0.name == "fetch-target" }
  }

  // MARK: The page

  /// Prints the page as HTML (container `page`) and as Markdown (`text`): logs bring it out of any cluster.
  private func reportJob() throws -> Object<JobSpec> {
    let base = "\(modelSlug)-sweep-report"
    let mounts =
      mounts.filter { ["tmp", "scripts", "models"].contains($0.name) }
      + [Container.Mount(name: "results", mountPath: Place.results)]
    func page(_ name: String, _ flags: [String]) -> Container {
      Container(
        name: name, image: plan.benchmarkImage ?? plan.image,
        command: ["/bin/bash", "\(ServerCommand.Place.scripts)/sweep.sh"],
        args: (["page", "foretoken", "report"] + flags).verbatim,
        env: [EnvironmentVariable("HOME", "/tmp")] + ServerCommand.user + [
          EnvironmentVariable("RESULTS", Place.results)
        ],
        resources: smallResources, volumeMounts: mounts, workingDir: Place.results)
    }
    let spec = JobSpec(
      backoffLimit: 1, activeDeadlineSeconds: 1800, ttlSecondsAfterFinished: 604_800,
      template: PodTemplate(
        metadata: .init(labels: labels("report", base)),
        spec: PodSpec(
          containers: [page("page", ["--output", "-"]), page("text", ["--markdown", "-"])],
          initContainers: [script("fetch-results", "sync.sh", [keptResults, Place.results], mounts: mounts)],
          nodeSelector: plan.storage == .pvc ? machineSelector : nil,
          restartPolicy: "Never", serviceAccountName: accountName, terminationGracePeriodSeconds: 30,
          tolerations: plan.storage == .pvc ? deviceResource.map { [.init(key: $0)] } : nil,
          volumes: volumes.filter { ["scripts", "models"].contains($0.name) }
            + ["tmp", "results"].map { Volume(name: $0, emptyDir: .init(sizeLimit: "1Gi")) })))
    return Object(
      apiVersion: "batch/v1", kind: "Job", metadata: meta(try jobName(base, spec), "report", base), spec: spec)
  }
}
