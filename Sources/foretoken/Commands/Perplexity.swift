internal import ArgumentParser
internal import Foundation
internal import Inference
internal import Presentation
internal import Tensor
internal import Tokenization
internal import Transformer

/// `foretoken perplexity`: what formats of weights and KV cache cost in quality.
struct Perplexity: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure a model's perplexity on a text, in each format of weights and KV cache.",
    discussion: """
      The text is cut into windows; every token but a window's first is predicted. Lower is better; the loss is that \
      against bf16 weights and a KV cache in half precision. With --against, the distributions of both are compared for \
      every token: Kullback-Leibler divergence (mean, 99th percentile, largest, in nats) and how often both find the same \
      token the most likely.

        foretoken perplexity -m Models/foretoken-reference-target Training/heldout.txt --against none
      """)

  @Option(
    name: [.short, .long], help: "A model directory, a GGUF file, or ORG/NAME in the Hugging Face cache.",
    completion: .model)
  var model: String

  @Argument(help: "A text file.", completion: .file())
  var file: String

  @Option(
    parsing: .upToNextOption,
    help: """
      Formats to compare: none (bf16), file (as the file has them), int8, int4 (default: all; a PJRT plugin has its own).
      """)
  var quantization: [Quantization] = []

  @Option(
    parsing: .upToNextOption, help: "Formats of keys and values to compare: auto (half precision), float16, int8.")
  var kvCacheDtype: [KVCacheType] = [.auto]

  @Option(
    help: "Compare each token's distribution with that of weights in this format, and a KV cache in half precision.")
  var against: Quantization?

  @Option(help: "Tokens per window.")
  var window = 512

  @Option(help: "Count predictions from this position of each window on (llama-perplexity counts its second half).")
  var scoreFrom = 0

  @Option(help: "Most windows to measure; 0 for the whole text.")
  var windows = 0

  @Option(help: "Threads to compute on (default: one per physical core).")
  var threads: Int?

  @OptionGroup(title: "Accelerators") var accelerator: AcceleratorOptions

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    guard quantization.isEmpty || accelerator.backend == .cpu else {
      throw ValidationError("--quantization is for --backend cpu; on a PJRT plugin weights have --pjrt-dtype.")
    }
    guard against == nil || accelerator.backend == .cpu else {
      throw ValidationError("--against is for --backend cpu.")
    }
    guard window >= 2 else { throw ValidationError("--window is \(window); expected 2 or more.") }
    guard (0...window - 2).contains(scoreFrom) else {
      throw ValidationError("--score-from is \(scoreFrom); expected 0 to \(window - 2), as --window is \(window).")
    }
    guard windows >= 0 else { throw ValidationError("--windows is \(windows); expected 0 or more.") }
  }

  /// What to measure with: on a PJRT plugin there is one format.
  private var formats: [Quantization?] {
    guard accelerator.backend == .cpu else { return [nil] }
    return quantization.isEmpty ? Quantization.allCases : quantization
  }

  private struct Row: Encodable {
    let quantization: String
    let kv_cache_dtype: String
    let perplexity: Double
    let loss_percent: Double?
    let tokens: Int
    let packed_weights_bytes: Int
    let kl_mean: Double?
    let kl_p99: Double?
    let kl_max: Double?
    let top1_agreement: Double?
  }

  func run() throws {
    let text = try InputFile.read(file)
    let directory = try ModelSource(model)
    var tokens = directory.tokenizer.encode(String(decoding: text, as: UTF8.self))
    if windows > 0, windows <= tokens.count / window { tokens = Array(tokens.prefix(windows * window)) }
    guard tokens.count >= 2 else { throw ValidationError("'\(file)' has \(tokens.count) tokens; expected 2 or more.") }
    var rows: [Row] = []
    let bar = ProgressBar()
    func meter(_ quantization: Quantization?, _ cacheFormat: KVCacheFormat) throws -> PerplexityMeter {
      var configuration = EngineConfiguration(model: model)
      configuration.backend = accelerator.backendChoice
      configuration.cacheFormat = cacheFormat
      if let quantization { configuration.quantization = quantization }
      configuration.weightCache = accelerator.programCache
      if let threads { configuration.threads = threads }
      return try PerplexityMeter(directory, configuration, window: window, firstScored: scoreFrom)
    }
    let reference = try against.map { try meter($0, .float16) }
    for format in formats {
      for cacheFormat in Set(kvCacheDtype.map(\.format)).sorted(by: { $0.rawValue < $1.rawValue }) {
        let measured = try meter(format, cacheFormat)
          .measure(tokens, against: reference) { bar.update("Measuring", fraction: $0) }
        let unquantised = rows.first {
          $0.quantization == Quantization.none.rawValue && $0.kv_cache_dtype == KVCacheFormat.float16.rawValue
        }
        rows.append(
          Row(
            quantization: format?.rawValue ?? measured.quantization,
            kv_cache_dtype: format == nil ? measured.quantization : cacheFormat.rawValue,
            perplexity: measured.perplexity,
            loss_percent: unquantised.map { (measured.perplexity / $0.perplexity - 1) * 100 }, tokens: measured.tokens,
            packed_weights_bytes: measured.packedBytes, kl_mean: measured.divergence?.mean,
            kl_p99: measured.divergence?.percentile99, kl_max: measured.divergence?.largest,
            top1_agreement: measured.divergence?.topAgreement))
      }
    }
    bar.clear()
    if json { return try emitJSON(rows) }
    emit(.table(table(rows)))
  }

  private func table(_ rows: [Row]) -> ReportPage.Table {
    let hasDivergences = against != nil
    var table = ReportPage.Table(
      "", ["weights", "KV cache"],
      numbers: ["perplexity", "loss"] + (hasDivergences ? ["KL mean", "KL 99 %", "KL max", "same top"] : [])
        + ["tokens", "memory"])
    for row in rows {
      let divergences = [
        row.kl_mean.map { FigureText.decimal($0, 6) }, row.kl_p99.map { FigureText.decimal($0, 5) },
        row.kl_max.map { FigureText.decimal($0, 4) }, row.top1_agreement.map { FigureText.percent($0, digits: 2) },
      ]
      table.add(
        [
          row.quantization, row.kv_cache_dtype, FigureText.decimal(row.perplexity, 4),
          row.loss_percent.map { "\(FigureText.decimal($0, 2)) %" },
        ] + (hasDivergences ? divergences : []) + ["\(row.tokens)", FigureText.bytes(row.packed_weights_bytes)])
    }
    return table
  }
}
