internal import Decoding
public import PJRTTransformer
public import Tensor
public import Transformer

/// What to load, and in what size.
public struct EngineConfiguration: Sendable {
  /// The target's directory or GGUF file, or its name in the Hugging Face cache.
  public var model: String
  /// What the model is to do; `nil` for what it was made for.
  public var task: ModelTask? = .generate
  /// How to speculate; `nil` for plain decoding.
  public var speculation: SpeculativeConfiguration?
  /// What matrices become in memory, the draft's too.
  public var quantization = Quantization.file
  /// Longest sequence, prompt and output (`max_model_len`); by default the model's own limit, at most
  /// `defaultMaximumLength`.
  public var maximumLength: Int?
  /// Most requests in one pass (`max_num_seqs`).
  public var sequences = 1
  /// Most rows in one pass (`max_num_batched_tokens`).
  public var rows = 256
  /// Most bytes of the target's K/V memory (`kv_cache_memory_bytes`); room for `sequences` of full length when `nil`.
  public var cacheBytes: Int?
  /// How keys and values are kept, the draft's too (`kv_cache_dtype`).
  public var cacheFormat = KVCacheFormat.float16
  /// Whether requests that begin alike share KV blocks (`enable_prefix_caching`).
  public var sharesPrefixes = true
  /// Share of the answers, 0 to 1, to decode again without speculation in idle moments.
  public var auditShare = 0.0
  /// Where packed weights are kept from start to start; `nil` to pack them at every start.
  public var weightCache: WeightCache?
  /// Hears, in a sentence, of what was made smaller than asked for.
  public var report: @Sendable (String) -> Void = { _ in }
  /// What of the target's residual streams is kept on disk, for training heads.
  public var recording: StreamRecording?
  /// Threads to compute on.
  public var threads = WorkerPool.defaultThreadCount
  /// Whether those threads stay on the memory nodes that their weights are on.
  public var affinity = CPUAffinity.auto
  /// Which kernels to use; the best that the machine has when `nil`.
  public var instructionSet: InstructionSet?

  /// The context length when none is asked for.
  public static let defaultMaximumLength = 4096

  /// What computes.
  public var backend = BackendChoice.cpu

  /// What a model can run on.
  public enum BackendChoice: Sendable, Equatable {
    /// This machine's processor.
    case cpu
    /// The devices of a PJRT plugin; format, threads, instruction set and the cache of packed weights say nothing there.
    case pjrt(PJRTOptions)
  }

  /// Plain decoding with `model`.
  public init(model: String) { self.model = model }

  /// Checks the sizes; those that depend on the model are checked when it is loaded.
  ///
  /// - Throws: `EngineConfigurationError` that names the flag, what was found and what was expected.
  public func validate() throws(EngineConfigurationError) {
    try Self.check("--max-num-seqs", sequences, in: 1...256)
    try Self.check("--max-num-batched-tokens", rows, in: 1...8192)
    try Self.check("--threads", threads, in: 1...WorkerPool.mostThreads)
    if case .pjrt = backend, quantization == .int8 || quantization == .int4 {
      throw EngineConfigurationError(
        description:
          "--quantization \(quantization.rawValue) is for --backend cpu; on a PJRT plugin weights have --pjrt-dtype")
    }
    if case .pjrt = backend, cacheFormat != .float16 {
      throw EngineConfigurationError(
        description:
          "--kv-cache-dtype \(cacheFormat.rawValue) is for --backend cpu; on a PJRT plugin the KV cache has --pjrt-dtype"
      )
    }
    if case .pjrt(let options) = backend, options.fusesSpeculation {
      guard let speculation, [.draftModel, .eagle3, .mtp].contains(speculation.method),
        speculation.verification == .coupled
      else {
        throw EngineConfigurationError(
          description:
            "--pjrt-fused-speculation is for a draft model, an EAGLE-3 head or an MTP layer with a fixed window (--draft-model with --num-speculative-tokens, or the method eagle3 or mtp) and coupled verification"
        )
      }
      guard recording == nil else {
        throw EngineConfigurationError(
          description: "--taps keeps streams that --pjrt-fused-speculation leaves on the devices; expected one of them")
      }
    }
    guard (0...1).contains(auditShare) else {
      throw EngineConfigurationError(description: "--speculation-audit is \(auditShare); expected 0 to 1")
    }
  }

  /// KV blocks of the target; `nil` for as many as all sequences can fill.
  ///
  /// - Parameters:
  ///   - bytes: of one block.
  ///   - size: positions of one block.
  ///   - positions: the context length.
  ///   - fixed: bytes that are not of blocks.
  func blocks(
    ofBytes bytes: Int, size: Int, positions: Int, besides fixed: Int = 0
  ) throws(EngineConfigurationError) -> Int? {
    guard let cacheBytes else { return nil }
    let least = (positions + size - 1) / size
    guard cacheBytes >= fixed, bytes == 0 || (cacheBytes - fixed) / bytes >= least else {
      throw EngineConfigurationError(
        description:
          "--kv-cache-memory-bytes is \(cacheBytes); a sequence of \(positions) positions (--max-model-len) takes \(least * bytes + fixed)"
      )
    }
    return bytes == 0 ? nil : (cacheBytes - fixed) / bytes
  }

  /// The context length for a model that can take `modelLimit` positions.
  func positions(modelLimit: Int) throws(EngineConfigurationError) -> Int {
    guard let maximumLength else { return min(modelLimit, Self.defaultMaximumLength) }
    try Self.check("--max-model-len", maximumLength, in: 2...modelLimit)
    return maximumLength
  }

  private static func check(
    _ flag: String, _ value: Int, in range: ClosedRange<Int>
  ) throws(EngineConfigurationError) {
    guard range.contains(value) else {
      throw EngineConfigurationError(
        description: "\(flag) is \(value); expected \(range.lowerBound) to \(range.upperBound)")
    }
  }
}

/// A configuration that cannot be loaded.
public struct EngineConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
  /// One sentence: what was found, what was expected.
  public let description: String
}
