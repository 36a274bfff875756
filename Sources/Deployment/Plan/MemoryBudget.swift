internal import Foundation

/// Whether weights, draft and KV cache fit into the accelerators' memory, core by core.
struct MemoryBudget {
  /// Of a device's memory, what the engine may plan with: vLLM's `gpu_memory_utilization`.
  static let deviceShare = 0.9
  /// Of a host's, what a pod asks for; the rest is the machine's own.
  static let hostShare = 0.8
  /// Compiled programs, buffers of collectives, activations: an assumption, in bytes per core.
  static let reserve = 1.0 * gibibyte
  static let gibibyte = 1_073_741_824.0

  let target: ServedModel
  let draft: ServedModel?
  /// Bytes of a head whose shape is estimated; 0 without one.
  let headBytes: Int
  let instance: InstanceType
  let tensorParallel: Int
  let maximumLength: Int
  let maximumSequences: Int
  var quantization: WeightQuantization?
  /// Bytes of LoRA adapters.
  var adapterBytes = 0
  /// Stages that the layers are divided among.
  var stages = 1

  /// Memory of one logical core, in bytes; of CPUs, that of the host.
  var available: Double {
    instance.devices == 0
      ? Double(instance.hostMemory) * Self.gibibyte
      : Double(instance.deviceMemory) * Self.gibibyte / Double(instance.logicalCoresPerDevice)
  }

  private var tokens: Int { maximumLength * maximumSequences }
  private func perCore(_ bytes: Int) -> Double { Double(bytes) / Double(tensorParallel * stages) }
  /// Bytes of the target's weights as they are kept in memory.
  private var targetBytes: Int {
    quantization == .fp8 ? target.weightBytes - target.linearParameters : target.weightBytes
  }
  private func keyValuesPerCore(_ model: ServedModel) -> Double {
    perCore(model.keyValueBytes(tensorParallel: tensorParallel)) * Double(tokens) * keptShare(of: model)
  }
  /// What of a full sequence's keys and values is kept: on accelerators of AWS everything, whatever its layers see.
  private func keptShare(of model: ServedModel) -> Double {
    instance.isNeuron ? 1 : model.keyValueShare(positions: maximumLength)
  }

  var targetWeights: Double { perCore(targetBytes + adapterBytes) }
  var draftWeights: Double { perCore((draft?.weightBytes ?? 0) + headBytes) }
  var keyValues: Double { keyValuesPerCore(target) }
  var draftKeyValues: Double { draft.map(keyValuesPerCore) ?? 0 }
  var needed: Double { targetWeights + draftWeights + keyValues + draftKeyValues + Self.reserve }
  private var share: Double { instance.devices == 0 ? Self.hostShare : Self.deviceShare }
  var usable: Double { available * share }
  var fits: Bool { needed <= usable }

  var lines: [ArithmeticLine] {
    let unit = instance.devices == 0 ? "host" : instance.isNeuron ? "core" : "GPU"
    var parts = ["weights \(gib(targetWeights))"]
    if draftWeights > 0 { parts.append("draft \(gib(draftWeights))") }
    parts.append("KV \(gib(keyValues))")
    if draftKeyValues > 0 { parts.append("draft's KV \(gib(draftKeyValues))") }
    parts.append("programs and buffers \(gib(Self.reserve))")
    var weights =
      quantization == .fp8
      ? "target \(billions(target.linearParameters)) × 1 byte (fp8) + \(billions(target.parameters - target.linearParameters)) × 2 bytes = \(gigabytes(targetBytes))"
      : "target \(billions(target.parameters)) × 2 bytes = \(gigabytes(target.weightBytes))"
    if adapterBytes > 0 { weights += "; adapters \(gigabytes(adapterBytes))" }
    if stages > 1 { weights += "; in \(stages) stages" }
    if let draft { weights += "; draft \(billions(draft.parameters)) × 2 bytes = \(gigabytes(draft.weightBytes))" }
    if headBytes > 0 { weights += "; head about \(gigabytes(headBytes)), estimated from the target's sizes" }
    let heads = max(target.keyValueHeads, tensorParallel)
    let perToken = target.keyValueBytes(tensorParallel: tensorParallel)
    return [
      ArithmeticLine(topic: "weights", text: weights),
      ArithmeticLine(
        topic: "KV cache",
        text: """
          2 × \(target.layers) layers × \(heads) heads\(heads > target.keyValueHeads ? " (\(target.keyValueHeads), repeated for \(tensorParallel) cores)" : "") \
          × \(target.headSize) × 2 bytes = \(perToken / 1024) KiB per token; × \(maximumLength) tokens × \
          \(maximumSequences) sequences = \(gib(Double(perToken) * Double(tokens) * keptShare(of: target)))\(windowText)
          """),
      ArithmeticLine(
        topic: "memory per \(unit)",
        text: """
          \(parts.joined(separator: " + ")) = \(gib(needed)) of \(gib(usable)) (\(Int(share * 100)) % of \(gib(available)))
          """),
    ]
  }

  private var windowText: String {
    guard let windows = target.windows, keptShare(of: target) < 1 else { return "" }
    return ", as \(windows.layers) of the layers keep the last \(windows.size) tokens only"
  }

  /// What to do about too little memory.
  var problem: String? {
    guard !fits else { return nil }
    let total = needed * Double(tensorParallel)
    let cores = instance.logicalCores
    let larger = InstanceType.all.filter {
      $0.accelerator == instance.accelerator && $0.name != instance.name
        && Double(max(1, $0.devices) * max($0.deviceMemory, $0.devices == 0 ? $0.hostMemory : 0)) * Self.gibibyte
          * share > total
    }.map(\.name)
    var ways: [String] = []
    if tensorParallel < cores { ways.append("a larger --tensor-parallel-size (up to \(cores))") }
    if keyValues + draftKeyValues > needed / 10 { ways.append("a smaller --max-model-len or --max-num-seqs") }
    if !larger.isEmpty { ways.append("--instance-type \(larger.joined(separator: " or "))") }
    if ways.isEmpty { ways.append("a smaller model") }
    return """
      memory: \(gib(needed)) are needed per \(instance.devices == 0 ? "host" : "core") and \(gib(usable)) are there; \
      take \(ways.joined(separator: ", or "))
      """
  }
}

func gib(_ bytes: Double) -> String { String(format: "%.2f GiB", bytes / MemoryBudget.gibibyte) }
func gigabytes(_ bytes: Int) -> String { String(format: "%.1f GB", Double(bytes) / 1e9) }
func billions(_ count: Int) -> String { String(format: "%.2f B", Double(count) / 1e9) }
