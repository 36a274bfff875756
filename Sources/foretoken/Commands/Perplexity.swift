internal import ArgumentParser
internal import Foundation
internal import Speculation
internal import Tensor
internal import Tokenization
internal import Transformer

/// `foretoken perplexity`: what formats of weights and KV cache cost in quality.
struct Perplexity: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure a model's perplexity on a text, in each format of weights and KV cache.",
    discussion: """
      The text is cut into windows; every token but a window's first is predicted. Lower is better; the last column is \
      the loss against bf16 weights and a KV cache in half precision.
      """)

  @Option(name: [.short, .long], help: "A model directory, a GGUF file, or ORG/NAME in the Hugging Face cache.")
  var model: String

  @Argument(help: "A text file.")
  var file: String

  @Option(
    parsing: .upToNextOption,
    help: "Formats to compare: none (bf16), int8, int4 (default: all; a PJRT plugin has its own).")
  var quantization: [Quantization] = []

  @Option(
    parsing: .upToNextOption, help: "Formats of keys and values to compare: auto (half precision), float16, int8.")
  var kvCacheDtype: [KVCacheType] = [.auto]

  @Option(help: "Tokens per window.")
  var window = 512

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
    guard window >= 2 else { throw ValidationError("--window is \(window); expected 2 or more.") }
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
  }

  func run() throws {
    let text: Data
    do { text = try Data(contentsOf: URL(fileURLWithPath: file)) } catch {
      throw ValidationError("Cannot read '\(file)': \(error.localizedDescription)")
    }
    let directory = try ModelDirectory(model)
    var tokens = directory.tokenizer.encode(String(decoding: text, as: UTF8.self))
    if windows > 0 { tokens = Array(tokens.prefix(windows * window)) }
    guard tokens.count >= 2 else { throw ValidationError("'\(file)' has \(tokens.count) tokens; expected 2 or more.") }
    var rows: [Row] = []
    var bar = ProgressBar()
    for format in formats {
      for cacheFormat in Set(kvCacheDtype.map(\.format)).sorted(by: { $0.rawValue < $1.rawValue }) {
        var configuration = EngineConfiguration(model: model)
        configuration.backend = accelerator.backendChoice
        (configuration.format, configuration.cacheFormat) = (format?.format, cacheFormat)
        configuration.weightCache = accelerator.programCache
        if let threads { configuration.threads = threads }
        let measured = try PerplexityMeter(directory, configuration, window: window)
          .measure(tokens) { bar.update("Measuring", fraction: $0) }
        let reference = rows.first {
          $0.quantization == Quantization.none.rawValue && $0.kv_cache_dtype == KVCacheFormat.float16.rawValue
        }
        rows.append(
          Row(
            quantization: format?.rawValue ?? measured.format,
            kv_cache_dtype: format == nil ? measured.format : cacheFormat.rawValue, perplexity: measured.perplexity,
            loss_percent: reference.map { (measured.perplexity / $0.perplexity - 1) * 100 }, tokens: measured.tokens,
            packed_weights_bytes: measured.packedBytes))
      }
    }
    bar.clear()
    if json { return try emitJSON(rows) }
    var table = Table([
      ("weights", .left), ("KV cache", .left), ("perplexity", .right), ("loss", .right), ("tokens", .right),
      ("memory", .right),
    ])
    for row in rows {
      table.append([
        row.quantization, row.kv_cache_dtype, String(format: "%.4f", row.perplexity),
        row.loss_percent.formatted(digits: 2, suffix: " %"),
        "\(row.tokens)", readable(bytes: row.packed_weights_bytes),
      ])
    }
    emit(table.rendered(style: TextStyle(for: .standardOutput)) + "\n")
  }
}
