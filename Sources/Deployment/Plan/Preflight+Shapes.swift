internal import Decoding

// The sums about windows, lengths, cores, heads, vocabularies and compiled shapes.

extension Preflight {
  /// Largest windows that make sense: Foretoken's limit, and the block sizes of published heads.
  static let largestWindow = 32

  mutating func checkWindow(_ method: SpeculationMethod?, _ stack: EngineStack) -> Int? {
    for range in request.windowsByBatchSize ?? [] {
      guard range.count == 3, range[0] >= 1, range[1] >= range[0], (0...Self.largestWindow).contains(range[2]) else {
        refuse(
          "a window by batch size is \(range); expected [first, last, window] with 1 ≤ first ≤ last and window 0 to \(Self.largestWindow)"
        )
        break
      }
    }
    guard let method else { return nil }
    if request.windowsByBatchSize != nil, stack.dialect == .neuronInference || stack.dialect == .foretoken {
      note("\(stack.description) takes one window, so the window does not change with the batch size")
    }
    if let window = request.window {
      if !(1...Self.largestWindow).contains(window) {
        refuse(
          "--num-speculative-tokens is \(window); expected 1 to \(Self.largestWindow): "
            + (window < 1
              ? "a window of \(window) proposes nothing, which is plain decoding; leave --draft and --method out for that"
              : "each verification would compute \(window) + 1 rows per sequence"))
      }
      line("window", "\(window): each verification computes \(window) + 1 rows per sequence")
      return min(max(0, window), Self.largestWindow)
    }
    let standard: Int? =
      switch (stack.dialect, method) {
      case (.foretoken, _): nil
      // The published result's; the plugin's tutorial's; a block of 16 less one; vLLM's example's.
      case (.neuronInference, _): 7
      case (_, .eagle3): 3
      case (_, .dflash): 15
      // One token, as vLLM's documentation has it for a layer that was trained to look one ahead.
      case (_, .mtp): 1
      default: 5
      }
    if let standard {
      line("window", "\(standard) (default): each verification computes \(standard) + 1 rows per sequence")
    }
    return standard
  }

  mutating func checkLengths(_ target: ServedModel, _ draft: ServedModel?, window: Int) -> (Int, Int) {
    let neuron = request.engine == .vllmNeuron
    // On Neuron the shapes of the published result: every further one is compiled.
    let length = request.maximumLength ?? min(neuron ? 1024 : 4096, target.longestSequence)
    let sequences = request.maximumSequences ?? (neuron ? 4 : request.engine == .vllmCUDA ? 16 : 8)
    let longest = min(target.longestSequence, draft?.longestSequence ?? .max)
    if !(1...longest).contains(length) {
      let whose = longest == target.longestSequence ? "the target's" : "the draft's"
      refuse("--max-model-len is \(length); expected 1 to \(longest), \(whose) max_position_embeddings")
    } else if length <= window + 1 {
      refuse("--max-model-len \(length) leaves no room for a prompt beside a window of \(window) + 1 tokens")
    }
    if !(1...1024).contains(sequences) { refuse("--max-num-seqs is \(sequences); expected 1 to 1024") }
    return (min(max(1, length), 16_777_216), min(max(1, sequences), 1024))
  }

  mutating func settleTensorParallel(
    _ target: ServedModel, _ draft: ServedModel?, _ instance: InstanceType, _ stack: EngineStack, length: Int,
    sequences: Int, window: Int
  ) -> Int {
    if request.engine == .foretoken, instance.devices > 0 {
      return settlePartitions(target, draft, instance, stack, length: length, sequences: sequences, window: window)
    }
    if request.engine == .foretoken {
      if let given = request.tensorParallel, given != 1 {
        refuse("--tensor-parallel-size is \(given); Foretoken runs in one process, expected 1")
      }
      return 1
    }
    if let given = request.tensorParallel {
      if !(1...1024).contains(given) { refuse("--tensor-parallel-size is \(given); expected 1 or more") }
      return min(max(1, given), 1024)
    }
    let candidates = [1, 2, 4, 8, 16, 32, 64].filter {
      $0 <= instance.logicalCores && target.heads % $0 == 0 && divides(target.keyValueHeads, $0)
        && problem(sharing: target, among: $0, stack) == nil
    }
    // Half of a trn2.48xlarge is the published choice for the large ones, and 8 cores for Llama-3.1-8B.
    let preferred = request.engine == .vllmNeuron ? (target.parameters > 10_000_000_000 ? 32 : 8) : 1
    let fitting = candidates.filter { size in
      size >= min(preferred, candidates.last ?? 1)
        && MemoryBudget(
          target: target, draft: draft, headBytes: 0, stack: stack, instance: instance, tensorParallel: size,
          maximumLength: length, maximumSequences: sequences, window: window,
          quantization: request.extras.quantization, adapterBytes: adapterBytes(target),
          stages: min(max(1, request.stages ?? 1), 64)
        ).fits
    }
    return fitting.first ?? candidates.last ?? 1
  }

  /// Devices that Foretoken shares a model among: they divide the heads of both models, and none is repeated.
  private mutating func settlePartitions(
    _ target: ServedModel, _ draft: ServedModel?, _ instance: InstanceType, _ stack: EngineStack, length: Int,
    sequences: Int, window: Int
  ) -> Int {
    func divides(_ size: Int) -> Bool {
      [target, draft].compactMap { $0 }.allSatisfy {
        $0.keyValueHeads % size == 0 && $0.intermediateSize % size == 0
      }
    }
    if let given = request.tensorParallel {
      if !(1...64).contains(given) || !divides(given) {
        refuse(
          "--tensor-parallel-size is \(given); Foretoken takes 1 to 64, and numbers that divide the key/value heads and feed-forward channels of both models: \(list((1...64).filter(divides)))"
        )
      }
      return min(max(1, given), 64)
    }
    // On Neuron the cores of a device at least: the others would idle.
    let least = instance.isNeuron ? instance.logicalCoresPerDevice : 1
    let candidates = [1, 2, 4, 8, 16, 32, 64].filter { $0 <= instance.logicalCores && divides($0) }
    let fitting = candidates.filter { size in
      MemoryBudget(
        target: target, draft: draft, headBytes: 0, stack: stack, instance: instance, tensorParallel: size,
        maximumLength: length, maximumSequences: sequences, window: window
      ).fits
    }
    return fitting.first { $0 >= least } ?? fitting.last ?? candidates.last ?? 1
  }

  mutating func settleAllocation(_ instance: InstanceType) -> DeviceAllocation {
    guard instance.isNeuron else {
      if request.allocation == .dra {
        refuse("--device-allocation dra is for Neuron devices; \(instance.name) uses its device plugin")
      }
      return .devicePlugin
    }
    let supported = instance.accelerator == .trainium2 && request.kubernetes.minor >= 32
    if request.allocation == .dra, instance.accelerator != .trainium2 {
      refuse(
        "the Neuron DRA driver publishes Trainium2 devices, not those of \(instance.name); take --device-allocation device-plugin"
      )
    } else if request.allocation == .dra, !supported {
      refuse(
        "resource.k8s.io/v1beta1 came with Kubernetes 1.32, and --kubernetes-version is \(request.kubernetes); take --device-allocation device-plugin"
      )
    } else if request.allocation == .dra, request.kubernetes.minor < 34 {
      note(
        "resource.k8s.io/v1beta1 is rendered for Kubernetes \(request.kubernetes); AWS supports the Neuron DRA driver from 1.34"
      )
    }
    if let allocation = request.allocation { return allocation }
    return instance.accelerator == .trainium2 && request.kubernetes.minor >= 34 && request.nodes != .karpenter
      ? .dra : .devicePlugin
  }

  /// Devices of one pod.
  mutating func checkDevices(
    _ parallel: Int, _ instance: InstanceType, _ allocation: DeviceAllocation
  ) -> Int {
    guard instance.devices > 0 else {
      line("machine", "\(instance.name): \(instance.processors) processors, \(instance.hostMemory) GiB")
      return 0
    }
    let (perDevice, all) = (instance.logicalCoresPerDevice, instance.logicalCores)
    let exact = (parallel + perDevice - 1) / perDevice
    let unit = instance.isNeuron ? "cores" : "GPUs"
    var text = "\(instance.name) has \(instance.devices) devices × \(instance.coresPerDevice) cores"
    if instance.logicalCoreSize > 1 { text += " / LNC \(instance.logicalCoreSize)" }
    text += " = \(all) \(unit); tensor parallel \(parallel) / \(perDevice) per device = \(exact) devices"
    line("devices", text)
    if parallel > all {
      refuse(
        "--tensor-parallel-size is \(parallel) and \(instance.name) has \(all) \(unit) (\(instance.devices) devices × \(perDevice)); take at most \(all)"
      )
      return instance.devices
    }
    if instance.isNeuron, parallel % perDevice != 0, parallel > perDevice {
      refuse("--tensor-parallel-size \(parallel) does not fill whole devices of \(perDevice) \(unit); take a multiple")
    }
    // The connected sets that the driver publishes.
    guard instance.isNeuron, instance.accelerator == .trainium2, instance.devices > 1 else { return exact }
    guard let group = [1, 4, 8, 16].first(where: { $0 >= exact }) else { return exact }
    if group != exact {
      let idle = (group - exact) * perDevice
      note("devices are connected in sets of 1, 4, 8 and 16: a pod takes \(group) for \(exact), and \(idle) cores idle")
    }
    return group
  }

  private func divides(_ keyValueHeads: Int, _ parallel: Int) -> Bool {
    parallel <= keyValueHeads ? keyValueHeads % parallel == 0 : parallel % keyValueHeads == 0
  }

  mutating func checkHeads(_ target: ServedModel, _ draft: ServedModel?, _ parallel: Int, _ stack: EngineStack) {
    guard parallel > 1 else { return }
    for (whose, model) in [("target", target), ("draft", draft)] {
      guard let model else { continue }
      // NxD Inference pads a draft's few heads; a target's would waste most of the memory.
      let pads = whose == "draft" && stack.dialect == .neuronInference && model.heads < parallel
      let suitable = stride(from: 1, through: model.heads, by: 1).filter {
        model.heads % $0 == 0 && divides(model.keyValueHeads, $0)
      }
      if pads {
        line(
          "heads",
          "\(whose): \(model.heads) query heads are padded to \(parallel); \(parallel - model.heads) cores idle in its attention"
        )
        continue
      }
      if model.heads % parallel != 0 {
        refuse(
          "\(whose) \(model.name) has \(model.heads) query heads, \(model.heads) / \(parallel) leaves \(model.heads % parallel); --tensor-parallel-size may be \(list(suitable))"
        )
      } else if !divides(model.keyValueHeads, parallel) {
        refuse(
          "\(whose) \(model.name) has \(model.keyValueHeads) key/value heads, and neither divides \(parallel) into \(model.keyValueHeads) nor \(model.keyValueHeads) into \(parallel); --tensor-parallel-size may be \(list(suitable))"
        )
      } else {
        var text = "\(whose): \(model.heads) query heads / \(parallel) = \(model.heads / parallel) per core; "
        text +=
          parallel <= model.keyValueHeads
          ? "\(model.keyValueHeads) key/value heads / \(parallel) = \(model.keyValueHeads / parallel)"
          : "\(model.keyValueHeads) key/value heads × \(parallel / model.keyValueHeads) copies = \(parallel)"
        line("heads", text)
      }
    }
  }

  private func list(_ numbers: [Int]) -> String { numbers.map(String.init).joined(separator: ", ") }

  /// Draft and target must speak of the same tokens.
  ///
  /// Families pad their embeddings differently (Qwen2.5: 151,936 and 152,064 rows over one tokenizer of 151,665).
  /// Foretoken compares tokenizers and allows it; vLLM compares `vocab_size` and refuses.
  mutating func checkVocabulary(_ target: ServedModel, _ draft: ServedModel?, _ stack: EngineStack) {
    guard let draft else { return }
    let sums = "target \(target.vocabulary) rows, draft \(draft.vocabulary)"
    if let a = target.tokenizer, let b = draft.tokenizer, a != b {
      line("vocabulary", sums + "; tokenizers \(a) and \(b)")
      refuse(
        "the draft \(draft.name) has another tokenizer than \(target.name) (\(b), \(a)); take a draft of the target's family\(suggestion(target, draft))"
      )
    } else if target.vocabulary == draft.vocabulary {
      line("vocabulary", sums + ": equal")
    } else if stack.dialect == .foretoken, target.tokenizer != nil, target.tokenizer == draft.tokenizer {
      line("vocabulary", sums + ": the same tokenizer, padded differently")
    } else {
      let difference = abs(target.vocabulary - draft.vocabulary)
      line("vocabulary", sums + ": differ by \(difference)")
      var text =
        "the draft \(draft.name) has a vocabulary of \(draft.vocabulary), the target \(target.name) one of \(target.vocabulary); expected equal"
      if difference < 1024, stack.dialect != .foretoken {
        text += " (vLLM compares vocab_size; if only the padding differs, --engine foretoken compares tokenizers)"
      }
      refuse(text + suggestion(target, draft))
    }
  }

  private func suggestion(_ target: ServedModel, _ draft: ServedModel) -> String {
    let fitting = ServedModel.knownNames.compactMap(ServedModel.known).filter {
      $0.vocabulary == target.vocabulary && $0.parameters * 4 < target.parameters && $0.tokenizer == target.tokenizer
    }.map(\.name)
    return fitting.isEmpty ? "" : "; for example \(fitting.joined(separator: ", "))"
  }

  /// Compiled shapes: what is given, or powers of two up to the limits, which the plugin's defaults are.
  mutating func checkBuckets(_ stack: EngineStack, length: Int, sequences: Int) -> ([Int], [Int]) {
    guard stack.engine == .vllmNeuron else {
      if request.prefillBuckets != nil || request.sequenceBuckets != nil {
        refuse(
          "--prefill-buckets and --batch-buckets are for engines that compile shapes; \(stack.description) does not")
      }
      return ([], [])
    }
    let isSegmented = stack.dialect == .neuronPlugin && length > Self.longestSinglePrefill
    let prefill = request.prefillBuckets ?? (isSegmented ? [Self.segments.upperBound] : powers(from: 128, to: length))
    let decoding = request.sequenceBuckets ?? powers(from: 1, to: sequences)
    if stack.dialect == .neuronPlugin, length > Self.longestSinglePrefill {
      checkSegments(prefill, length: length)
    } else {
      check(prefill, "--prefill-buckets", limit: length, "--max-model-len")
    }
    check(decoding, "--batch-buckets", limit: sequences, "--max-num-seqs")
    line(
      "compiled shapes",
      "prefill \(list(prefill)) tokens, decoding \(list(decoding)) sequences: \(prefill.count + decoding.count) programs per model"
    )
    return (prefill, decoding)
  }

  /// The plugin takes a prompt in one pass up to this length, and in segments of one of these sizes beyond.
  ///
  /// `utils/bucket_utils.py` of vllm-neuron 0.24: `MAX_MODEL_LEN_SINGLE_SHOT`, `SUPPORTED_KV_SEGMENT_SIZES`.
  private static let longestSinglePrefill = 16_384
  private static let segments = 512...8192

  private mutating func checkSegments(_ buckets: [Int], length: Int) {
    let isSegment =
      buckets.count == 1 && Self.segments.contains(buckets[0]) && buckets[0] & (buckets[0] - 1) == 0
    if !isSegment {
      refuse(
        "--prefill-buckets is \(list(buckets)); with --max-model-len \(length), above \(Self.longestSinglePrefill), the plugin prefills in segments: expected one of 512, 1024, 2048, 4096, 8192"
      )
    }
  }

  private mutating func check(_ buckets: [Int], _ flag: String, limit: Int, _ limiting: String) {
    if buckets.isEmpty || buckets != Array(Set(buckets)).sorted() || buckets[0] < 1 {
      refuse("\(flag) is \(list(buckets)); expected ascending sizes of at least 1")
    } else if buckets.last != limit {
      refuse(
        "\(flag) ends at \(buckets[buckets.count - 1]) and \(limiting) is \(limit): the largest compiled shape must be \(limit), or longer ones have no program"
      )
    }
  }

  private func powers(from first: Int, to last: Int) -> [Int] {
    var sizes: [Int] = []
    var size = first
    while size < last {
      sizes.append(size)
      size *= 2
    }
    return sizes + [last]
  }

  /// A head's weights: a layer, the projection of three hidden states, and an output matrix over 32,000 draft tokens; or
  /// those of the layer that the target carries.
  func headBytes(_ method: SpeculationMethod?, _ target: ServedModel, _ draft: ServedModel?) -> Int {
    if method?.need == .carriedHead { return target.carriedHeadBytes }
    guard let method, method.isHead, draft == nil else { return 0 }
    let hidden = target.hiddenSize
    let layer = 4 * hidden * hidden + 3 * hidden * target.intermediateSize
    return 2 * (layer * (method == .dflash ? 5 : 1) + 3 * hidden * hidden + 32_000 * hidden)
  }

  /// Machines for all pods.
  mutating func countMachines(_ instance: InstanceType, devices: Int) -> Int {
    let servers = request.withBaseline ? 2 : 1
    let pods = min(max(1, request.replicas), 1000) * servers
    let perMachine = devices == 0 ? 1 : max(1, instance.devices / devices)
    let machines = (pods + perMachine - 1) / perMachine
    line(
      "machines",
      "\(counted(servers, "server")) × \(counted(request.replicas, "replica")), \(perMachine) per \(instance.name) = \(counted(machines, "machine"))"
    )
    return machines
  }

  private func counted(_ count: Int, _ what: String) -> String { "\(count) \(what)\(count == 1 ? "" : "s")" }

  mutating func checkPlacement(
    _ machines: Int, storage: ModelStorage, nodes: NodeProvisioning, allocation: DeviceAllocation
  ) {
    if !storage.isShared, machines > 1 {
      refuse("--storage pvc is one disk for one machine, and \(machines) are needed; take s3, efs or fsx")
    }
    if allocation == .dra, nodes == .karpenter {
      note(
        "Karpenter starts no nodes for claims: the pool is static (feature gate StaticCapacity), \(counted(machines, "node"))"
      )
    }
  }
}
