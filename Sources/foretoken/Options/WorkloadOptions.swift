internal import ArgumentParser
internal import Foundation
internal import LoadTesting
internal import Presentation
internal import Tokenization

/// Flags that say what is sent. Names are those of `vllm bench serve`; `--workload` is ours.
struct WorkloadOptions: ParsableArguments {
  /// What `--workload` takes.
  enum Name: String, CaseIterable, ExpressibleByArgument {
    case structured
    case openEnded = "open-ended"
    case awsTrainium2 = "aws-trainium2"
    case all

    var workloads: [BuiltInWorkload] {
      self == .all ? BuiltInWorkload.allCases : BuiltInWorkload(rawValue: rawValue).map { [$0] } ?? []
    }
  }

  /// What `--dataset-name` takes.
  enum DatasetName: String, CaseIterable, ExpressibleByArgument {
    case sharegpt
    case specBench = "spec_bench"
    case custom
    case random
  }

  @Option(
    parsing: .upToNextOption,
    help: "Built-in prompts (default, without a dataset: structured open-ended).")
  var workload: [Name] = []

  @Option(help: "Kind of the dataset.")
  var datasetName: DatasetName?

  @Option(
    help: "The dataset's file: ShareGPT's JSON, Spec-Bench's JSONL, or JSONL with prompt or messages.",
    completion: .file(extensions: ["json", "jsonl"]))
  var datasetPath: String?

  @Option(help: "Requests in all, spread evenly over the categories (default: 8 of each; 1000 of a dataset).")
  var numPrompts: Int?

  @Option(help: "Selects the order of a dataset, random prompts and arrivals.")
  var seed: UInt64 = 0

  @Flag(help: "Take a dataset in its own order.")
  var disableShuffle = false

  @Option(help: "A model directory whose tokenizer counts tokens where the server does not.", completion: .model)
  var tokenizer: String?

  @Option(
    name: [
      .customLong("output-len"), .customLong("custom-output-len"), .customLong("sharegpt-output-len"),
      .customLong("spec-bench-output-len"),
    ],
    help: ArgumentHelp("Most tokens of every answer (default: the workload's, else 256).", valueName: "tokens"))
  var outputLen: Int?

  @Option(help: "Only this category of Spec-Bench or of a custom dataset.")
  var specBenchCategory: String?

  @Option(help: "Tokens of a random prompt.")
  var randomInputLen = 1024

  @Option(help: "Tokens of the answer to a random prompt.")
  var randomOutputLen = 128

  @Option(help: "Draw both lengths from 1 - ratio to 1 + ratio times these; below 1.")
  var randomRangeRatio = 0.0

  @Option(help: "Tokens that all random prompts begin with, before their own.")
  var randomPrefixLen = 0

  func validate() throws {
    guard workload.isEmpty || (datasetName == nil && datasetPath == nil) else {
      throw ValidationError("Name either --workload or a dataset.")
    }
    if let datasetName, datasetName != .random, datasetPath == nil {
      throw ValidationError("--dataset-name \(datasetName.rawValue) needs its file: --dataset-path.")
    }
    if datasetPath != nil, datasetName == nil {
      throw ValidationError("--dataset-path needs --dataset-name: sharegpt, spec_bench or custom.")
    }
    if datasetName == .random, tokenizer == nil {
      throw ValidationError("--dataset-name random needs --tokenizer, to draw tokens from.")
    }
    for (flag, value) in [
      ("--num-prompts", numPrompts), ("--output-len", outputLen), ("--random-input-len", randomInputLen),
      ("--random-output-len", randomOutputLen),
    ] {
      if let value, !(1...10_000_000).contains(value) {
        throw ValidationError("\(flag) is \(value); expected 1 to 10000000.")
      }
    }
    guard (0..<1).contains(randomRangeRatio) else {
      throw ValidationError("--random-range-ratio is \(randomRangeRatio); expected 0 to below 1.")
    }
    guard (0...10_000_000).contains(randomPrefixLen) else {
      throw ValidationError("--random-prefix-len is \(randomPrefixLen); expected 0 to 10000000.")
    }
  }

  /// The built-in workloads that were asked for.
  private var builtIn: [BuiltInWorkload] {
    let names: [Name] = workload.isEmpty ? [.structured, .openEnded] : workload
    let wanted = names.flatMap(\.workloads)
    return BuiltInWorkload.allCases.filter(wanted.contains)
  }

  /// The API that suits: completions for prompts of tokens, chats for all others.
  var backend: ServingEndpoint.Backend { datasetName == .random ? .openai : .openaiChat }

  /// The limit on concurrency when the user names neither one nor a rate; `nil` for datasets, as in vLLM.
  var defaultConcurrency: Int? {
    datasetName == nil ? builtIn.map(\.defaults.maximumConcurrency).max() : nil
  }

  /// The tokenizer that was named.
  func loadTokenizer() throws -> Tokenizer? { try tokenizer.map { try Tokenizer(directory: $0) } }

  /// What is to be sent to an endpoint.
  func load(for endpoint: ServingEndpoint, client: ServingClient, tokenizer: Tokenizer?) async throws -> Workload {
    switch datasetName {
    case nil:
      return try await loadBuiltIn(endpoint, client, tokenizer)
    case .random:
      guard let tokenizer else { throw ValidationError("--dataset-name random needs --tokenizer.") }
      let workload = Workload.random(randomPrompts, count: numPrompts ?? 1000, seed: seed, tokenizer: tokenizer)
      return endpoint.backend == .openai ? workload : workload.withTexts(from: tokenizer)
    case .sharegpt: return try sample(.sharegpt, tokenizer)
    case .specBench: return try sample(.specBench, tokenizer)
    case .custom: return try sample(.custom, tokenizer)
    }
  }

  /// What is to be answered by a model that is loaded here; by default two prompts of each category, or 16 random ones.
  func load(measuring tokenizer: Tokenizer) async throws -> Workload {
    switch datasetName {
    case nil: return try await unfilled(perCategory: 2).filled(by: TokenMeasure(tokenizer))
    case .random:
      return Workload.random(randomPrompts, count: numPrompts ?? 16, seed: seed, tokenizer: tokenizer)
    case .sharegpt: return try sample(.sharegpt, tokenizer)
    case .specBench: return try sample(.specBench, tokenizer)
    case .custom: return try sample(.custom, tokenizer)
    }
  }

  private var randomPrompts: RandomPrompts {
    RandomPrompts(
      inputTokens: randomInputLen, outputTokens: outputLen ?? randomOutputLen, rangeRatio: randomRangeRatio,
      prefixTokens: randomPrefixLen)
  }

  private func sample(_ dataset: Dataset, _ tokenizer: Tokenizer?) throws -> Workload {
    let requests = try dataset.requests(path: datasetPath ?? "", tokenizer: tokenizer)
    let workload = Workload(
      name: dataset.rawValue, sampling: requests, count: numPrompts ?? 1000, seed: seed, shuffles: !disableShuffle,
      outputTokens: outputLen, category: specBenchCategory)
    guard !workload.requests.isEmpty else {
      let categories = Workload(name: "", requests: requests).categories.joined(separator: ", ")
      throw ValidationError("There is no category '\(specBenchCategory ?? "")'; there are \(categories).")
    }
    return workload
  }

  /// The built-in prompts, the recipe's phrases not yet repeated to their length.
  ///
  /// - Parameter perCategory: requests of each category when the user names no number; `nil` for the workload's own.
  private func unfilled(perCategory: Int? = nil) throws -> Workload {
    let categories = builtIn.reduce(0) { $0 + $1.prompts.count }
    if let numPrompts, numPrompts < categories {
      throw ValidationError(
        "--num-prompts is \(numPrompts); expected at least one for each of \(categories) categories.")
    }
    var place = 0
    let requests = builtIn.flatMap { kind in
      let count = (numPrompts ?? perCategory.map { $0 * categories }).map { total in
        (0..<kind.prompts.count).reduce(0) { $0 + total / categories + (place + $1 < total % categories ? 1 : 0) }
      }
      place += kind.prompts.count
      return kind.workload(count: count, outputTokens: outputLen).requests
    }
    return Workload(name: builtIn.map(\.rawValue).joined(separator: "+"), requests: requests)
  }

  private func loadBuiltIn(
    _ endpoint: ServingEndpoint, _ client: ServingClient, _ tokenizer: Tokenizer?
  ) async throws -> Workload {
    let workload = try unfilled()
    guard builtIn.contains(.awsTrainium2) else { return workload }
    let measure =
      if let tokenizer { TokenMeasure(tokenizer) } else { await TokenMeasure(client, endpoint) }
    if measure.source == .estimate {
      note("The server has no /tokenize: prompts are cut to 64 tokens by an estimate of 4 characters to a token.")
    }
    return await workload.filled(by: measure)
  }
}
