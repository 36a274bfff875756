// Replicas that span several machines, and deployments beside one another.

extension Preflight {
  /// Stages of layers, each on machines of its own.
  mutating func settleStages(_ method: DeployedMethod?, _ stack: EngineStack, _ target: ServedModel) -> Int {
    guard let stages = request.stages else { return 1 }
    guard (1...64).contains(stages) else {
      refuse("--pipeline-parallel-size is \(stages); expected 1 to 64")
      return 1
    }
    guard stages > 1 else { return 1 }
    if stack.dialect != .cuda {
      refuse(
        "--pipeline-parallel-size \(stages): \(stack.description) is documented for one machine; take --engine vllm-cuda"
      )
    }
    if method != nil {
      refuse(
        "--pipeline-parallel-size \(stages) with speculation: vLLM does not speculate across stages (docs.vllm.ai, speculative decoding). Leave the draft out, or spread tensor parallelism over machines: --tensor-parallel-size"
      )
    }
    if target.layers < stages {
      refuse("--pipeline-parallel-size is \(stages), and \(target.name) has \(target.layers) layers")
    }
    return stages
  }

  /// Machines that one stage's tensor parallelism spans.
  mutating func spannedMachines(_ parallel: Int, _ instance: InstanceType, _ stack: EngineStack) -> Int {
    guard stack.dialect == .cuda, instance.devices > 0, parallel > instance.devices else { return 1 }
    if parallel % instance.devices != 0 {
      refuse(
        "--tensor-parallel-size \(parallel) over machines of \(instance.devices) GPUs leaves \(parallel % instance.devices); take a multiple of \(instance.devices)"
      )
    }
    return (parallel + instance.devices - 1) / instance.devices
  }

  mutating func checkGroups(_ machinesPerReplica: Int, _ instance: InstanceType) {
    guard machinesPerReplica > 1 else { return }
    line(
      "group",
      "a replica spans \(machinesPerReplica) × \(instance.name): one leader and \(machinesPerReplica - 1) workers (LeaderWorkerSet)"
    )
    if request.withBaseline {
      refuse("--with-baseline compares servers of one machine; a replica here spans \(machinesPerReplica)")
    }
    if request.autoscaling != .none, request.maximumReplicas != nil {
      refuse("--max-replicas: groups of machines are not scaled by requests; leave it out")
    }
    note(
      "machines of a group talk over their network for every token: without EFA and machines near each other (a placement group) that is slow; neither is written here"
    )
  }

  /// A deployment beside another shares a route with it, and nothing else.
  mutating func checkBeside() {
    if let name = request.name, let expected = Grammar.shortLabel(name) {
      refuse("--name is '\(name)'; expected \(expected)")
    }
    guard let beside = request.beside else { return }
    if let expected = Grammar.label(beside) { refuse("--beside is '\(beside)'; expected \(expected)") }
    if request.name == nil {
      refuse("--beside needs --name: two deployments of one model would share every other name")
    } else if let name = request.name, beside.hasPrefix(name + "-") {
      refuse("--name is '\(name)', the name of the deployment beside which this one is to run")
    }
    if !(0...100).contains(request.share) { refuse("--share is \(request.share); expected 0 to 100 percent") }
    if request.routing == .none || request.routing == .productionStack {
      refuse("--beside divides requests by a route to both: take --routing http-route or inference-pool")
    }
    if request.withBaseline { refuse("--beside is for a server that is kept; leave --with-baseline out") }
  }
}

extension Grammar {
  /// A name that others are made of: room is left for what follows.
  static func shortLabel(_ text: String) -> String? {
    text.wholeMatch(of: /[a-z]([-a-z0-9]{0,32}[a-z0-9])?/) != nil
      ? nil : "1 to 34 lower-case letters, digits and hyphens, beginning with a letter"
  }
}
