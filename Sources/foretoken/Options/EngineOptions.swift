internal import ArgumentParser
internal import Decoding
internal import Foundation
internal import Inference
internal import ModelFiles
internal import Presentation
internal import Tensor
internal import Transformer

/// Flags that say what to load. Names are vLLM's.
struct EngineOptions: ParsableArguments {
  @Option(
    name: [.short, .long], help: "Target: a model directory, a GGUF file, or ORG/NAME in the Hugging Face cache.",
    completion: .model)
  var model: String

  @OptionGroup(title: "Speculation") var speculation: SpeculationOptions
  @OptionGroup(title: "Memory and threads") var resources: ResourceOptions

  /// Loads what the flags ask for, with a progress bar.
  func load() throws -> SpeculativeEngine {
    var configuration = resources.configuration(for: model)
    configuration.speculation = try speculation.configuration()
    return try resources.load(configuration)
  }
}

/// Flags about the proposer.
struct SpeculationOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "How to speculate, as JSON. Methods: auto, draft_model, eagle3, dflash, mtp, ngram, suffix.",
      discussion: """
        {"method": "auto", "model": "DIR"} proposes what pays; {"method": "draft_model", "model": "DIR", \
        "num_speculative_tokens": 5} always proposes 5 tokens; {"method": "eagle3", "model": "DIR"} and \
        {"method": "dflash", "model": "DIR"} take heads that were trained on the target; {"method": "mtp"} takes the \
        layer that some models carry for it; {"method": "ngram", "prompt_lookup_min": 2, "prompt_lookup_max": 5} and \
        {"method": "suffix"} need no draft.
        """, valueName: "json"))
  var speculativeConfig: String?

  @Option(
    help: """
      Draft model, or head on the target (EAGLE-3, DFlash): short for --speculative-config with the method auto, or \
      always when a number is given.
      """, completion: .model)
  var draftModel: String?

  @Option(help: "Tokens to propose per verification, 1 to 32 (default: as many as pay, step by step).")
  var numSpeculativeTokens: Int?

  func validate() throws {
    if speculativeConfig != nil, draftModel != nil || numSpeculativeTokens != nil {
      throw ValidationError("--speculative-config says it all; leave out --draft-model and --num-speculative-tokens.")
    }
    if draftModel == nil, numSpeculativeTokens != nil {
      throw ValidationError("--num-speculative-tokens needs --draft-model (or use --speculative-config).")
    }
    _ = try configuration()
  }

  func configuration() throws -> SpeculativeConfiguration? {
    if let speculativeConfig { return try SpeculativeConfiguration(json: speculativeConfig) }
    guard let draftModel else { return nil }
    return try SpeculativeConfiguration(
      method: numSpeculativeTokens == nil ? .automatic : .draftModel, model: draftModel,
      window: numSpeculativeTokens)
  }
}

/// Flags about formats, sizes and threads.
struct ResourceOptions: ParsableArguments {
  @Option(
    help: """
      Weights in memory: file (as the file has them: GGUF blocks keep their values, all else is bf16), none (bf16), int8 \
      or int4, which round what is larger while loading.
      """)
  var quantization = Quantization.file

  @Option(help: "Longest sequence, prompt and answer together (default: the model's limit, at most 4096).")
  var maxModelLen: Int?

  @Option(help: "Most token rows in one pass: longer prompts are read in chunks.")
  var maxNumBatchedTokens = 256

  @Flag(inversion: .prefixedNo, help: "Whether requests that begin alike share what was computed of their beginning.")
  var enablePrefixCaching = true

  @Option(help: "Most bytes for keys and values of the target (default: room for every sequence at full length).")
  var kvCacheMemoryBytes: Int?

  @Option(
    help: """
      Keys and values in memory: auto (half precision), float16, or int8, which holds nearly twice the positions and \
      rounds them.
      """)
  var kvCacheDtype = KVCacheType.auto

  @Option(help: "Threads to compute on (default: one per physical core, at most the CPU quota of the container).")
  var threads: Int?

  @Option(
    help: """
      Whether threads stay on the processors of one memory node (NUMA), beside the weights that they read: auto (where \
      there are several nodes) or none.
      """)
  var cpuAffinity = CPUAffinity.auto

  @Option(help: "Kernels to compute with; all give the same bits (default: the fastest that this machine has).")
  var kernels: InstructionSet?

  @Flag(
    inversion: .prefixedNo,
    help: "Whether packed weights are kept for the next start, in FORETOKEN_CACHE (default: ~/.cache/foretoken).")
  var weightCache = true

  @OptionGroup(title: "Accelerators") var accelerator: AcceleratorOptions

  /// The flags that make `foretoken serve` load models as these do.
  var servingFlags: [String] {
    var flags: [String] = []
    if quantization != .file { flags += ["--quantization", quantization.rawValue] }
    if let maxModelLen { flags += ["--max-model-len", "\(maxModelLen)"] }
    if maxNumBatchedTokens != 256 { flags += ["--max-num-batched-tokens", "\(maxNumBatchedTokens)"] }
    if let kvCacheMemoryBytes { flags += ["--kv-cache-memory-bytes", "\(kvCacheMemoryBytes)"] }
    if kvCacheDtype != .auto { flags += ["--kv-cache-dtype", kvCacheDtype.rawValue] }
    if let threads { flags += ["--threads", "\(threads)"] }
    if cpuAffinity != .auto { flags += ["--cpu-affinity", cpuAffinity.rawValue] }
    if let kernels { flags += ["--kernels", kernels.rawValue] }
    return flags + accelerator.servingFlags
  }

  func configuration(for model: String) -> EngineConfiguration {
    var configuration = EngineConfiguration(model: model)
    if weightCache { configuration.weightCache = WeightCache(folder: WeightCache.defaultFolder) { note($0) } }
    configuration.report = { note($0) }
    configuration.quantization = quantization
    configuration.maximumLength = maxModelLen
    configuration.rows = maxNumBatchedTokens
    configuration.cacheBytes = kvCacheMemoryBytes
    configuration.cacheFormat = kvCacheDtype.format
    configuration.sharesPrefixes = enablePrefixCaching
    if let threads { configuration.threads = threads }
    configuration.affinity = cpuAffinity
    configuration.instructionSet = kernels
    configuration.backend = accelerator.backendChoice
    return configuration
  }

  func validate() throws {
    if let kernels, !InstructionSet.available.contains(kernels) {
      throw ValidationError(
        "This machine cannot run \(kernels.rawValue) kernels; it has \(InstructionSet.available.map(\.rawValue).joined(separator: ", "))."
      )
    }
  }

  func load(
    _ configuration: EngineConfiguration, mismatch: @escaping @Sendable (AuditMismatch) -> Void = { _ in },
    wrapping wrap: EngineAssembly.RunnerWrapper = { runner, _ in runner }
  ) throws -> SpeculativeEngine {
    let bar = ProgressBar()
    defer { bar.clear() }
    return try SpeculativeEngine(configuration, mismatch: mismatch, wrapping: wrap) { part, fraction in
      bar.update("Loading \(part)", fraction: fraction)
    }
  }
}
