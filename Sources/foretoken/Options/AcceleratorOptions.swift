internal import ArgumentParser
internal import PJRT
internal import PJRTTransformer
internal import Speculation

/// Flags about what computes.
struct AcceleratorOptions: ParsableArguments {
  /// Values of `--backend`.
  enum Backend: String, ExpressibleByArgument, CaseIterable { case cpu, pjrt }

  /// Values of `--pjrt-dtype`.
  enum Element: String, ExpressibleByArgument, CaseIterable {
    case float32, bfloat16

    var element: PJRTOptions.Element { self == .float32 ? .float32 : .bfloat16 }
  }

  @Option(help: "What computes: this machine's cpu with our own kernels, or a pjrt plugin's devices.")
  var backend = Backend.cpu

  @Option(help: "The PJRT plugin: \(PJRTPluginLocation.names.joined(separator: ", ")), or the path of a library.")
  var pjrtPlugin: String?

  @Option(help: "Weights and KV cache on a PJRT plugin (default: bfloat16, but float32 on its CPU devices).")
  var pjrtDtype: Element?

  @Option(
    parsing: .upToNextOption,
    help: "Rows of the programs for a PJRT plugin (default: 8). Several are faster, but may change near-ties.")
  var pjrtRows: [Int] = []

  @Option(help: "Devices of a PJRT plugin that share the model.")
  var tensorParallelSize = 1

  func validate() throws {
    guard backend == .pjrt || (pjrtPlugin == nil && pjrtDtype == nil && pjrtRows.isEmpty && tensorParallelSize == 1)
    else { throw ValidationError("The --pjrt flags and --tensor-parallel-size need --backend pjrt.") }
    guard pjrtRows.allSatisfy({ (1...4096).contains($0) }) else {
      throw ValidationError("--pjrt-rows takes numbers from 1 to 4096.")
    }
    guard (1...64).contains(tensorParallelSize) else {
      throw ValidationError("--tensor-parallel-size is \(tensorParallelSize); expected 1 to 64.")
    }
  }

  /// What the flags ask for.
  var backendChoice: EngineConfiguration.Backend {
    guard backend == .pjrt else { return .cpu }
    var options = PJRTOptions(plugin: pjrtPlugin ?? "cpu")
    options.element = pjrtDtype?.element
    options.partitionCount = tensorParallelSize
    if !pjrtRows.isEmpty { options.rowBuckets = Set(pjrtRows).sorted() }
    return .pjrt(options)
  }
}
