internal import ArgumentParser
internal import Inference
internal import PJRTTransformer
internal import Presentation
internal import Transformer

/// `foretoken compile`: programs for accelerators, ahead of the first start.
struct Compile: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compile a model's programs for a PJRT plugin's devices, ahead of serving.",
    discussion: """
      Programs are kept in FORETOKEN_CACHE (default: ~/.cache/foretoken) under their text, the plugin and the devices, \
      and found by generate, serve and all others with --backend pjrt and the same flags. Without this command they are \
      compiled, and kept, when they are first needed.

      Example: foretoken compile Models/foretoken-reference-target --draft-model Models/foretoken-reference-draft \
      --pjrt-plugin cpu --max-num-seqs 1
      """)

  @Argument(help: "Target: a model directory, a GGUF file, or ORG/NAME in the Hugging Face cache.", completion: .model)
  var model: String

  @Option(help: "Most requests computed on at one time, as for serve; generate and chat take 1.")
  var maxNumSeqs = 8

  @Option(help: "Longest sequence, prompt and answer together (default: the model's limit, at most 4096).")
  var maxModelLen: Int?

  @Option(help: "Most bytes for keys and values of the target (default: room for every sequence at full length).")
  var kvCacheMemoryBytes: Int?

  @OptionGroup(title: "Speculation") var speculation: SpeculationOptions
  @OptionGroup(title: "Accelerators") var plugin: PluginOptions

  @Flag(help: "Print JSON.")
  var json = false

  private struct Row: Encodable {
    let model, program: String
    let rows, context: Int?
    let seconds: Double
    let was_kept, is_kept: Bool
  }

  func run() throws {
    var configuration = EngineConfiguration(model: model)
    configuration.weightCache = WeightCache(folder: WeightCache.defaultFolder) { note($0) }
    configuration.speculation = try speculation.configuration()
    configuration.sequences = maxNumSeqs
    configuration.maximumLength = maxModelLen
    configuration.cacheBytes = kvCacheMemoryBytes
    configuration.backend = .pjrt(plugin.options)
    let compiler = try ProgramCompiler(configuration)
    var rows: [Row] = []
    let bar = ProgressBar()
    do {
      defer { bar.clear() }
      try compiler.run { model, program, fraction in
        rows.append(
          Row(
            model: model, program: program.name, rows: program.rows, context: program.context,
            seconds: program.seconds, was_kept: program.wasKept, is_kept: program.isKept))
        bar.update("Compiling for the \(model)", fraction: fraction)
      }
    }
    if json { try emitJSON(rows) } else { emit(.table(Self.table(rows))) }
    guard rows.allSatisfy(\.is_kept) else {
      note("foretoken: not all programs are kept; later starts compile them anew")
      throw ExitCode.failure
    }
  }

  private static func table(_ rows: [Row]) -> ReportPage.Table {
    var table = ReportPage.Table("", ["model", "program", "cache"], numbers: ["rows", "context", "seconds"])
    for row in rows {
      table.add([
        row.model, row.program, row.was_kept ? "was there" : row.is_kept ? "compiled" : "compiled, not kept",
        row.rows.map { "\($0)" }, row.context.map { "\($0)" }, FigureText.decimal(row.seconds, 2),
      ])
    }
    return table
  }
}
