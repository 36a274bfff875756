internal import Tuning

// A server: pods, a name for them, and what keeps them up; and the job that compiles for it.

extension ManifestBuilder {
  /// A container with the AWS command line, for buckets.
  static let awsImage = "public.ecr.aws/aws-cli/aws-cli:2.27.0"

  func server(_ variant: DeploymentPlan.Variant) throws -> [Manifest] {
    let (name, part): (String, Manifest.Part) = (
      name(variant), variant == .speculative ? .speculative : .baseline
    )
    let selector = selector("server", name)
    let startup = startupSeconds
    let spec = DeploymentSpec(
      replicas: plan.request.replicas, progressDeadlineSeconds: startup + 1800,
      selector: LabelSelector(matchLabels: selector),
      // Accelerators are scarce: a new pod may have no place until an old one has gone.
      strategy: .init(rollingUpdate: .init(maxSurge: 0, maxUnavailable: 1)),
      template: PodTemplate(
        metadata: .init(labels: labels("server", name)), spec: try pod(variant, containers: [serverContainer(variant)]))
    )
    let container: [OpenField.PathStep] = ["spec", "template", "spec", "containers", 0]
    let value = ["servers", variant.rawValue]
    if plan.machinesPerReplica > 1 { return groupManifests(variant, part, spec.template.spec) }
    return [
      Manifest(
        part, "deployment",
        Object(apiVersion: "apps/v1", kind: "Deployment", metadata: meta(name, "server", name), spec: spec),
        open: [
          OpenField(path: ["spec", "replicas"], value: value + ["replicas"]),
          OpenField(path: container + ["image"], value: ["image"]),
          OpenField(path: container + ["args"], value: value + ["arguments"]),
          OpenField(path: container + ["resources"], value: ["resources"]),
        ] + (try openStore(variant))),
      Manifest(
        part, "service",
        Object(
          apiVersion: "v1", kind: "Service", metadata: meta(name, "server", name),
          spec: ServiceSpec(ports: [.init(name: "http", port: 80, targetPort: "http")], selector: selector)),
        open: [OpenField(path: ["spec", "type"], value: ["service", "type"])]),
      Manifest(
        part, "disruption-budget",
        Object(
          apiVersion: "policy/v1", kind: "PodDisruptionBudget", metadata: meta(name, "server", name),
          spec: DisruptionBudgetSpec(maxUnavailable: 1, selector: LabelSelector(matchLabels: selector)))),
    ]
  }

  /// The same over several machines.
  private func groupManifests(
    _ variant: DeploymentPlan.Variant, _ part: Manifest.Part, _ pod: PodSpec
  ) -> [Manifest] {
    let name = name(variant)
    return [
      Manifest(
        part, "leader-worker-set",
        Object(
          apiVersion: "leaderworkerset.x-k8s.io/v1", kind: "LeaderWorkerSet", metadata: meta(name, "server", name),
          spec: group(variant, pod))),
      Manifest(
        part, "service",
        Object(
          apiVersion: "v1", kind: "Service", metadata: meta(name, "server", name),
          spec: ServiceSpec(
            ports: [.init(name: "http", port: 80, targetPort: "http")], selector: selector("server", name)))),
      Manifest(
        part, "group-network-policy",
        Object(
          apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: meta("\(name)-group"),
          spec: groupPolicy(variant))),
    ]
  }

  /// Where compiled programs are restored from: another command line compiles something else.
  private func openStore(_ variant: DeploymentPlan.Variant) throws -> [OpenField] {
    guard plan.compilesAhead else { return [] }
    let index = try preparation(variant).count - 1
    return [
      OpenField(
        path: ["spec", "template", "spec", "initContainers", .index(index), "args", 1],
        value: ["servers", variant.rawValue, "compiledStore"])
    ]
  }

  /// Time for the first answer: many shapes are compiled on Neuron; elsewhere weights are loaded.
  var startupSeconds: Int {
    switch plan.stack.dialect {
    case .neuronInference, .neuronPlugin: 7200
    case .cuda: 1800
    case .foretoken: plan.stack.plugin == nil ? 900 : plan.instance.isNeuron ? 7200 : 1800
    }
  }

  private func serverContainer(_ variant: DeploymentPlan.Variant) throws -> Container {
    let command = try ServerCommand(plan, variant)
    func probe(period: Int, failures: Int, timeout: Int) -> Probe {
      Probe(
        failureThreshold: failures, httpGet: .init(path: "/health", port: "http"), periodSeconds: period,
        timeoutSeconds: timeout)
    }
    return Container(
      name: "server", image: plan.image, command: command.program.verbatim, args: command.arguments.verbatim,
      env: command.environment, lifecycle: .init(preStop: beforeStop),
      livenessProbe: probe(period: 20, failures: 6, timeout: 10),
      ports: [.init(containerPort: ServerCommand.port, name: "http")],
      readinessProbe: probe(period: 5, failures: 3, timeout: 5), resources: deviceResources,
      startupProbe: probe(period: 15, failures: startupSeconds / 15, timeout: 5), volumeMounts: mounts,
      workingDir: ServerCommand.Place.local)
  }

  /// Time for the endpoints to forget the pod before it stops taking connections, in seconds.
  private static let forgetting = 10

  /// What happens before the server gets its signal. Those that drain by themselves only wait to be forgotten.
  private var beforeStop: Container.Lifecycle.Handler {
    guard plan.stack.dialect == .neuronInference else { return .init(sleep: ["seconds": Self.forgetting]) }
    return .init(
      exec: .init(command: [
        "/bin/bash", "\(ServerCommand.Place.scripts)/drain.sh", "\(ServerCommand.port)", "\(Self.forgetting)",
        "\(plan.longestAnswer)",
      ]))
  }

  /// What a container with the model asks for; its pod's folders on the node's disk count among it.
  var deviceResources: Container.Resources {
    let memory = ["memory": "\(plan.hostMemory)Gi", "ephemeral-storage": "\(plan.disk.pod)Gi"]
    var limits = memory
    var requests = memory
    requests["cpu"] = "\(plan.processors)"
    limits["cpu"] = "\(plan.processors)"
    if let resource = deviceResource, plan.allocation == .devicePlugin {
      limits[resource] = "\(plan.devices)"
      requests[resource] = "\(plan.devices)"
    }
    return .init(
      claims: plan.allocation == .dra ? [.init(name: "neurons")] : nil, limits: limits, requests: requests)
  }

  /// What a container that copies asks for.
  var smallResources: Container.Resources {
    .init(
      limits: ["cpu": "4", "memory": "4Gi", "ephemeral-storage": "4Gi"],
      requests: ["cpu": "1", "memory": "1Gi", "ephemeral-storage": "4Gi"])
  }

  /// Mounts of every container.
  var mounts: [Container.Mount] {
    var mounts = [
      Container.Mount(name: "local", mountPath: ServerCommand.Place.local),
      Container.Mount(name: "tmp", mountPath: "/tmp"),
      Container.Mount(name: "shm", mountPath: "/dev/shm"),
      Container.Mount(name: "scripts", mountPath: ServerCommand.Place.scripts, readOnly: true),
    ]
    if plan.storage.isVolume { mounts.append(.init(name: "models", mountPath: ServerCommand.Place.models)) }
    return mounts
  }

  var volumes: [Volume] {
    var volumes = [
      Volume(name: "local", emptyDir: .init(sizeLimit: "\(plan.disk.local)Gi")),
      Volume(name: "tmp", emptyDir: .init(sizeLimit: "\(plan.disk.temporary)Gi")),
      Volume(name: "shm", emptyDir: .init(medium: "Memory", sizeLimit: "\(max(1, plan.hostMemory / 8))Gi")),
      Volume(name: "scripts", configMap: .init(name: scriptsName)),
    ]
    if plan.storage.isVolume {
      volumes.append(Volume(name: "models", persistentVolumeClaim: .init(claimName: volumeName)))
    }
    return volumes
  }

  /// A pod on the machines with devices; `containers` after those that fetch.
  private func pod(
    _ variant: DeploymentPlan.Variant, containers: [Container], then work: [Container] = [], restart: String? = nil
  ) throws -> PodSpec {
    let preparation = try preparation(variant)
    // A job's work comes before what publishes it, so all but the last container are initial ones.
    let initial = preparation + (work.isEmpty ? [] : containers)
    return PodSpec(
      containers: work.isEmpty ? containers : work, initContainers: initial.isEmpty ? nil : initial,
      nodeSelector: machineSelector,
      resourceClaims: plan.allocation == .dra
        ? [.init(name: "neurons", resourceClaimTemplateName: claimTemplateName)] : nil,
      restartPolicy: restart, schedulerName: schedulerName, serviceAccountName: accountName,
      terminationGracePeriodSeconds: restart == nil ? Self.forgetting + plan.longestAnswer + 30 : 30,
      tolerations: deviceResource.map { [.init(key: $0)] },
      topologySpreadConstraints: restart == nil
        ? ["kubernetes.io/hostname", "topology.kubernetes.io/zone"].map {
          .init(labelSelector: LabelSelector(matchLabels: selector("server", name(variant))), topologyKey: $0)
        } : nil,
      volumes: volumes)
  }

  /// Counted devices that must be connected, a part of a machine's, are found by Neuron's own scheduler alone.
  ///
  /// https://awsdocs-neuron.readthedocs-hosted.com/en/latest/deploy/infrastructure/scheduler.html
  var schedulerName: String? {
    plan.allocation == .devicePlugin && plan.instance.isNeuron && (2..<plan.instance.devices).contains(plan.devices)
      ? "my-scheduler" : nil
  }

  /// Selects the machines with devices.
  var machineSelector: [String: String] {
    plan.nodes == .karpenter
      ? ["foretoken.dev/pool": poolName] : ["node.kubernetes.io/instance-type": plan.instance.name]
  }

  /// What brings weights and compiled programs to the node.
  func preparation(_ variant: DeploymentPlan.Variant) throws -> [Container] {
    var containers: [Container] = []
    let speculates = variant == .speculative && plan.speculation != nil
    let draft = speculates ? plan.speculation?.draft : nil
    for (role, model) in [("target", plan.place)] + (draft.map { [("draft", $0)] } ?? []) {
      if plan.storage == .s3, let bucket = plan.request.bucket {
        containers.append(
          copying("fetch-\(role)", ["s3://\(bucket)/models/\(model.folder)", ServerCommand.path(of: model, plan)]))
      } else if model.isOnHub, !ServerCommand.isFetchedByEngine(model, plan) || plan.stack.dialect == .foretoken {
        containers.append(fetching("fetch-\(role)", model))
      }
    }
    if plan.compilesAhead {
      containers.append(
        copying("restore-compiled", ["--if-complete", try plan.compiledStore(variant), ServerCommand.Place.compiled]))
    }
    return containers
  }

  /// A container that brings a model from the hub: into the hub's cache, or, where the server cannot name a revision,
  /// into a folder.
  private func fetching(_ name: String, _ model: ModelPlace) -> Container {
    let environment =
      [EnvironmentVariable("HOME", ServerCommand.Place.local)] + ServerCommand.user + hubEnvironment
    let path = ServerCommand.path(of: model, plan)
    let (command, arguments): ([Verbatim], [String]) =
      path == model.name
      ? (["foretoken", "pull"], [model.name])
      : (["/bin/bash", "\(ServerCommand.Place.scripts)/fetch.sh"], [model.name, model.revision ?? "main", path])
    return Container(
      name: name, image: plan.image, command: command, args: arguments.verbatim, env: environment,
      resources: smallResources, volumeMounts: mounts)
  }

  /// Where the hub's models are kept, and who asks for them.
  var hubEnvironment: [EnvironmentVariable] {
    [
      EnvironmentVariable("HF_HOME", plan.hubCache),
      EnvironmentVariable("HF_TOKEN", secret: plan.request.hubTokenSecret, key: "token", optional: true),
    ]
  }

  /// A container that runs `sync.sh`.
  private func copying(_ name: String, _ arguments: [String]) -> Container {
    script(name, "sync.sh", arguments)
  }

  func script(
    _ name: String, _ file: String, _ arguments: [String], environment: [EnvironmentVariable]? = nil,
    mounts: [Container.Mount]? = nil
  ) -> Container {
    Container(
      name: name, image: plan.storage == .s3 ? Self.awsImage : plan.image,
      command: ["/bin/bash", "\(ServerCommand.Place.scripts)/\(file)"], args: arguments.verbatim,
      env: [EnvironmentVariable("HOME", "/tmp")] + ServerCommand.user + (environment ?? []), resources: smallResources,
      volumeMounts: mounts ?? self.mounts)
  }

  // MARK: Compiling ahead

  /// Runs the server once, with the command line that will serve, and keeps what it compiled.
  func compileJob(_ variant: DeploymentPlan.Variant) throws -> Manifest {
    let command = try ServerCommand(plan, variant)
    let base = name(variant) + "-compile"
    let compile = Container(
      name: "compile", image: plan.image, command: ["/bin/bash", "\(ServerCommand.Place.scripts)/compile.sh"],
      args: (command.program + command.arguments).verbatim,
      env: command.environment + [
        EnvironmentVariable("PORT", "\(ServerCommand.port)"),
        EnvironmentVariable("TIMEOUT_SECONDS", "\(startupSeconds)"),
      ], resources: deviceResources, volumeMounts: mounts, workingDir: ServerCommand.Place.local)
    let publish = copying(
      "keep-compiled", ["--mark-complete", ServerCommand.Place.compiled, try plan.compiledStore(variant)])
    let spec = JobSpec(
      backoffLimit: 1, activeDeadlineSeconds: 2 * startupSeconds, ttlSecondsAfterFinished: 86_400,
      template: PodTemplate(
        metadata: .init(labels: labels("compile", base)),
        // That the result can be kept is tried before the hours that it takes to make it.
        spec: try pod(
          variant, containers: [copying("try-to-keep", ["--try", try plan.compiledStore(variant)]), compile],
          then: [publish], restart: "Never")))
    let name = try jobName(base, spec)
    let initial = try preparation(variant).count + 1
    let container: [OpenField.PathStep] = ["spec", "template", "spec", "initContainers", .index(initial)]
    return Manifest(
      variant == .speculative ? .compileSpeculative : .compileBaseline, "job",
      Object(apiVersion: "batch/v1", kind: "Job", metadata: meta(name, "compile", base), spec: spec),
      open: [
        OpenField(path: container + ["image"], value: ["image"]),
        OpenField(
          path: container + ["args"], value: ["servers", variant.rawValue, "arguments"], prefix: command.program),
        OpenField(
          path: ["spec", "template", "spec", "containers", 0, "args", 2],
          value: ["servers", variant.rawValue, "compiledStore"]),
        OpenField(
          path: ["spec", "template", "spec", "initContainers", .index(initial - 1), "args", 1],
          value: ["servers", variant.rawValue, "compiledStore"]),
      ] + (try openStore(variant)))
  }

  /// A Job's template cannot change under its name, so that another template has another name.
  func jobName(_ base: String, _ spec: JobSpec) throws -> String {
    "\(base)-\(digest(try YAMLText.encode(spec).utf8).prefix(8))"
  }

  // MARK: Measuring

  /// What every comparison of two servers asks for.
  var compareFlags: [String] {
    var flags = ["--max-concurrency", "\(plan.maximumSequences)"]
    if plan.requiresEqualOutputs { flags.append("--require-equal-outputs") }
    if let price = plan.price {
      flags += ["--price-per-hour", "\(price.dollarsPerHour)", "--instance", plan.instance.name]
      flags += price.source.map { ["--price-source", $0] } ?? []
    }
    return flags
  }

  /// Of a container that compares.
  var benchmarkEnvironment: [EnvironmentVariable] {
    [EnvironmentVariable("HOME", "/tmp")] + ServerCommand.user
      + (plan.request.apiKeySecret.map { [EnvironmentVariable("OPENAI_API_KEY", secret: $0, key: "api-key")] } ?? [])
  }

  /// Compares both servers, in turns, and fails below the thresholds.
  func benchmark() throws -> Manifest {
    let base = "\(modelSlug)-benchmark"
    let image = plan.benchmarkImage ?? plan.image
    let endpoints = [DeploymentPlan.Variant.speculative, .baseline].map { "http://\(self.name($0))" }
    let results = ServerCommand.Place.results
    // Results are kept first and judged then, so that a failed benchmark leaves its report too.
    let kept: String? =
      switch plan.storage {
      case .s3: "s3://\(plan.request.bucket ?? "")/results/\(modelSlug)"
      case .efs, .fsx, .pvc: "\(ServerCommand.Place.models)/results/\(modelSlug)"
      case .emptyDir: nil
      }
    let status = EnvironmentVariable("STATUS_FILE", "\(results)/status")
    var environment =
      benchmarkEnvironment + [
        EnvironmentVariable("ENDPOINTS", endpoints.joined(separator: " ")),
        EnvironmentVariable("TIMEOUT_SECONDS", "\(startupSeconds)"),
      ]
    if kept != nil { environment.append(status) }
    let mount = Container.Mount(name: "results", mountPath: results)
    let models = plan.storage.isVolume ? ["models"] : []
    // Of the servers' folders only those that it needs: this pod holds no model.
    let mounts = mounts.filter { (["tmp", "scripts"] + models).contains($0.name) }
    let compare = Container(
      name: "compare", image: image, command: ["/bin/bash", "\(ServerCommand.Place.scripts)/benchmark.sh"],
      args: (["foretoken", "compare"] + endpoints + [
        "--workload", plan.request.workload, "--min-speedup", "\(plan.request.minimumSpeedup)",
      ] + compareFlags + [
        "--save-result", "--result-dir", results, "--result-filename", "comparison.json",
      ]).verbatim, env: environment, resources: smallResources, volumeMounts: mounts + [mount],
      workingDir: ServerCommand.Place.results)
    let publish = kept.map {
      script("publish", "publish.sh", [results, $0], environment: [status], mounts: mounts + [mount])
    }
    let volumes =
      volumes.filter { (["scripts"] + models).contains($0.name) }
      + ["tmp", "results"].map { Volume(name: $0, emptyDir: .init(sizeLimit: "1Gi")) }
    let spec = JobSpec(
      backoffLimit: 0, activeDeadlineSeconds: startupSeconds + 7200, ttlSecondsAfterFinished: 604_800,
      template: PodTemplate(
        metadata: .init(labels: labels("benchmark", base)),
        spec: PodSpec(
          containers: [publish ?? compare], initContainers: publish == nil ? nil : [compare],
          // A disk of one machine can be read there only.
          nodeSelector: plan.storage == .pvc ? machineSelector : nil,
          restartPolicy: "Never", serviceAccountName: accountName, terminationGracePeriodSeconds: 30,
          tolerations: plan.storage == .pvc ? deviceResource.map { [.init(key: $0)] } : nil, volumes: volumes)))
    return Manifest(
      .benchmark, "job",
      Object(
        apiVersion: "batch/v1", kind: "Job", metadata: meta(try jobName(base, spec), "benchmark", base), spec: spec),
      open: [
        OpenField(
          path: ["spec", "template", "spec", publish == nil ? "containers" : "initContainers", 0, "image"],
          value: ["benchmark", "image"]),
        OpenField(
          path: ["spec", "template", "spec", publish == nil ? "containers" : "initContainers", 0, "args"],
          value: ["benchmark", "arguments"]),
      ])
  }
}
