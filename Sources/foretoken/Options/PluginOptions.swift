internal import ArgumentParser
internal import PJRT
internal import PJRTTransformer

/// Flags about a PJRT plugin, its devices and their programs.
struct PluginOptions: ParsableArguments {
  /// Values of `--pjrt-dtype`.
  enum Element: String, ExpressibleByArgument, CaseIterable {
    case float32, bfloat16

    var element: PJRTOptions.Element { self == .float32 ? .float32 : .bfloat16 }
  }

  @Option(
    help: "The PJRT plugin: \(PJRTPluginLocation.names.joined(separator: ", ")), or the path of a library.",
    completion: .pjrtPlugin)
  var pjrtPlugin: String?

  @Option(help: "Weights and KV cache on a PJRT plugin (default: bfloat16, but float32 on its CPU devices).")
  var pjrtDtype: Element?

  @Option(
    parsing: .upToNextOption,
    help: "Rows of the programs for a PJRT plugin (default: 8). Several are faster, but may change near-ties.")
  var pjrtRows: [Int] = []

  @Option(help: "Devices of a PJRT plugin that share the model.")
  var tensorParallelSize = 1

  @Flag(
    help: """
      Run draft and target as one program on a PJRT plugin; for --draft-model with --num-speculative-tokens, and the \
      methods eagle3 and mtp. Requests with options that it does not know are served as without it.
      """)
  var pjrtFusedSpeculation = false

  func validate() throws {
    guard pjrtRows.allSatisfy({ (1...4096).contains($0) }) else {
      throw ValidationError("--pjrt-rows takes numbers from 1 to 4096.")
    }
    guard (1...64).contains(tensorParallelSize) else {
      throw ValidationError("--tensor-parallel-size is \(tensorParallelSize); expected 1 to 64.")
    }
  }

  /// Whether none of them was given.
  var isDefault: Bool {
    pjrtPlugin == nil && pjrtDtype == nil && pjrtRows.isEmpty && tensorParallelSize == 1 && !pjrtFusedSpeculation
  }

  /// The flags, as words of a command line.
  var servingFlags: [String] {
    var flags: [String] = []
    if let pjrtPlugin { flags += ["--pjrt-plugin", pjrtPlugin] }
    if let pjrtDtype { flags += ["--pjrt-dtype", pjrtDtype.rawValue] }
    if !pjrtRows.isEmpty { flags += ["--pjrt-rows"] + pjrtRows.map(String.init) }
    if tensorParallelSize != 1 { flags += ["--tensor-parallel-size", "\(tensorParallelSize)"] }
    return flags
  }

  /// What the flags ask for.
  var options: PJRTOptions {
    var options = PJRTOptions(plugin: pjrtPlugin ?? "cpu")
    options.element = pjrtDtype?.element
    options.partitionCount = tensorParallelSize
    if !pjrtRows.isEmpty { options.rowBuckets = Set(pjrtRows).sorted() }
    options.fusesSpeculation = pjrtFusedSpeculation
    return options
  }
}
