internal import ArgumentParser
internal import Foundation
internal import LoadTesting
internal import Presentation
internal import Tokenization
internal import Tuning

extension RampUp.Strategy: ExpressibleByArgument {}

/// `foretoken bench serve`: load on a server, and what it makes of it.
struct BenchServe: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Load any OpenAI-compatible server and measure latency, throughput and acceptance.",
    discussion: """
      Flags, output and the JSON file are those of `vllm bench serve`; docs/benchmarking.md says what each figure means. \
      Without --request-rate the loop is closed: as many requests as --max-concurrency allows run at any time. With it, \
      requests arrive as a Poisson process whatever the server does. Categories of prompts run one after another, so \
      that each has a throughput and an acceptance of its own.

        foretoken bench serve --base-url http://127.0.0.1:8000 --num-prompts 64 --max-concurrency 8

      Ctrl-C ends it with what was measured until then (exit status 130). Exits with 1 if no request succeeded.
      """)

  @Option(help: "The server.")
  var baseUrl: String?

  @Option(help: "The server's host, without --base-url.")
  var host = "127.0.0.1"

  @Option(help: "The server's port, without --base-url.")
  var port = 8000

  @OptionGroup(title: "Requests") var endpoint: ServingEndpointOptions

  @OptionGroup(title: "Workload") var workload: WorkloadOptions

  @Option(
    help: ArgumentHelp("Requests per second, or inf for as fast as places allow.", valueName: "rate"),
    transform: Self.rate)
  var requestRate = RequestRate.unlimited

  @Option(help: "Let the rate rise from the first request to the last.")
  var rampUpStrategy: RampUp.Strategy?

  @Option(
    help: ArgumentHelp("Requests per second at the first request.", valueName: "rate"), transform: Self.rate)
  var rampUpStartRps: RequestRate?

  @Option(help: ArgumentHelp("Requests per second at the last request.", valueName: "rate"), transform: Self.rate)
  var rampUpEndRps: RequestRate?

  @Option(help: "1 for Poisson arrivals; below 1 in bursts, above 1 more even, inf at equal distances.")
  var burstiness = 1.0

  @Option(help: "Most requests at one time (default with built-in workloads and without a rate: 4).")
  var maxConcurrency: Int?

  @Option(help: "Requests sent and forgotten before.")
  var numWarmups = 0

  @Flag(help: "Mix the categories instead of running them one after another.")
  var mixCategories = false

  @Option(
    help: "Figures to print, of ttft, tpot, itl, itl_by_token, e2el and client_queue_time.", transform: Self.metrics)
  var percentileMetrics: [ServingMetric] = [.ttft, .tpot, .itl, .itlByToken, .e2el]

  @Option(help: "Percentiles of them.", transform: Self.percentiles)
  var metricPercentiles: [Double] = [90, 99]

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "What a request must keep to, in milliseconds, to count as good: ttft:200 tpot:20 e2el:5000.",
      valueName: "metric:ms"))
  var goodput: [String] = []

  @OptionGroup(title: "Result") var saving: SavingOptions

  @Flag(help: "Keep every request's own values in the result.")
  var saveDetailed = false

  @Option(help: "Begins the file's name (default: the backend).")
  var label: String?

  @OptionGroup var metadata: MetadataOptions

  @Flag(name: [.customLong("disable-tqdm"), .customLong("no-progress")], help: "No progress bar.")
  var disableProgress = false

  @Flag(help: "Exit with 1 if any request failed.")
  var failOnErrors = false

  @OptionGroup(title: "Cost") var price: PriceOptions

  func validate() throws {
    guard burstiness > 0 else { throw ValidationError("--burstiness is \(burstiness); expected more than 0.") }
    if let maxConcurrency, !(1...100_000).contains(maxConcurrency) {
      throw ValidationError("--max-concurrency is \(maxConcurrency); expected 1 to 100000.")
    }
    guard (0...1_000_000).contains(numWarmups) else {
      throw ValidationError("--num-warmups is \(numWarmups); expected 0 to 1000000.")
    }
    guard (1...65535).contains(port) else { throw ValidationError("--port is \(port); expected 1 to 65535.") }
    _ = try objectives
    _ = try price.price()
    _ = try rampUp
    _ = try endpoint.endpoint(at: address, fallback: .openaiChat)
  }

  func run() async throws {
    try saving.prepare()
    let tokenizer = try workload.loadTokenizer()
    let fallback = try arrivals.isOpen ? nil : workload.defaultConcurrency
    let limit = maxConcurrency ?? fallback
    let run = ServingRun(
      concurrency: limit, endpoint: endpoint, tokenizer: tokenizer, servers: address)
    try finish(await run.result { try await measure($0, $1, tokenizer, limit) })
  }

  private var address: String { baseUrl ?? "http://\(host.contains(":") ? "[\(host)]" : host):\(port)" }

  /// Runs the benchmark behind a progress bar.
  private func measure(
    _ client: ServingClient, _ generator: LoadGenerator, _ tokenizer: Tokenizer?, _ limit: Int?
  ) async throws -> ServingResult {
    var target = try endpoint.endpoint(at: address, fallback: workload.backend)
    if target.model.isEmpty {
      var hasSaidSo = false
      target.model = try await ServerInspection(client, target).firstModel(
        timeoutSeconds: endpoint.readyCheckTimeoutSec
      ) { failure in
        if !hasSaidSo { note("Waiting for \(address): \(failure)") }
        hasSaidSo = true
      }
    }
    var plan = ServingBenchmark.Plan(
      endpoint: target, workload: try await workload.load(for: target, client: client, tokenizer: tokenizer))
    plan.arrivals = try arrivals
    plan.maximumConcurrency = limit
    plan.warmups = numWarmups
    plan.readyTimeoutSeconds = endpoint.readyCheckTimeoutSec
    plan.mixesCategories = mixCategories
    plan.summing.percentiles = metricPercentiles
    plan.summing.objectives = try objectives
    plan.keepsDetails = saveDetailed
    plan.label = label
    plan.metadata = try metadata.notes().merging(try price.notes()) { $1 }
    plan.tokenizerID = workload.tokenizer
    plan.seed = workload.seed
    if let caution = await ServerInspection(client, target).caution() { note("Note: \(caution)") }
    let bar = ProgressBar()
    defer { bar.clear() }
    return try await ServingBenchmark(plan, client: client, generator: generator).run { stage in
      guard !disableProgress else { return }
      Self.draw(stage, on: bar)
    }
  }

  private static func draw(_ stage: ServingBenchmark.Stage, on bar: ProgressBar) {
    switch stage {
    case .waiting(let failure): bar.update("waiting for the server", fraction: 0, detail: failure?.description ?? "")
    case .warmingUp: bar.update("warming up", fraction: 0)
    case .running(let category, let progress):
      bar.update(
        category ?? "all", fraction: Double(progress.finished) / Double(max(progress.total, 1)),
        detail: "\(progress.finished)/\(progress.total)" + (progress.failed > 0 ? ", \(progress.failed) failed" : ""))
    }
  }

  private func finish(_ result: ServingResult) throws {
    if saving.json {
      try emitJSON(result)
    } else {
      emit(BenchServeText(result, metrics: percentileMetrics).rendered)
      if let cost = try price.price()?.perMillionTokens(at: result.total.outputThroughput) {
        emit(String(format: "Dollars per million output tokens: %.4g\n", cost))
      }
    }
    try saving.save(result, name: result.header.fileName)
    if result.header.isPartial { throw ExitCode(130) }
    if result.total.completed == 0 || (failOnErrors && result.total.failed > 0) { throw ExitCode.failure }
  }
}

// Values of flags.
extension BenchServe {
  @Sendable private static func rate(_ text: String) throws -> RequestRate {
    if text == "inf" { return .unlimited }
    guard let number = Double(text), let rate = RequestRate(number) else {
      throw ValidationError("'\(text)' is no rate; expected a number above 0, or inf.")
    }
    return rate
  }

  @Sendable private static func metrics(_ text: String) throws -> [ServingMetric] {
    try text.split(separator: ",").map { word in
      guard let metric = ServingMetric(rawValue: String(word)) else {
        let names = ServingMetric.allCases.map(\.rawValue).joined(separator: ", ")
        throw ValidationError("There is no figure '\(word)'; there are \(names).")
      }
      return metric
    }
  }

  @Sendable private static func percentiles(_ text: String) throws -> [Double] {
    try text.split(separator: ",").map { word in
      guard let percent = Double(word), (0...100).contains(percent) else {
        throw ValidationError("'\(word)' is no percentile; expected a number from 0 to 100.")
      }
      return percent
    }
  }

  private var arrivals: ArrivalSchedule {
    get throws {
      ArrivalSchedule(rate: requestRate, rampUp: try rampUp, burstiness: burstiness, seed: workload.seed)
    }
  }

  private var rampUp: RampUp? {
    get throws {
      guard let rampUpStrategy else {
        guard rampUpStartRps == nil, rampUpEndRps == nil else {
          throw ValidationError("--ramp-up-start-rps and --ramp-up-end-rps need --ramp-up-strategy.")
        }
        return nil
      }
      guard let start = rampUpStartRps, let end = rampUpEndRps, !start.isUnlimited, !end.isUnlimited else {
        throw ValidationError("--ramp-up-strategy needs --ramp-up-start-rps and --ramp-up-end-rps, both finite.")
      }
      guard requestRate.isUnlimited else {
        throw ValidationError("Name either --request-rate or a ramp: the ramp has rates of its own.")
      }
      return RampUp(rampUpStrategy, from: start, to: end)
    }
  }

  private var objectives: ServingObjectives {
    get throws {
      var objectives = ServingObjectives()
      for text in goodput {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let limit = Double(parts[1]), limit >= 0 else {
          throw ValidationError("--goodput '\(text)' is not of the form METRIC:MILLISECONDS.")
        }
        switch parts[0] {
        case "ttft": objectives.ttft = limit
        case "tpot": objectives.tpot = limit
        case "e2el": objectives.e2el = limit
        default: throw ValidationError("--goodput knows ttft, tpot and e2el, not '\(parts[0])'.")
        }
      }
      return objectives
    }
  }
}

extension ServingResult.Header {
  /// As vLLM names its files.
  var fileName: String {
    let place = maxConcurrency.map { "-concurrency\($0)" } ?? ""
    let model = modelID.split(separator: "/").last.map(String.init) ?? "model"
    let rate =
      if let rampUpStrategy, let rampUpStartRPS, let rampUpEndRPS {
        "ramp-up-\(rampUpStrategy)-\(rampUpStartRPS)qps-\(rampUpEndRPS)qps"
      } else { "\(requestRate)qps" }
    return "\(label ?? backend)-\(rate)\(place)-\(model)-\(date).json"
  }
}
