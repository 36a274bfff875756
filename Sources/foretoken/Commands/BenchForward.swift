internal import ArgumentParser
internal import Foundation
internal import Inference
internal import Measurement
internal import Presentation
internal import Report
internal import Tensor
internal import Tokenization

/// `foretoken bench forward`: the time of forward passes beside the least that the machine allows.
struct BenchForward: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "forward",
    abstract: "Time passes over n rows, and compare them with the machine's limits.",
    discussion: """
      Verifying k proposals is one pass over k + 1 rows, so speculation pays as much as T(n) is flat. The floor of a \
      pass is the larger of bytes over read bandwidth and operations over peak arithmetic; both are measured by this \
      command between the passes, on the same threads (not with --backend pjrt). Every round measures everything once; \
      figures are medians over the rounds, and the spread is half the distance between the quartiles.

        foretoken bench forward --shape qwen3-0.6b --quantization int4
        foretoken bench forward -m Models/foretoken-reference-target --rows 1 4 8 --context 0
        foretoken bench forward -m MODEL --draft-model HEAD --rows 1 --prefill 0
      """)

  @OptionGroup var measured: MeasuredModelOptions

  @Option(parsing: .upToNextOption, help: "Rows of passes that want logits for every row.")
  var rows = [1, 2, 3, 4, 5, 6, 8, 12, 16, 32]

  @Option(parsing: .upToNextOption, help: "Lengths of prompts to read; 0 for none.")
  var prefill = [256, 1024]

  @Option(parsing: .upToNextOption, help: "Positions in the KV cache before the pass.")
  var context = [0, 1024, 8192]

  @Option(
    help: "Of a model with experts, also rows of this text file: related rows go through fewer experts.",
    completion: .file())
  var text: String?

  @Option(
    help: """
      A head on the model: what its steps take, beside a pass over one row. With --shape, eagle3 or dflash: a head of random \
      weights in the shape that is published for Qwen3-8B.
      """,
    completion: .model)
  var draftModel: String?

  @Option(help: "Rounds.")
  var repetitions = 7

  @Option(help: "Most token rows in one pass: longer prompts are read in chunks.")
  var maxNumBatchedTokens = 256

  @Option(help: "Keys and values in memory: auto (half precision), float16 or int8.")
  var kvCacheDtype = KVCacheType.auto

  @Option(help: "Kernels to compute with (default: the fastest that this machine has).")
  var kernels: InstructionSet?

  @OptionGroup(title: "Accelerators") var accelerator: AcceleratorOptions

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    guard
      accelerator.backend == .cpu
        || (measured.model != nil && measured.quantization == .file && kernels == nil && measured.threads == nil)
    else {
      throw ValidationError(
        "--backend pjrt measures a --model; --shape, --quantization, --threads and --kernels are the cpu's.")
    }
    guard !rows.isEmpty, rows.allSatisfy({ (1...4096).contains($0) }) else {
      throw ValidationError("--rows takes numbers from 1 to 4096.")
    }
    guard prefill.allSatisfy({ (0...1_000_000).contains($0) }), context.allSatisfy({ (0...1_000_000).contains($0) })
    else { throw ValidationError("--prefill and --context take numbers from 0 to 1000000.") }
    guard text == nil || measured.model != nil else {
      throw ValidationError("--text is for --model: shapes have no tokenizer.")
    }
    guard draftModel == nil || accelerator.backend == .cpu else {
      throw ValidationError("--draft-model is for --backend cpu.")
    }
    guard draftModel == nil || measured.layers == nil else {
      throw ValidationError("--draft-model is for a whole model; leave --layers out.")
    }
    guard !context.isEmpty else { throw ValidationError("--context takes at least one number.") }
    guard (1...1000).contains(repetitions) else {
      throw ValidationError("--repetitions is \(repetitions); expected 1 to 1000.")
    }
    guard (1...4096).contains(maxNumBatchedTokens) else {
      throw ValidationError("--max-num-batched-tokens is \(maxNumBatchedTokens); expected 1 to 4096.")
    }
    if let kernels, !InstructionSet.available.contains(kernels) {
      throw ValidationError("This machine cannot run \(kernels.rawValue) kernels.")
    }
  }

  /// The tokens of `--text`, of the model's tokenizer.
  private func textTokens() throws -> [Int32]? {
    guard let text, let model = measured.model else { return nil }
    let tokens = try ModelSource.tokenizer(of: model).encode(try String(contentsOfFile: text, encoding: .utf8))
    guard !tokens.isEmpty else { throw ValidationError("--text '\(text)' is empty.") }
    return tokens
  }

  private var plan: ForwardBenchmark.Plan {
    ForwardBenchmark.Plan(
      rows: rows, prefills: prefill.filter { $0 > 0 }, contexts: context, repetitions: repetitions,
      chunk: maxNumBatchedTokens)
  }

  func run() throws {
    var configuration = measured.configuration
    (configuration.instructionSet, configuration.cacheFormat) = (kernels, kvCacheDtype.format)
    configuration.backend = accelerator.backendChoice
    configuration.weightCache = accelerator.programCache
    let bar = ProgressBar()
    defer { bar.clear() }
    func show(_ part: String, _ fraction: Double) { bar.update(part, fraction: fraction) }
    if accelerator.backend == .pjrt {
      let report = try DeviceForwardBenchmark(configuration, plan: plan).run(progress: show)
      bar.clear()
      if json { try emitJSON(report) } else { emit(ReportPage.Section(report)) }
    } else {
      let report = try ForwardBenchmark(
        configuration, shape: measured.shape, layers: measured.layers, plan: plan, text: textTokens(),
        head: draftModel
      ).run(progress: show)
      bar.clear()
      if json { try emitJSON(report) } else { emit(ReportPage.Section(report)) }
    }
  }
}
