internal import Foundation
internal import Transformer

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
  let stack: EngineStack
  let instance: InstanceType
  let tensorParallel: Int
  let maximumLength: Int
  let maximumSequences: Int
  /// Tokens proposed for a verification.
  let window: Int
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

  private func perCore(_ bytes: Double) -> Double { bytes / Double(tensorParallel * stages) }
  private var targetForm: WeightForm { quantization == .fp8 ? .fp8 : stack.weightForm }
  /// Bytes of the target's weights as they are kept in memory.
  private var targetBytes: Int { target.weights(as: targetForm).bytes }
  private func draftBytes(_ draft: ServedModel) -> Int { draft.weights(as: stack.weightForm).bytes }
  /// Keys and values of all sequences; on accelerators of AWS of every position, whatever layers see.
  private func keyValueBytes(_ model: ServedModel) -> Double {
    model.keyValueBytes(
      positions: maximumLength, tensorParallel: tensorParallel, freesWindows: stack.freesWindows)
      * Double(maximumSequences)
  }
  /// Recurrent states of all sequences.
  private func stateBytes(_ model: ServedModel) -> Double {
    model.recurrence.map {
      Double($0.stateBytes) * Double(stack.recurrentStates(sequences: maximumSequences, window: window))
    } ?? 0
  }

  var targetWeights: Double { perCore(Double(targetBytes + adapterBytes)) }
  var draftWeights: Double { perCore(Double((draft.map(draftBytes) ?? 0) + headBytes)) }
  var keyValues: Double { perCore(keyValueBytes(target)) }
  var draftKeyValues: Double { draft.map { perCore(keyValueBytes($0)) } ?? 0 }
  var states: Double { perCore(stateBytes(target) + (draft.map(stateBytes) ?? 0)) }
  var needed: Double { targetWeights + draftWeights + keyValues + draftKeyValues + states + Self.reserve }
  private var share: Double { instance.devices == 0 ? Self.hostShare : Self.deviceShare }
  var usable: Double { available * share }
  var fits: Bool { needed <= usable }

  var lines: [ArithmeticLine] {
    let unit = instance.devices == 0 ? "host" : instance.isNeuron ? "core" : "GPU"
    var parts = ["weights \(gib(targetWeights))"]
    if draftWeights > 0 { parts.append("draft \(gib(draftWeights))") }
    parts.append("KV \(gib(keyValues))")
    if draftKeyValues > 0 { parts.append("draft's KV \(gib(draftKeyValues))") }
    if states > 0 { parts.append("recurrent states \(gib(states))") }
    parts.append("programs and buffers \(gib(Self.reserve))")
    var weights = "target \(text(of: target, as: targetForm))"
    if adapterBytes > 0 { weights += "; adapters \(gigabytes(adapterBytes))" }
    if stages > 1 { weights += "; in \(stages) stages" }
    if let draft { weights += "; draft \(text(of: draft, as: stack.weightForm))" }
    if headBytes > 0 { weights += "; head about \(gigabytes(headBytes)), estimated from the target's sizes" }
    return [ArithmeticLine(topic: "weights", text: weights), keyValueLine] + stateLines + [
      ArithmeticLine(
        topic: "memory per \(unit)",
        text: """
          \(parts.joined(separator: " + ")) = \(gib(needed)) of \(gib(usable)) (\(Int(share * 100)) % of \(gib(available)))
          """)
    ]
  }

  /// A model's weights in words.
  private func text(of model: ServedModel, as form: WeightForm) -> String {
    let bytes = gigabytes(model.weights(as: form).bytes)
    let all = model.experts.map { ", all \($0.count) experts of a layer" } ?? ""
    switch (form, model.storedMethod) {
    case (.fp8, _):
      return
        "\(billions(model.linearParameters)) × 1 byte (fp8) + \(billions(model.parameters - model.linearParameters)) × 2 bytes = \(bytes)\(all)"
    case (.stored, let method?):
      return "\(billions(model.parameters)), quantised by \(method) as they are = \(bytes)\(all)"
    case (.packed, let method?):
      return "\(billions(model.parameters)), packed from \(method) = \(bytes)\(all)"
    case (.bfloat16, let method?):
      return "\(billions(model.parameters)) × 2 bytes, as \(method) becomes bf16 = \(bytes)\(all)"
    case (.stored, nil), (.packed, nil), (.bfloat16, nil):
      return "\(billions(model.parameters)) × 2 bytes = \(bytes)\(all)"
    }
  }

  private var keyValueLine: ArithmeticLine {
    let heads = max(target.keyValueHeads, tensorParallel)
    let perToken = target.keyValueBytes(tensorParallel: tensorParallel)
    let repeated =
      heads > target.keyValueHeads ? " (\(target.keyValueHeads), repeated for \(tensorParallel) cores)" : ""
    let rest = target.recurrence == nil ? "layers" : "of \(target.layers) layers"
    return ArithmeticLine(
      topic: "KV cache",
      text: """
        2 × \(target.attentionLayers) \(rest) × \(heads) heads\(repeated) × \(target.headSize) × 2 bytes = \
        \(perToken / 1024) KiB per token; × \(maximumLength) tokens × \(maximumSequences) sequences = \
        \(gib(keyValueBytes(target)))\(windowText)
        """)
  }

  private var windowText: String {
    guard let windows = target.windows, stack.freesWindows, windows.size < maximumLength else { return "" }
    return ", as \(windows.layers) of the layers keep the last \(windows.size) tokens only"
  }

  private var stateLines: [ArithmeticLine] {
    guard let recurrence = target.recurrence else { return [] }
    let count = stack.recurrentStates(sequences: maximumSequences, window: window)
    return [
      ArithmeticLine(
        topic: "recurrent states",
        text: """
          \(recurrence.layers) of \(target.layers) layers, \(recurrence.stateBytes / 1024) KiB at one position; × \(count) \
          for \(maximumSequences) sequences and the rows of their verifications = \(gib(stateBytes(target)))
          """)
    ]
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
