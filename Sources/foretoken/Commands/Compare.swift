internal import ArgumentParser
internal import Foundation
internal import JSON
internal import LoadTesting
internal import Presentation
internal import Report
internal import Tokenization

/// `foretoken compare`: two servers, or one with and without speculation, on the same requests.
struct Compare: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare two servers, or one with and without speculation: speed, and whether answers are equal.",
    discussion: """
      Sends the same requests to both in turns (A B, B A, A B, …), so that drift of machine and network cancels. Ratios \
      are above 1 where A is better, and come with intervals from resampling those turns. Greedy answers are compared \
      too, and the first difference is shown.

        foretoken compare http://a:8000 http://b:8000
        foretoken compare http://a:8000 --without-speculation

      Exits with 1 if no pair of requests succeeded, or if a condition (--min-speedup, --require-equal-outputs) is not \
      met; with 130 after Ctrl-C.
      """)

  @Argument(help: "A, and B unless --without-speculation or --extra-body-b makes it of A.")
  var servers: [String]

  @Flag(help: "B is the same server, asked not to speculate (\"speculative\": {\"enabled\": false} in the body).")
  var withoutSpeculation = false

  @Option(help: "A JSON object whose fields join the bodies of B's requests.")
  var extraBodyB: String?

  @Option(help: "B's model (default: the first that it lists, or A's).")
  var modelB: String?

  @OptionGroup(title: "Requests") var endpoint: ServingEndpointOptions

  @OptionGroup(title: "Workload") var workload: WorkloadOptions

  @Option(help: "Requests at one time: a turn is a block of as many.")
  var maxConcurrency = 1

  @Option(help: "Requests sent to each side and forgotten before.")
  var numWarmups = 1

  @Option(help: "Share of intervals that hold the true ratio.")
  var confidence = 0.95

  @Option(help: "Times that pairs are drawn anew for the intervals.")
  var resamples = 2000

  @Option(help: "Exit with 1 unless A's output throughput is this many times B's, at the interval's lower end.")
  var minSpeedup: Double?

  @Flag(help: "Exit with 1 if any answer differs.")
  var requireEqualOutputs = false

  @OptionGroup(title: "Result") var saving: SavingOptions

  @Option(help: "A's name in the result.")
  var label: String?

  @Option(help: "B's name in the result.")
  var labelB: String?

  @OptionGroup var metadata: MetadataOptions

  @OptionGroup(title: "Cost") var price: PriceOptions

  @Flag(name: [.customLong("disable-tqdm"), .customLong("no-progress")], help: "No progress bar.")
  var disableProgress = false

  func validate() throws {
    let own = withoutSpeculation || extraBodyB != nil
    guard servers.count == 2 || (servers.count == 1 && own) else {
      throw ValidationError(
        "Name two servers, or one and --without-speculation; found \(servers.count)\(own ? " and what makes B of A" : "")."
      )
    }
    guard (1...10_000).contains(maxConcurrency) else {
      throw ValidationError("--max-concurrency is \(maxConcurrency); expected 1 to 10000.")
    }
    guard (0...1_000_000).contains(numWarmups), (1...1_000_000).contains(resamples) else {
      throw ValidationError("--num-warmups takes 0 to 1000000, --resamples 1 to 1000000.")
    }
    guard confidence > 0, confidence < 1 else {
      throw ValidationError("--confidence is \(confidence); expected between 0 and 1.")
    }
    guard !requireEqualOutputs || endpoint.temperature == 0 else {
      throw ValidationError("--require-equal-outputs is for greedy answers; --temperature is \(endpoint.temperature).")
    }
    for server in servers { _ = try endpoint.endpoint(at: server, fallback: .openaiChat) }
    _ = try fieldsOfB
  }

  func run() async throws {
    try saving.prepare()
    _ = try price.price()
    let tokenizer = try workload.loadTokenizer()
    let run = ServingRun(
      concurrency: maxConcurrency, endpoint: endpoint, tokenizer: tokenizer,
      servers: servers.joined(separator: ", "))
    try finish(await run.result { try await measure($0, $1, tokenizer) })
  }

  private func measure(
    _ client: ServingClient, _ generator: LoadGenerator, _ tokenizer: Tokenizer?
  ) async throws -> ServingComparisonResult {
    var a = try endpoint.endpoint(at: servers[0], fallback: workload.backend)
    var b = try endpoint.endpoint(at: servers.last ?? servers[0], fallback: workload.backend)
    for (key, value) in try fieldsOfB.pairs { b.extraBody[key] = value }
    if a.model.isEmpty { a.model = try await model(of: a, client) }
    b.model = modelB ?? b.model
    if b.model.isEmpty { b.model = try await model(of: b, client) }
    var plan = ServingComparison.Plan(
      a: a, b: b, workload: try await workload.load(for: a, client: client, tokenizer: tokenizer))
    plan.concurrency = maxConcurrency
    plan.warmups = numWarmups
    plan.readyTimeoutSeconds = endpoint.readyCheckTimeoutSec
    plan.bootstrap = Bootstrap(confidence: confidence, resamples: resamples, seed: workload.seed)
    plan.comparesOutputs = endpoint.temperature == 0
    for side in a.baseURL == b.baseURL ? [a] : [a, b] {
      if let caution = await ServerInspection(client, side).caution() { note("Note: \(caution)") }
    }
    if withoutSpeculation { plan.labels = ("Speculation", "plain decoding") }
    plan.labels = (label ?? plan.labels.a, labelB ?? plan.labels.b)
    plan.metadata = try metadata.notes().merging(try price.notes()) { $1 }
    let bar = ProgressBar()
    defer { bar.clear() }
    return try await ServingComparison(plan, client: client, generator: generator).run { category, fraction in
      if !disableProgress { bar.update(category, fraction: fraction) }
    }
  }

  private func model(of endpoint: ServingEndpoint, _ client: ServingClient) async throws -> String {
    try await ServerInspection(client, endpoint).firstModel(timeoutSeconds: self.endpoint.readyCheckTimeoutSec)
  }

  private var fieldsOfB: JSONObject {
    get throws {
      var fields = JSONObject()
      if withoutSpeculation { fields["speculative"] = ["enabled": false] }
      guard let extraBodyB else { return fields }
      do {
        guard case .object(let extra) = try JSONValue(parsing: extraBodyB) else {
          throw ValidationError("--extra-body-b is \(extraBodyB); expected a JSON object.")
        }
        for (key, value) in extra.pairs { fields[key] = value }
      } catch let error as JSONError {
        throw ValidationError("--extra-body-b is no JSON: \(error)")
      }
      return fields
    }
  }

  private func finish(_ result: ServingComparisonResult) throws {
    if saving.json {
      try emitJSON(result)
    } else {
      emit(Report(ReportInput(result)).terminal(style: TextStyle(for: .standardOutput)))
    }
    try saving.save(result, name: "compare-\(result.a.header.date).json")
    if result.a.header.isPartial { throw ExitCode(130) }
    guard result.overall.pairs > 0 else {
      note("foretoken: no pair of requests succeeded")
      throw ExitCode.failure
    }
    if let minSpeedup {
      guard let lower = result.overall.outputThroughput?.lower else {
        note("foretoken: \(result.overall.pairs) pairs are too few to tell the speedup; send more prompts")
        throw ExitCode.failure
      }
      guard lower >= minSpeedup else {
        note(String(format: "foretoken: the speedup is at least %.3f; expected %.3f or more", lower, minSpeedup))
        throw ExitCode.failure
      }
    }
    if requireEqualOutputs, let outputs = result.overall.outputs, outputs.equal < outputs.compared {
      note("foretoken: \(outputs.compared - outputs.equal) of \(outputs.compared) answers differ; expected none")
      throw ExitCode.failure
    }
  }
}
