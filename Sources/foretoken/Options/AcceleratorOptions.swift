internal import ArgumentParser
internal import Inference
internal import Presentation
internal import Transformer

/// Flags about what computes.
struct AcceleratorOptions: ParsableArguments {
  /// Values of `--backend`.
  enum Backend: String, ExpressibleByArgument, CaseIterable { case cpu, pjrt }

  @Option(help: "What computes: this machine's cpu with our own kernels, or a pjrt plugin's devices.")
  var backend = Backend.cpu

  @OptionGroup var plugin: PluginOptions

  func validate() throws {
    guard backend == .pjrt || plugin.isDefault
    else { throw ValidationError("The --pjrt flags and --tensor-parallel-size need --backend pjrt.") }
  }

  /// What the flags ask for.
  var backendChoice: EngineConfiguration.BackendChoice { backend == .pjrt ? .pjrt(plugin.options) : .cpu }

  /// The same, as words of a command line.
  var servingFlags: [String] { backend == .pjrt ? ["--backend", "pjrt"] + plugin.servingFlags : [] }

  /// Where compiled programs are kept; `nil` where nothing is compiled.
  var programCache: WeightCache? {
    backend == .pjrt ? WeightCache(folder: WeightCache.defaultFolder) { note($0) } : nil
  }
}
