internal import ArgumentParser
internal import Decoding
internal import Foundation
internal import Inference
internal import JSON
internal import LoadTesting
internal import ModelFiles
internal import Presentation
internal import Report
internal import Tokenization
internal import Tuning

/// `foretoken tune`: what to speculate with, and how much.
struct Tune: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Choose draft, method and window for a workload, by measurement.",
    discussion: """
      With --model: loads the target and every candidate draft, measures what passes cost and how often proposals are \
      right while serving the workload, predicts every way to speculate at every concurrency, and verifies the best \
      ones against plain decoding, in turns. With --endpoint: measures a running server, and works out whether a \
      smaller window would do better; of a server that takes no window per request, only what it does now is known.

      Writes the configuration as flags, as vLLM's --speculative-config and as Helm or Kustomize values; says so when \
      speculation does not pay. The result (--output) is what `foretoken report` and `foretoken deploy --from-tuning` \
      read.

        foretoken tune -m Models/foretoken-reference-target --draft-model Models/foretoken-reference-draft --suffix
        foretoken tune --endpoint http://127.0.0.1:8000 --concurrency 1,4,8
      """)

  @Option(
    name: [.short, .long],
    help: "Target: a model directory, or a name in the Hugging Face cache; with --endpoint the served model's name.",
    completion: .model)
  var model: String?

  @Option(
    parsing: .singleValue, help: "A candidate draft model, or head on the target; repeatable.", completion: .model)
  var draftModel: [String] = []

  @Flag(help: "Prompt lookup is a candidate.")
  var ngram = false

  @Flag(help: "The suffix index is a candidate.")
  var suffix = false

  @Option(help: ArgumentHelp("Tune for this server instead of loading models.", valueName: "url"))
  var endpoint: String?

  @Option(help: "Requests at one time, with commas between them.", transform: Self.numbers)
  var concurrency = [1, 4, 8, 16]

  @Option(help: "Largest window; with --endpoint the server's own (default: 10; from the server's counters).")
  var maxWindow: Int?

  @Option(help: ArgumentHelp("Nine of ten requests must have their first token within this time.", valueName: "ms"))
  var sloTtft: Double?

  @Option(
    help: ArgumentHelp("Nine of ten requests must take no longer than this per token on average.", valueName: "ms"))
  var sloTpot: Double?

  @Option(help: "Rounds of verification.")
  var repetitions = 3

  @Option(help: "Candidates to verify at each concurrency, besides plain decoding and auto.")
  var verify = 2

  @Option(help: "Randomness; 0 is greedy.")
  var temperature = 0.0

  @OptionGroup(title: "Workload") var workload: WorkloadOptions
  @OptionGroup(title: "Memory and threads") var resources: ResourceOptions
  @OptionGroup(title: "Cost") var price: PriceOptions

  @Option(name: .shortAndLong, help: "Write the result to this file, as JSON.")
  var output: String?

  @Flag(help: "Print JSON.")
  var json = false

  @Sendable private static func numbers(_ text: String) throws -> [Int] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map { word in
      guard let number = Int(word.trimmingCharacters(in: .whitespaces)), (1...256).contains(number) else {
        throw ValidationError("'\(word)' is no concurrency; expected numbers from 1 to 256 with commas between them.")
      }
      return number
    }
  }

  func validate() throws {
    guard (endpoint == nil) != (model == nil) || endpoint != nil else {
      throw ValidationError("Name --model to tune here, or --endpoint to tune for a server.")
    }
    if endpoint == nil {
      guard !draftModel.isEmpty || ngram || suffix else {
        throw ValidationError("Name a candidate: --draft-model (repeatable), --ngram or --suffix.")
      }
    } else if ngram || suffix || draftModel.count > 1 {
      throw ValidationError("A server is tuned with its own method: --endpoint takes no candidates.")
    }
    if let maxWindow, !SpeculativeConfiguration.windows.contains(maxWindow) {
      throw ValidationError("--max-window is \(maxWindow); expected 1 to 32.")
    }
    for (flag, limit) in [("--slo-ttft", sloTtft), ("--slo-tpot", sloTpot)] {
      if let limit, !(limit > 0) { throw ValidationError("\(flag) is \(limit); expected more than 0.") }
    }
    guard (1...100).contains(repetitions), (1...10).contains(verify) else {
      throw ValidationError("--repetitions takes 1 to 100, --verify 1 to 10.")
    }
    guard temperature >= 0, temperature <= 100 else {
      throw ValidationError("--temperature is \(temperature); expected 0 to 100.")
    }
  }

  func run() async throws {
    if let output { try OutputFile.check(output) }
    let bar = ProgressBar()
    let result: TuningResult
    do {
      defer { bar.clear() }
      if let endpoint {
        result = try await tune(endpoint) { part, share in bar.update(part, fraction: share) }
      } else {
        result = try await tuneLocally { part, share in bar.update(part, fraction: share) }
      }
    } catch let failure as RequestFailure {
      note("foretoken: \(endpoint ?? ""): \(failure)")
      throw ExitCode.failure
    }
    var isLost = false
    if let output {
      isLost = try !OutputFile.keeps(try result.encoded(), in: output)
    }
    if json || isLost {
      emit(String(decoding: try result.encoded(), as: UTF8.self))
    } else {
      emit(Report(ReportInput(result)).terminal(style: TextStyle(for: .standardOutput)))
    }
    if isLost { throw ExitCode.failure }
  }

  private var objectives: TuningResult.Objectives {
    TuningResult.Objectives(
      timeToFirstToken: sloTtft.map { $0 / 1000 }, timePerOutputToken: sloTpot.map { $0 / 1000 })
  }

  private var command: String {
    (["foretoken"] + CommandLine.arguments.dropFirst()).map(ShellWord.quoted).joined(separator: " ")
  }

  // MARK: - Models of this machine

  private func tuneLocally(progress: @escaping @Sendable (String, Double) -> Void) async throws -> TuningResult {
    let directory = try ModelSource(model ?? "")
    let workload = try await workload.load(measuring: directory.tokenizer)
    var plan = Tuner.Plan(
      resources.configuration(for: model ?? ""), drafts: draftModel, workload: workload.name,
      prompts: try workload.requests.map { try prompt($0, directory) }, concurrencies: concurrency,
      largestWindow: maxWindow ?? SpeculationMethod.automatic.defaultWindow)
    (plan.triesLookup, plan.triesSuffix) = (ngram, suffix)
    (plan.repetitions, plan.verified) = (repetitions, verify)
    plan.objectives = objectives
    plan.price = try price.price()
    plan.memoryBudget = try price.memoryBytes()
    plan.servingFlags = resources.servingFlags
    plan.command = command
    return try await Tuner(plan, progress: progress).run()
  }

  private func prompt(_ request: WorkloadRequest, _ model: ModelSource) throws -> TuningPrompt {
    TuningPrompt(
      category: request.category, tokens: try request.tokens(for: model),
      outputTokens: request.outputTokens ?? workload.outputLen ?? 128,
      ignoresEndOfText: request.ignoresEndOfText, temperature: temperature)
  }

  // MARK: - A server

  private func tune(_ url: String, progress: (String, Double) -> Void) async throws -> TuningResult {
    guard let parsed = URL(string: url), ["http", "https"].contains(parsed.scheme?.lowercased()), parsed.host != nil
    else { throw ValidationError("'\(url)' is no URL of a server; expected one like http://127.0.0.1:8000.") }
    let tokenizer = try workload.loadTokenizer()
    let client = ServingClient(connections: concurrency.max() ?? 1)
    let outcome: Result<TuningResult, any Error>
    do {
      var endpoint = ServingEndpoint(baseURL: url, backend: workload.backend, model: model ?? "")
      if let key = ProcessInfo.processInfo.environment["OPENAI_API_KEY"], !key.isEmpty {
        endpoint.headers = [("Authorization", "Bearer \(key)")]
      }
      endpoint.extraBody["temperature"] = .number(temperature)
      if endpoint.model.isEmpty {
        progress("Waiting for the server", 0)
        endpoint.model = try await ServerInspection(client, endpoint).firstModel(timeoutSeconds: 60)
      }
      var plan = EndpointTuner.Plan(
        endpoint: endpoint, workload: try await workload.load(for: endpoint, client: client, tokenizer: tokenizer),
        concurrencies: concurrency)
      plan.window = maxWindow
      plan.repetitions = repetitions
      plan.objectives = objectives
      plan.price = try price.price()
      plan.draft = draftModel.first
      plan.command = command
      let generator = LoadGenerator(client: client, tokenizer: tokenizer)
      outcome = .success(
        try await EndpointTuner(plan, client: client, generator: generator).run(progress: progress))
    } catch { outcome = .failure(error) }
    await client.shutDown()
    return try outcome.get()
  }
}
