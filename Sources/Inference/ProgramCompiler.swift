internal import ModelFiles
package import PJRTTransformer
internal import Tokenization
internal import Transformer

/// Compiles the programs of an engine's models before there is an engine, so that it starts without the compiler.
package struct ProgramCompiler {
  private let configuration: EngineConfiguration
  private let target: ModelSource
  private let draft: ModelSource?
  private let session: PJRTSession
  private let sizes: EngineSizes

  /// Opens the models that `configuration` names, and the devices.
  ///
  /// - Throws: what loading the engine would throw; `EngineConfigurationError` for a backend that compiles nothing.
  package init(_ configuration: EngineConfiguration) throws {
    self.configuration = configuration
    let sources = try configuration.openSources()
    target = sources.target
    draft =
      switch sources.drafts.first {
      case nil: nil
      case .draftModel(let model): model
      case .head(let head): throw PJRTBackend.refusal(of: head)
      }
    guard let devices = try PJRTBackend(configuration) else {
      throw EngineConfigurationError(description: "--backend cpu has no programs to compile; expected pjrt")
    }
    session = devices.session
    sizes = try configuration.sizes(target: target.configuration, draft: sources.drafts.first, on: devices)
    try devices.check(window: configuration.speculation?.window ?? 0, sequences: sizes.target.sequences)
  }

  /// Compiles what the cache lacks.
  ///
  /// - Parameter each: called with "target", "draft" or "both", a program that is ready, and the share of that model's programs
  ///   that is, 0 to 1.
  package func run(each: (String, CompiledProgram, Double) -> Void) throws {
    try session.compile(
      target.configuration, limits: sizes.target,
      chooses: (configuration.speculation?.verification ?? .coupled) == .coupled
    ) { each("target", $0, $1) }
    if let draft, let limits = sizes.draft {
      try session.compile(draft.configuration, limits: limits) { each("draft", $0, $1) }
      guard session.options.fusesSpeculation, let window = configuration.speculation?.window else { return }
      try session.compileSpeculation(
        target: (target.configuration, sizes.target), draft: (draft.configuration, limits), window: window
      ) { each("both", $0, $1) }
    }
  }
}
