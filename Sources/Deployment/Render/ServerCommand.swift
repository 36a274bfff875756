internal import Foundation

/// The command line and environment of one server, as the engine's version takes them.
///
/// Arguments are lists: no shell reads them, so JSON needs no quoting.
package struct ServerCommand: Sendable, Equatable {
  /// Program and subcommand.
  package let program: [String]
  /// What follows.
  package let arguments: [String]
  package let environment: [EnvironmentVariable]

  /// Places in a pod.
  enum Place {
    /// The node's disk, for as long as the pod lives.
    static let local = "/local"
    /// The volume that outlives pods.
    static let models = "/models"
    static let scripts = "/scripts"
    static let results = "/results"
    static let compiled = local + "/compiled"
  }
  static let port = 8000

  package init(_ plan: DeploymentPlan, _ variant: DeploymentPlan.Variant) throws {
    let speculation = variant == .speculative ? plan.speculation : nil
    var arguments = [Self.path(of: plan.target, plan)]
    func flag(_ name: String, _ value: any CustomStringConvertible) { arguments += ["--" + name, value.description] }
    flag("host", "0.0.0.0")
    flag("port", Self.port)
    flag("served-model-name", plan.target.name)
    flag("max-model-len", plan.maximumLength)
    flag("max-num-seqs", plan.maximumSequences)
    if plan.stack.dialect != .foretoken { flag("tensor-parallel-size", plan.tensorParallel) }
    switch plan.stack.dialect {
    case .neuronInference: flag("override-neuron-config", try Self.json(Self.fusedConfiguration(plan, speculation)))
    case .neuronPlugin:
      flag("max-num-batched-tokens", plan.prefillBuckets.last ?? plan.maximumLength)
      flag("additional-config", try Self.json(Self.pluginConfiguration(plan)))
      flag("dtype", "bfloat16")
      if speculation?.method == .dflash { arguments.append("--no-async-scheduling") }
    case .cuda:
      flag("gpu-memory-utilization", MemoryBudget.deviceShare)
      flag("dtype", "bfloat16")
    case .foretoken:
      flag("log-format", "json")
      if let plugin = plan.stack.plugin {
        flag("backend", "pjrt")
        flag("pjrt-plugin", plugin)
        flag("tensor-parallel-size", plan.tensorParallel)
        // Programs of one size: a window of 15 for every request, or as many rows of a prompt.
        flag("pjrt-rows", 16 * plan.maximumSequences)
      }
    }
    if let speculation { flag("speculative-config", try Self.json(Self.speculativeConfiguration(plan, speculation))) }
    self.arguments = arguments
    program = [plan.stack.dialect == .foretoken ? "foretoken" : "vllm", "serve"]
    environment = Self.environment(plan)
  }

  /// Where the server finds a model: a name of the hub, or a folder.
  static func path(of model: ServedModel, _ plan: DeploymentPlan) -> String {
    path(named: model.name, isOnHub: model.isOnHub, plan)
  }

  private static func path(named name: String, isOnHub: Bool, _ plan: DeploymentPlan) -> String {
    if plan.storage == .s3 { return "\(Place.local)/models/\(name)" }
    return isOnHub ? name : "\(Place.models)/\(name)"
  }

  static func draftPath(_ plan: DeploymentPlan) -> String? {
    plan.draftName.map { path(named: $0, isOnHub: plan.draft?.isOnHub ?? true, plan) }
  }

  private static func json(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }

  // MARK: Configurations by engine

  /// `--speculative-config`; keys are vLLM's.
  private struct SpeculativeConfiguration: Encodable {
    var method: String
    var model: String?
    var num_speculative_tokens: Int?
    var max_model_len: Int?
    var prompt_lookup_max: Int?
    var prompt_lookup_min: Int?
    var num_speculative_tokens_per_batch_size: [[Int]]?
  }

  private static func speculativeConfiguration(
    _ plan: DeploymentPlan, _ speculation: DeploymentPlan.Speculation
  ) -> SpeculativeConfiguration {
    var configuration = SpeculativeConfiguration(
      method: speculation.method.rawValue, model: draftPath(plan), num_speculative_tokens: speculation.window)
    switch plan.stack.dialect {
    case .neuronInference:
      // Neuron's tutorial names the method so for a plain draft; fusing is what the override asks for.
      configuration.method = "eagle"
      configuration.max_model_len = plan.maximumLength
    case .neuronPlugin, .cuda:
      configuration.num_speculative_tokens_per_batch_size = speculation.windowsByBatchSize
    case .foretoken: break
    }
    if speculation.method == .ngram {
      configuration.prompt_lookup_min = 2
      configuration.prompt_lookup_max = 5
    }
    return configuration
  }

  private struct FusedConfiguration: Encodable {
    var save_sharded_checkpoint = true
    var enable_fused_speculation: Bool?
    var context_encoding_buckets: [Int]?
  }

  /// `--override-neuron-config`: of NxD Inference.
  private static func fusedConfiguration(
    _ plan: DeploymentPlan, _ speculation: DeploymentPlan.Speculation?
  ) -> FusedConfiguration {
    FusedConfiguration(
      enable_fused_speculation: speculation == nil ? nil : true,
      context_encoding_buckets: plan.request.prefillBuckets)
  }

  private struct PluginConfiguration: Encodable {
    struct Neuron: Encodable {
      var num_batched_tokens_buckets: [Int]
      var num_seqs_buckets: [Int]
      /// Empty: on the device, with each request's own temperature, top-k and top-p.
      var on_device_sampling_config: [String: String] = [:]
    }
    var neuron_config: Neuron
  }

  /// `--additional-config`: of the plugin.
  private static func pluginConfiguration(_ plan: DeploymentPlan) -> PluginConfiguration {
    PluginConfiguration(
      neuron_config: .init(
        num_batched_tokens_buckets: plan.prefillBuckets, num_seqs_buckets: plan.sequenceBuckets))
  }

  private static func environment(_ plan: DeploymentPlan) -> [EnvironmentVariable] {
    var environment = [
      EnvironmentVariable("HOME", Place.local), EnvironmentVariable("HF_HOME", plan.hubCache),
    ]
    if plan.target.isOnHub, plan.storage != .s3 {
      environment.append(
        EnvironmentVariable("HF_TOKEN", secret: plan.request.hubTokenSecret, key: "token", optional: true))
    }
    if let secret = plan.request.apiKeySecret {
      let name = plan.stack.dialect == .foretoken ? "FORETOKEN_API_KEY" : "VLLM_API_KEY"
      environment.append(EnvironmentVariable(name, secret: secret, key: "api-key"))
    }
    if plan.stack.dialect != .foretoken {
      environment += [
        EnvironmentVariable("VLLM_CACHE_ROOT", Place.local + "/vllm"),
        EnvironmentVariable("VLLM_NO_USAGE_STATS", "1"),
      ]
    }
    if plan.stack.plugin != nil { environment.append(EnvironmentVariable("FORETOKEN_CACHE", Place.compiled)) }
    guard plan.instance.isNeuron else { return environment }
    if plan.stack.dialect != .foretoken {
      environment.append(EnvironmentVariable("NEURON_COMPILED_ARTIFACTS", Place.compiled))
    }
    if plan.instance.logicalCoreSize > 1, plan.allocation == .devicePlugin {
      environment.append(EnvironmentVariable("NEURON_LOGICAL_NC_CONFIG", "\(plan.instance.logicalCoreSize)"))
    }
    switch plan.stack.dialect {
    case .foretoken, .cuda: break
    case .neuronInference:
      environment += [
        EnvironmentVariable("VLLM_NEURON_FRAMEWORK", "neuronx-distributed-inference"),
        EnvironmentVariable("VLLM_USE_V1", "0"),
      ]
    case .neuronPlugin:
      environment += [
        EnvironmentVariable("VLLM_NEURON_COMPILATION_TIMEOUT", "3600"),
        EnvironmentVariable("VLLM_EXECUTE_MODEL_TIMEOUT_SECONDS", "3600"),
      ]
    }
    return environment
  }
}

extension DeploymentPlan {
  /// The draft as stored: a directory's last part, or the name on the hub.
  var draftName: String? { speculation == nil ? nil : draft?.name ?? request.draft }

  /// Hugging Face's folder: on the volume where one is, else on the node's disk.
  var hubCache: String { (storage.isVolume ? ServerCommand.Place.models : ServerCommand.Place.local) + "/huggingface" }

  /// Names what was compiled: another image, machine or command line compiles something else.
  func compiledKey(_ variant: Variant) throws -> String {
    let command = try ServerCommand(self, variant)
    return digest(([image, instance.name] + command.arguments).joined(separator: "\u{0}").utf8)
  }

  /// Where compiled programs are kept between pods.
  func compiledStore(_ variant: Variant) throws -> String {
    let key = try compiledKey(variant)
    return storage == .s3
      ? "s3://\(request.bucket ?? "")/compiled/\(key)" : "\(ServerCommand.Place.models)/compiled/\(key)"
  }
}
