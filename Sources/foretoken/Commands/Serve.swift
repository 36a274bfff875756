internal import ArgumentParser
internal import Decoding
internal import Foundation
internal import Inference
internal import LoadTesting
internal import Logging
internal import ModelFiles
internal import OpenAIServer
internal import Presentation
internal import Speculation
internal import Tensor
internal import Transformer

/// `foretoken serve`: the HTTP server.
struct Serve: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Serve a model over HTTP, with OpenAI's API.",
    discussion: """
      Every flag can also be set in the environment (--max-num-seqs as FORETOKEN_MAX_NUM_SEQS) or in a YAML file given \
      with --config (max-num-seqs: 8). The command line comes first, then the environment, then the file.

      Example: foretoken serve Models/foretoken-reference-target --draft-model Models/foretoken-reference-draft
      """)

  @Argument(help: "Target: a model directory, a GGUF file, or ORG/NAME in the Hugging Face cache.", completion: .model)
  var target: String?

  @Option(
    name: [.short, .long], help: "The target, for the environment and the configuration file.", completion: .model)
  var model: String?

  @Option(help: "YAML file with flags and their values.", completion: .file(extensions: ["yaml", "yml"]))
  var config: String?

  @Option(help: "What the model is to do: auto (what it was made for), generate, embed or rerank.")
  var task = ServedTask.auto

  @Option(help: "Most requests computed on at one time.")
  var maxNumSeqs = 8

  @Option(help: "Share of the answers (0 to 1) to decode again without speculation while idle, and compare.")
  var speculationAudit = 0.0

  @OptionGroup(title: "Speculation") var speculation: SpeculationOptions
  @OptionGroup(title: "Memory and threads") var resources: ResourceOptions
  @OptionGroup(title: "Server") var server: ServerOptions

  @Flag(help: "Answer SageMaker's container contract: /ping and /invocations on port 8080, the model in /opt/ml/model.")
  var sagemaker = false

  mutating func validate() throws {
    if sagemaker {
      if target == nil, model == nil { target = SageMaker.modelFolder }
      try SageMaker.check(server)
    }
    if target != nil, model != nil { throw ValidationError("Give the model once: as argument or with --model.") }
    guard target ?? model != nil else {
      throw ValidationError(
        """
        The model is missing: give it as argument, or as model in the environment or the file. 'foretoken models' lists \
        those that are here, 'foretoken pull ORG/NAME' downloads one.
        """)
    }
  }

  func run() async throws {
    guard let name = target ?? model else { throw CleanExit.helpRequest(self) }
    let logger = server.logFormat.logger(server.logLevel)
    for line in try Self.layers(Array(CommandLine.arguments.dropFirst()))?.summary ?? [] {
      logger.info("setting \(line)")
    }
    var engine = resources.configuration(for: name)
    engine.speculation = try speculation.configuration()
    engine.task = task.task
    engine.sequences = maxNumSeqs
    engine.auditShare = speculationAudit
    engine.report = { logger.warning("\($0)") }
    engine.weightCache?.report = { logger.warning("\($0)") }
    var configuration = try server.configuration(for: name)
    configuration.concurrentRequests = maxNumSeqs
    if sagemaker { SageMaker.apply(to: &configuration) }
    try fitConnections(&configuration, logger)
    let share = ProcessorShare.current
    logger.info(
      "processor",
      metadata: [
        "cores": "\(share.cores)", "numa_nodes": "\(share.nodes.count)",
        "quota": "\(share.quota.map { "\($0)" } ?? "none")", "threads": "\(engine.threads)",
        "kernels": "\((engine.instructionSet ?? .best).rawValue)",
      ])
    let model = try resources.load(engine) { logger.error("\($0)") }
    configuration.speculationMethods = model.methods
    configuration.servedFacts = facts(of: model, engine)
    configuration.cacheFacts = [
      ("block_size", "\(KVStorage.blockSize)"), ("cache_dtype", resources.kvCacheDtype.rawValue),
      ("enable_prefix_caching", engine.sharesPrefixes ? "True" : "False"),
      ("kv_cache_memory_bytes", "\(model.memory.first?.keyValueCache ?? 0)"),
    ]
    let host = configuration.host
    let shown = configuration.servedModelNames[0]
    let shownHost = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
    let inference = try InferenceServer(model: model, configuration: configuration, logger: logger)
    do {
      try await inference.run { port in
        logger.info(
          "listening",
          metadata: ["address": "http://\(shownHost):\(port)", "model": "\(shown)", "window": "\(model.window)"])
      }
    } catch let error as ListeningError {
      note("Error: \(error)")
      throw ExitCode.failure
    } catch {
      note("Error: cannot serve on \(host):\(configuration.port): \(error)")
      throw ExitCode.failure
    }
    logger.info("stopped")
  }

  /// What is served, for the page.
  private func facts(of model: SpeculativeEngine, _ engine: EngineConfiguration) -> [(name: String, value: String)] {
    var facts: [(name: String, value: String)] = []
    let formats = model.target.checkpoint.weightFormats(engine.quantization).map(\.rawValue)
    facts.append(("weights", formats.joined(separator: ", ")))
    if model.target.task != .generate { facts.append(("task", model.target.task.rawValue)) }
    if model.target.task == .embed { facts.append(("pooling", model.target.embedding.pooling.rawValue)) }
    facts.append(("context", "\(model.engine.maximumLength) tokens"))
    facts.append(("speculation", engine.speculation?.method.rawValue ?? "none"))
    if let draft = engine.speculation?.draftModel {
      facts.append((model.draft?.method != .draftModel ? "head" : "draft", HubCache.modelName(of: draft)))
    }
    if model.draft?.method.need == .carriedHead { facts.append(("head", "the model's own")) }
    if model.window > 0 { facts.append(("window", "up to \(model.window)")) }
    let remembered = engine.speculation.map { model.methods.contains(.suffix) ? $0.suffix.cachedRequests : 0 } ?? 0
    if model.methods.count > 1 { facts.append(("methods", model.methods.map(\.rawValue).joined(separator: ", "))) }
    facts.append(("processor", Processor.name))
    facts.append(("threads", "\(engine.threads)"))
    facts.append(("kernels", (engine.instructionSet ?? .best).rawValue))
    if remembered > 0 { facts.append(("past answers indexed", "up to \(remembered)")) }
    return facts
  }

  /// Files that the process opens beside its connections, with room for more.
  private static let ownFiles = 64

  /// Raises the limit on open files, and takes no more connections than it leaves room for: a server that cannot accept
  /// a connection can do nothing about it but try again at once.
  private func fitConnections(_ configuration: inout ServerConfiguration, _ logger: Logger) throws {
    let room = OpenFiles.raiseLimit() - Self.ownFiles
    guard room >= 1 else {
      throw ValidationError(
        "This process may open \(room + Self.ownFiles) files at a time; serving takes at least \(Self.ownFiles + 1) (ulimit -n)."
      )
    }
    guard room < configuration.maximumConnections else { return }
    logger.warning(
      "fewer connections than asked for: the limit on open files leaves no room for more (ulimit -n)",
      metadata: ["asked_for": "\(configuration.maximumConnections)", "connections": "\(room)"])
    configuration.maximumConnections = room
  }

  /// The program's arguments, with what environment and file add when they name this subcommand.
  static func withLayers(_ arguments: [String]) throws -> [String] {
    try layers(arguments).map { ["serve"] + $0.arguments } ?? arguments
  }

  private static func layers(_ arguments: [String]) throws -> LayeredArguments? {
    guard arguments.first == "serve" else { return nil }
    let flags = try LayeredArguments.flags(of: Self.self)
    return try LayeredArguments(
      commandLine: SageMaker.own(Array(arguments.dropFirst())), environment: ProcessInfo.processInfo.environment,
      flags: flags.all, switches: flags.switches)
  }
}
