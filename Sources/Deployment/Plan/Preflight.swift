internal import Decoding

/// Works a request out: settles what was left open, does the sums, and refuses what cannot hold.
///
/// All problems are found in one go, each with what was found, what was expected and what to do instead.
struct Preflight {
  let request: DeploymentRequest
  private(set) var problems: [String] = []
  private(set) var notes: [String] = []
  private(set) var arithmetic: [ArithmeticLine] = []

  init(_ request: DeploymentRequest) { self.request = request }

  mutating func refuse(_ problem: String) { problems.append(problem) }
  mutating func note(_ text: String) { notes.append(text) }
  mutating func line(_ topic: String, _ text: String) {
    arithmetic.append(ArithmeticLine(topic: topic, text: text))
  }
  mutating func lines(_ more: [ArithmeticLine]) { arithmetic += more }

  /// The plan.
  ///
  /// - Throws: `DeploymentError` for input that cannot be read, `DeploymentRefusal` for a plan that cannot hold.
  mutating func plan() throws -> DeploymentPlan {
    checkNames()
    let place = try ModelPlace(request.target, revision: request.revision)
    let target = try ServedModel(request.target, configuration: request.targetConfiguration)
    let method = settleMethod()
    let draftPlace = try request.draft.map {
      try ModelPlace($0, revision: request.draftRevision)
    }
    let draft = try settleDraft(method)
    let instance = try settleInstance()
    let stack = try settleStack(method, instance)
    let window = checkWindow(method, stack)
    if let plugin = stack.plugin {
      note("\(stack.description): models were never run on the plugin '\(plugin)'; docs/accelerators.md says what was")
    }
    if stack.dialect == .neuronPlugin, !(target.tokenizer ?? "").hasPrefix("Llama") {
      note(
        "Neuron's recipes for the plugin (SDK 2.32) cover Llama 3, gpt-oss and Qwen3-VL; there is none for \(target.name)"
      )
    }
    if stack.dialect == .neuronInference, method != nil {
      note(
        "fused speculation is greedy only: vLLM 0.9.1 compiles it with top_k 1 and do_sample false, so that every request's temperature, top_p and seed are ignored"
      )
    }
    let (length, sequences) = checkLengths(target, draft, window: window ?? 0)
    let parallel = settleTensorParallel(
      target, draft, instance, stack, length: length, sequences: sequences, window: window ?? 0)
    let allocation = settleAllocation(instance)
    let stages = settleStages(method, stack, target)
    let machinesPerReplica = stages * spannedMachines(parallel, instance, stack)
    let devices = checkDevices(machinesPerReplica > stages ? instance.devices : parallel, instance, allocation)
    let extraArguments = settleExtras(stack, target, instance)
    checkHeads(target, draft, parallel, stack)
    checkLayers(target, draft, stack)
    checkShares(target, draft, parallel, stack)
    checkCarriedHead(method, target, stack)
    checkVocabulary(target, draft, stack)
    let (prefill, decoding) = checkBuckets(stack, length: length, sequences: sequences)
    let longestAnswer = settleLongestAnswer(length)
    let budget = MemoryBudget(
      target: target, draft: draft, headBytes: headBytes(method, target, draft), stack: stack, instance: instance,
      tensorParallel: parallel, maximumLength: length, maximumSequences: sequences, window: window ?? 0,
      quantization: request.extras.quantization, adapterBytes: adapterBytes(target), stages: stages)
    lines(budget.lines)
    weighExperts(target, stack, sequences: sequences, window: window)
    if let problem = budget.problem { refuse(problem) }
    let machines = countMachines(instance, devices: devices) * machinesPerReplica
    checkGroups(machinesPerReplica, instance)
    checkBeside()
    let storage = settleStorage(target, draft, machines: machines)
    let nodes = request.nodes ?? (allocation == .dra && instance.isNeuron ? .nodeGroup : .karpenter)
    checkPlacement(machines, storage: storage, nodes: nodes, allocation: allocation)
    checkRevisions(place, draftPlace, storage)
    checkCapacity(nodes)
    let (image, benchmarkImage) = settleImages(stack, compares: method != nil && request.withBaseline)
    let share = max(1, instance.devices == 0 ? 1 : instance.devices / max(1, devices))
    let disk = DiskBudget(
      models: [target] + (draft.map { [$0] } ?? []), headBytes: headBytes(method, target, draft), stack: stack,
      others: otherDrafts(method, target), storage: storage, instance: instance, tensorParallel: parallel,
      variants: keptVariants(method), programs: prefill.count + decoding.count, pods: share,
      given: request.nodeVolume)
    lines(disk.arithmetic)
    let mostReplicas = settleMostReplicas(storage, instance, devices: devices)
    let price = settlePrice(instance, devices: devices)
    let isExact = settleEquality(stack, compares: method != nil && request.withBaseline)
    if let problem = disk.problem { refuse(problem) }
    guard problems.isEmpty else { throw DeploymentRefusal(problems: problems, arithmetic: arithmetic) }
    return DeploymentPlan(
      request: request, stack: stack, target: target, place: place, draft: draft,
      speculation: method.map {
        .init(
          method: $0, draft: draftPlace, window: window, windowsByBatchSize: request.windowsByBatchSize)
      },
      instance: instance, tensorParallel: parallel, devices: devices, maximumLength: length,
      maximumSequences: sequences, prefillBuckets: prefill, sequenceBuckets: decoding, storage: storage,
      allocation: allocation, nodes: nodes, image: image, benchmarkImage: benchmarkImage,
      hostMemory: max(4, instance.hostMemory * 8 / 10 / share),
      processors: max(1, instance.processors * 8 / 10 / share), disk: disk, longestAnswer: longestAnswer,
      machines: machines, stages: stages, machinesPerReplica: machinesPerReplica, extraArguments: extraArguments,
      mostReplicas: mostReplicas, price: price, requiresEqualOutputs: isExact, arithmetic: arithmetic, notes: notes)
  }
}

extension DeploymentPlan {
  /// Works out `request`.
  ///
  /// - Throws: `DeploymentError` for input that cannot be read, `DeploymentRefusal` for a plan that cannot hold.
  package init(_ request: DeploymentRequest) throws {
    var preflight = Preflight(request)
    self = try preflight.plan()
  }
}

// MARK: What was left open

extension Preflight {
  fileprivate mutating func settleMethod() -> SpeculationMethod? {
    if let method = request.method {
      if method.needsDraft, method != .automatic, request.draft == nil {
        refuse("--method \(method.rawValue) needs a draft; give --draft ORG/NAME, or take --method ngram")
      }
      if !method.needsDraft, let draft = request.draft {
        refuse("--method \(method.rawValue) has no draft; leave out --draft \(draft)")
      }
      return method
    }
    guard let draft = request.draft?.lowercased() else {
      if request.window != nil { refuse("--num-speculative-tokens without --draft or --method has nothing to count") }
      return nil
    }
    if draft.contains("eagle3") { return .eagle3 }
    if draft.contains("dflash") { return .dflash }
    return request.engine == .foretoken && request.window == nil ? .automatic : .draftModel
  }

  /// The draft's sizes. A head has those of its target, so it needs none.
  fileprivate mutating func settleDraft(_ method: SpeculationMethod?) throws -> ServedModel? {
    guard let draft = request.draft, let method else { return nil }
    guard method.isHead else { return try ServedModel(draft, configuration: request.draftConfiguration) }
    if ServedModel.known(draft) != nil {
      refuse(
        "--method \(method.rawValue) needs a head that was trained on \(request.target), and \(draft) is a model that stands alone; take --method draft_model"
      )
    }
    return nil
  }

  fileprivate func settleInstance() throws -> InstanceType {
    let standard =
      switch request.engine {
      case .vllmNeuron: "trn2.48xlarge"
      case .vllmCUDA: "g6e.12xlarge"
      case .foretoken: "m7i.4xlarge"
      }
    let name = request.instanceType ?? standard
    guard let instance = InstanceType.named(name) else {
      throw DeploymentError(
        "--instance-type '\(name)' is not known; known are \(InstanceType.all.map(\.name).joined(separator: ", "))")
    }
    let fits =
      switch request.engine {
      case .vllmNeuron: instance.isNeuron
      case .vllmCUDA: instance.accelerator == .nvidia
      case .foretoken: EngineStack.foretoken(on: instance.accelerator) != nil
      }
    guard fits else {
      throw DeploymentError(
        "--instance-type \(name) does not fit --engine \(request.engine.rawValue); take \(standard), for example")
    }
    return instance
  }

  /// The engine's version that can do it.
  fileprivate mutating func settleStack(
    _ method: SpeculationMethod?, _ instance: InstanceType
  ) throws -> EngineStack {
    let all = EngineStack.stacks(of: request.engine)
    let able = all.filter { stack in method.map { stack.methods.contains($0) } ?? true }
    let runnable = able.filter { $0.dialect != .neuronPlugin || instance.accelerator == .trainium2 }
    if let version = request.engineVersion {
      guard let stack = all.first(where: { $0.version == version }) else {
        throw DeploymentError(
          "--engine-version \(version) is not known; of \(request.engine.rawValue) there are \(all.map(\.version).joined(separator: ", "))"
        )
      }
      if let method, !stack.methods.contains(method) {
        refuse(unsupported(method, by: stack))
      } else if !runnable.contains(stack), able.contains(stack) {
        refuse("\(stack.description) runs on Trainium2 and later, not on \(instance.name); take \(others(than: stack))")
      }
      return stack.dialect == .foretoken ? EngineStack.foretoken(on: instance.accelerator) ?? stack : stack
    }
    if let stack = runnable.first {
      return stack.dialect == .foretoken ? EngineStack.foretoken(on: instance.accelerator) ?? stack : stack
    }
    guard let fallback = all.first else { throw DeploymentError("no version of \(request.engine.rawValue) is known") }
    if let method {
      if let stack = able.first {
        refuse(
          "--method \(method.rawValue) needs \(stack.description), which does not run on \(instance.name); take --instance-type trn2.48xlarge"
        )
      } else {
        refuse(unsupported(method, by: fallback))
      }
    }
    return fallback
  }

  private func unsupported(_ method: SpeculationMethod, by stack: EngineStack) -> String {
    let elsewhere = EngineStack.all.filter { $0.methods.contains(method) }.map {
      $0.engine == stack.engine ? "--engine-version \($0.version)" : "--engine \($0.engine.rawValue)"
    }
    var text = "\(stack.description) has no --method \(method.rawValue); it has "
    text += stack.methods.map(\.rawValue).joined(separator: ", ")
    if stack.dialect == .neuronPlugin, method == .draftModel {
      text += ". Fusing a draft model with the target ended with the NxD Inference images"
    }
    if stack.dialect == .cuda, method == .suffix {
      text += ". vLLM's suffix decoding needs the package arctic-inference, which the image lacks"
    }
    if !elsewhere.isEmpty { text += ". Take \(elsewhere.joined(separator: " or "))" }
    return text
  }

  private func others(than stack: EngineStack) -> String {
    let versions = EngineStack.stacks(of: stack.engine).filter { $0 != stack }.map { "--engine-version \($0.version)" }
    return versions.isEmpty ? "another engine" : versions.joined(separator: " or ")
  }

  fileprivate mutating func settleStorage(_ target: ServedModel, _ draft: ServedModel?, machines: Int) -> ModelStorage {
    let isOnHub = target.isOnHub && draft?.isOnHub ?? true
    // A disk keeps weights and compiled programs, for one machine.
    let standard: ModelStorage = request.bucket != nil ? .s3 : machines == 1 || !isOnHub ? .pvc : .emptyDir
    if request.storage == nil, standard == .emptyDir, request.engine == .vllmNeuron {
      refuse(
        "\(machines) machines are needed, and nothing is said of what they share: give --bucket NAME or --storage efs or fsx, or --storage emptyDir to compile in every pod"
      )
    }
    let storage = request.storage ?? standard
    if storage == .s3, request.bucket == nil { refuse("--storage s3 needs --bucket NAME") }
    if storage != .s3, let bucket = request.bucket {
      refuse("--bucket \(bucket) goes with --storage s3, not with \(storage.rawValue)")
    }
    if storage == .emptyDir, !isOnHub {
      refuse("a directory's model is on no hub, so --storage emptyDir cannot fetch it; take s3, efs, fsx or pvc")
    }
    return storage
  }
}
