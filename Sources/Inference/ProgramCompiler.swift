internal import ModelFiles
package import PJRTTransformer
internal import Tokenization
internal import Transformer

/// Compiles the programs of an engine's models before there is an engine, so that it starts without the compiler.
package struct ProgramCompiler {
  private let configuration: EngineConfiguration
  private let target: ModelSource
  private let draft: Speculator?
  private let session: PJRTSession
  private let sizes: EngineSizes

  /// Opens the models that `configuration` names, and the devices.
  ///
  /// - Throws: what loading the engine would throw; `EngineConfigurationError` for a backend that compiles nothing.
  package init(_ configuration: EngineConfiguration) throws {
    self.configuration = configuration
    let sources = try configuration.openSources()
    target = sources.target
    draft = sources.drafts.first
    guard let devices = try PJRTBackend(configuration) else {
      throw EngineConfigurationError(description: "--backend cpu has no programs to compile; expected pjrt")
    }
    session = devices.session
    sizes = try configuration.sizes(target: target.configuration, draft: sources.drafts.first, on: devices)
    try devices.check(window: configuration.speculation?.window ?? 0, sequences: sizes.target.sequences)
  }

  /// Tokens that fused programs draft; `nil` where there are none.
  private var fusedWindow: Int? { session.options.fusesSpeculation ? configuration.speculation?.window : nil }

  /// Compiles what the cache lacks.
  ///
  /// - Parameter each: called with "target", "draft", "head" or "both", a program that is ready, and the share of that model's programs
  ///   that is, 0 to 1.
  package func run(each: (String, CompiledProgram, Double) -> Void) throws {
    let models = (target: (target.configuration, sizes.target), draft: sizes.draft)
    let chooses = (configuration.speculation?.verification ?? .coupled) == .coupled
    func compileTarget(for head: Head? = nil) throws {
      try session.compile(target.configuration, limits: sizes.target, chooses: chooses, head: head) {
        each("target", $0, $1)
      }
    }
    switch draft {
    case nil: try compileTarget()
    case .draftModel(let model):
      try compileTarget()
      guard let limits = models.draft else { return }
      try session.compile(model.configuration, limits: limits) { each("draft", $0, $1) }
      guard let window = fusedWindow else { return }
      try session.compileSpeculation(
        target: models.target, draft: (model.configuration, limits), window: window
      ) { each("both", $0, $1) }
    case .head(let head):
      try compileTarget(for: head)
      guard let limits = models.draft else { return }
      try session.compile((head, limits), on: models.target) { each("head", $0, $1) }
      guard let window = fusedWindow else { return }
      try session.compileSpeculation(target: models.target, head: (head, limits), window: window) {
        each("both", $0, $1)
      }
    }
  }
}
