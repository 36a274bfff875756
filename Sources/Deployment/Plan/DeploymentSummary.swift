internal import Tuning

/// What was decided, for people and for programs.
package struct DeploymentSummary: Sendable, Codable, Equatable {
  /// A server by its name in the cluster, with its command line.
  package struct Server: Sendable, Codable, Equatable {
    package let name: String
    package let command: [String]
  }

  package let engine: String
  package let engine_version: String
  package let image: String
  package let target: String
  package let draft: String?
  package let method: String?
  package let num_speculative_tokens: Int?
  package let instance_type: String
  package let tensor_parallel_size: Int
  package let devices_per_pod: Int
  package let replicas: Int
  package let storage: String
  package let device_allocation: String
  package let nodes: String
  package let kubernetes_version: String
  package let namespace: String
  package let arithmetic: [ArithmeticLine]
  package let notes: [String]
  /// Of a sweep its candidates and the server without speculation.
  package let servers: [Server]
  package let objects: Int
  /// What to run next.
  package let next: [String]

  /// - Parameter directory: where the files were written; `nil` for standard output.
  package init(_ plan: DeploymentPlan, format: BundleFormat, directory: String?) throws {
    try self.init(plan, sweep: nil, format, directory)
  }

  /// Of a sweep.
  package init(_ sweep: DeploymentSweep, format: BundleFormat, directory: String?) throws {
    try self.init(sweep.plan, sweep: sweep, format, directory)
  }

  private init(_ plan: DeploymentPlan, sweep: DeploymentSweep?, _ format: BundleFormat, _ directory: String?) throws {
    let builder = ManifestBuilder(plan)
    engine = plan.stack.engine.rawValue
    engine_version = plan.stack.version
    image = plan.image
    target = plan.target.name
    draft = sweep == nil ? plan.speculation?.draft?.name : nil
    method = plan.speculation?.method.rawValue
    num_speculative_tokens = sweep == nil ? plan.speculation?.window : nil
    instance_type = plan.instance.name
    tensor_parallel_size = plan.tensorParallel
    devices_per_pod = plan.devices
    replicas = plan.request.replicas
    storage = plan.storage.rawValue
    device_allocation = plan.allocation.rawValue
    nodes = plan.nodes.rawValue
    kubernetes_version = plan.request.kubernetes.description
    namespace = plan.request.namespace
    arithmetic = plan.arithmetic
    notes = plan.notes
    let candidates = try (sweep?.candidates ?? []).map { candidate in
      let command = try ServerCommand(candidate.plan, .speculative)
      return Server(name: candidate.name, command: command.program + command.arguments)
    }
    servers =
      try candidates
      + (sweep == nil ? plan.variants : [.baseline]).map { variant in
        let command = try ServerCommand(plan, variant)
        return Server(name: builder.name(variant), command: command.program + command.arguments)
      }
    objects = try (sweep.map { try builder.manifests(of: $0) } ?? builder.manifests()).count
    next = try builder.nextCommands(format, directory, sweep)
  }
}

extension ManifestBuilder {
  /// From files to an answer: lines to paste into a shell, in order.
  func nextCommands(_ format: BundleFormat, _ directory: String?, _ sweep: DeploymentSweep?) throws -> [String] {
    guard let given = directory else { return [] }
    let folder = given.count > 1 && given.hasSuffix("/") ? String(given.dropLast()) : given
    let jobs = try (sweep.map { try manifests(of: $0) } ?? manifests()).filter { $0.object.kind == "Job" }
    func names(_ parts: [Manifest.Part]) -> [String] {
      jobs.filter { parts.contains($0.part) }.map { "job/\($0.object.metadata.name)" }
    }
    if let sweep { return before(folder) + sweepCommands(sweep, folder, names) }
    return before(folder) + (try commands(format, folder, names))
  }

  /// A sweep: the baseline compiled, the candidates measured, the page.
  private func sweepCommands(
    _ sweep: DeploymentSweep, _ folder: String, _ names: ([Manifest.Part]) -> [String]
  ) -> [String] {
    func apply(_ overlay: String) -> String { line(["kubectl", "apply", "-k", "\(folder)/overlays/\(overlay)"]) }
    func wait(_ jobs: [String], _ seconds: Int) -> String {
      line(["bash", "\(folder)/wait.sh", plan.request.namespace, "\(seconds)"] + jobs)
    }
    let compiles = names([.compileBaseline])
    let report = names([.sweepReport])
    let page = line(["kubectl", "-n", plan.request.namespace, "logs"] + report + ["-c", "page"])
    return (compiles.isEmpty ? [] : ["\(apply("compile")) && \(wait(compiles, 14_400))"]) + [
      // Candidates that failed make the Job fail; the page says which and why.
      "\(apply("sweep")) && \(wait(names([.sweep]), deadline(sweep)))",
      "\(apply("sweep-report")) && \(wait(report, 1800)) && \(page) > report.html",
    ]
  }

  /// What is done once: the image that nobody else builds, the cluster.
  private func before(_ folder: String) -> [String] {
    var lines: [String] = []
    let own = plan.stack.dialect == .foretoken ? plan.image : plan.benchmarkImage
    if let own {
      // Docker's own reading of an image's name; the rest is the clone's business.
      let accelerator = plan.stack.plugin.map { ["ACCELERATOR=\($0)"] } ?? []
      lines.append(line(["make", "image", "IMAGE=\(own)"] + accelerator + ["PUSH=1"]))
    }
    if plan.request.region != nil {
      let file = "\(folder)/\(ClusterFiles.folder)/eksctl.yaml"
      lines.append(line(["eksctl", "create", "cluster", "-f", file] + devicePluginFlag))
      if plan.instance.isNeuron { lines.append(line(Self.chart + ["--set", chartSettings])) }
    }
    if plan.storage == .pvc, plan.request.storageClass == nil {
      lines.append(line(["kubectl", "apply", "-f", "\(folder)/\(ClusterFiles.folder)/storage-class.yaml"]))
    }
    return lines
  }

  /// Neuron's chart: https://docs.aws.amazon.com/eks/latest/userguide/device-management-neuron.html
  private static let chart = [
    "helm", "upgrade", "--install", "neuron-helm-chart", "oci://public.ecr.aws/neuron/neuron-helm-chart", "--namespace",
    "neuron-dra-driver", "--create-namespace",
  ]

  /// The driver or the plugin, never both; the scheduler where some of a machine's devices must be connected.
  private var chartSettings: String {
    let settings =
      plan.allocation == .dra
      ? ["devicePlugin.enabled=false", "draDriver.enabled=true"]
      : schedulerName == nil ? [] : ["scheduler.enabled=true"]
    return (settings + ["npd.enabled=false"]).joined(separator: ",")
  }

  /// eksctl installs Neuron's device plugin unless it is told not to, and the chart installs what is asked for.
  private var devicePluginFlag: [String] { plan.instance.isNeuron ? ["--install-neuron-plugin=false"] : [] }

  private func commands(
    _ format: BundleFormat, _ folder: String, _ names: ([Manifest.Part]) -> [String]
  ) throws -> [String] {
    let namespace = plan.request.namespace
    func wait(_ jobs: [String]) -> String { line(["bash", "\(folder)/wait.sh", namespace, "14400"] + jobs) }
    let compiles = names([.compileSpeculative, .compileBaseline])
    let benchmarks = names([.benchmark])
    let rollout = line([
      "kubectl", "-n", namespace, "rollout", "status", "--timeout=4h", "deployment/\(name(plan.variants[0]))",
    ])
    func logs(_ job: String) -> String { line(["kubectl", "-n", namespace, "logs", job, "--all-containers"]) }
    switch format {
    case .kustomize:
      func apply(_ overlay: String) -> String { line(["kubectl", "apply", "-k", "\(folder)/overlays/\(overlay)"]) }
      let compile = compiles.isEmpty ? [] : ["\(apply("compile")) && \(wait(compiles))"]
      guard let benchmark = benchmarks.first else { return compile + [apply("production"), rollout] }
      return compile + [apply("comparison"), "\(wait([benchmark])) && \(logs(benchmark))"]
    case .helm:
      // The chart names its Jobs by its values, so that they are found by their labels.
      func selector(_ component: String) -> String {
        "app.kubernetes.io/component=\(component),app.kubernetes.io/part-of=\(modelSlug)"
      }
      func release(_ settings: String?) -> String {
        line(
          ["helm", "upgrade", "--install", modelSlug, folder, "-n", namespace, "--create-namespace"]
            + (settings.map { ["--set", $0] } ?? []))
      }
      let compile =
        compiles.isEmpty
        ? [] : ["\(release("compile.enabled=true,servers.enabled=false")) && \(wait([selector("compile")]))"]
      guard !benchmarks.isEmpty else { return compile + [release(nil), rollout] }
      let show = line([
        "kubectl", "-n", namespace, "logs", "-l", selector("benchmark"), "--all-containers", "--tail=-1",
      ])
      return compile + [release("benchmark.enabled=true"), "\(wait([selector("benchmark")])) && \(show)"]
    case .yaml:
      let apply = line(["kubectl", "apply", "-f", "\(folder)/manifests.yaml"])
      return [apply, benchmarks.first.map { "\(wait([$0])) && \(logs($0))" } ?? rollout]
    }
  }

  private func line(_ words: [String]) -> String { words.map(ShellWord.quoted).joined(separator: " ") }
}
