internal import Foundation
internal import JSON

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
    /// Of what the Neuron compiler keeps for itself, whose default is outside the writable folders.
    static let compilerCache = local + "/neuron-compile-cache"
  }
  static let port = 8000

  package init(_ plan: DeploymentPlan, _ variant: DeploymentPlan.Variant) throws {
    let speculation = variant == .speculative ? plan.speculation : nil
    var arguments = [Self.path(of: plan.place, plan)]
    func flag(_ name: String, _ value: any CustomStringConvertible) { arguments += ["--" + name, value.description] }
    if let revision = plan.place.revision, Self.isFetchedByEngine(plan.place, plan) {
      flag("revision", revision)
      flag("tokenizer-revision", revision)
    }
    flag("host", "0.0.0.0")
    flag("port", Self.port)
    flag("served-model-name", plan.target.name)
    flag("max-model-len", plan.maximumLength)
    flag("max-num-seqs", plan.maximumSequences)
    if plan.stack.dialect != .foretoken { flag("tensor-parallel-size", plan.tensorParallel) }
    // The older vLLM has no such flag: what its pods wait for, a script watches.
    if plan.stack.dialect != .neuronInference { flag(Self.drainFlag, plan.longestAnswer) }
    switch plan.stack.dialect {
    case .neuronInference: flag("override-neuron-config", try Self.json(Self.fusedConfiguration(plan, speculation)))
    case .neuronPlugin:
      flag("max-num-batched-tokens", plan.prefillBuckets.last ?? plan.maximumLength)
      // The plugin refuses to start with a prefix cache where a prompt is computed in one pass.
      arguments.append("--no-enable-prefix-caching")
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
    if plan.machinesPerReplica > 1 {
      flag("pipeline-parallel-size", plan.stages)
      flag("nnodes", plan.machinesPerReplica)
    }
    self.arguments = arguments + plan.extraArguments
    program = [plan.stack.dialect == .foretoken ? "foretoken" : "vllm", "serve"]
    environment = Self.environment(plan)
  }

  static let drainFlag = "shutdown-timeout"

  /// Where the server finds a model: a name of the hub, or a folder.
  static func path(of model: ModelPlace, _ plan: DeploymentPlan) -> String {
    if plan.storage == .s3 { return "\(Place.local)/models/\(model.folder)" }
    if !model.isOnHub { return "\(Place.models)/\(model.name)" }
    guard !isFetchedByEngine(model, plan) else { return model.name }
    let folder = plan.storage.isVolume ? Place.models + "/hub" : Place.local + "/models"
    return "\(folder)/\(model.name)/\(model.revision ?? "main")"
  }

  /// Whether the engine itself brings a model from the hub.
  ///
  /// NxD Inference knows no revisions and saves a hub's model a second time, in float32 (`load_weights` of vLLM 0.9.1's
  /// `neuronx_distributed.py`: `from_pretrained`, then `save_pretrained` under `local-models`); so it gets a folder.
  /// Foretoken's server has no flag for a revision.
  static func isFetchedByEngine(_ model: ModelPlace, _ plan: DeploymentPlan) -> Bool {
    guard model.isOnHub, plan.storage != .s3 else { return false }
    return switch plan.stack.dialect {
    case .neuronInference: false
    case .foretoken: model.revision == nil
    case .neuronPlugin, .cuda: true
    }
  }

  private static func json(_ value: some Encodable) throws -> String {
    String(decoding: try JSONEncoder.sorted().encode(value), as: UTF8.self)
  }

  // MARK: Configurations by engine

  /// `--speculative-config`; keys are vLLM's.
  private struct SpeculativeConfiguration: Encodable {
    var method: String
    var model: String?
    var revision: String?
    var num_speculative_tokens: Int?
    var max_model_len: Int?
    var prompt_lookup_max: Int?
    var prompt_lookup_min: Int?
    var num_speculative_tokens_per_batch_size: [[Int]]?
  }

  private static func speculativeConfiguration(
    _ plan: DeploymentPlan, _ speculation: DeploymentPlan.Speculation
  ) -> SpeculativeConfiguration {
    let draft = speculation.draft
    var configuration = SpeculativeConfiguration(
      method: speculation.method.rawValue, model: draft.map { path(of: $0, plan) },
      revision: draft.flatMap { isFetchedByEngine($0, plan) ? $0.revision : nil },
      num_speculative_tokens: speculation.window)
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

  /// Names for the user that pods run as: images have no entry for it in /etc/passwd, and PyTorch ends where neither
  /// that nor the environment has a name (vllm-project/vllm#44548).
  static let user = [EnvironmentVariable("USER", "foretoken"), EnvironmentVariable("LOGNAME", "foretoken")]

  private static func environment(_ plan: DeploymentPlan) -> [EnvironmentVariable] {
    var environment =
      [EnvironmentVariable("HOME", Place.local)] + user + [EnvironmentVariable("HF_HOME", plan.hubCache)]
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
        // The plugin compiles into it, so that it is what is kept:
        // https://awsdocs-neuron.readthedocs-hosted.com/en/latest/vllm-neuron/docs/design/compilation/compilation_cache.html
        EnvironmentVariable(
          "VLLM_CACHE_ROOT", plan.stack.dialect == .neuronPlugin ? Place.compiled : Place.local + "/vllm"),
        EnvironmentVariable("VLLM_NO_USAGE_STATS", "1"),
      ]
    }
    if plan.stack.plugin != nil { environment.append(EnvironmentVariable("FORETOKEN_CACHE", Place.compiled)) }
    guard plan.instance.isNeuron else { return environment }
    environment.append(EnvironmentVariable("NEURON_COMPILE_CACHE_URL", Place.compilerCache))
    if plan.instance.logicalCoreSize > 1, plan.allocation == .devicePlugin {
      environment.append(EnvironmentVariable("NEURON_LOGICAL_NC_CONFIG", "\(plan.instance.logicalCoreSize)"))
    }
    switch plan.stack.dialect {
    case .foretoken, .cuda: break
    case .neuronInference:
      environment += [
        EnvironmentVariable("NEURON_COMPILED_ARTIFACTS", Place.compiled),
        EnvironmentVariable("VLLM_NEURON_FRAMEWORK", "neuronx-distributed-inference"),
        EnvironmentVariable("VLLM_USE_V1", "0"),
      ]
    case .neuronPlugin:
      environment += [
        // One machine computes alone: no network adapter is looked for beside the devices.
        EnvironmentVariable("NEURON_SKIP_EFA_AFFINITY", "1"),
        EnvironmentVariable("VLLM_NEURON_COMPILATION_TIMEOUT", "3600"),
        EnvironmentVariable("VLLM_EXECUTE_MODEL_TIMEOUT_SECONDS", "3600"),
      ]
    }
    return environment
  }
}

extension DeploymentPlan {
  /// Hugging Face's folder: on the volume where one is, else on the node's disk.
  var hubCache: String { (storage.isVolume ? ServerCommand.Place.models : ServerCommand.Place.local) + "/huggingface" }

  /// Names what was compiled: another image, machine, model, revision or command line compiles something else.
  func compiledKey(_ variant: Variant) throws -> String {
    var arguments = try ServerCommand(self, variant).arguments
    // How long a pod may take to end changes nothing that is compiled.
    if let flag = arguments.firstIndex(of: "--" + ServerCommand.drainFlag) { arguments.removeSubrange(flag...flag + 1) }
    return digest(([image, instance.name] + arguments).joined(separator: "\u{0}").utf8)
  }

  /// Where compiled programs are kept between pods.
  func compiledStore(_ variant: Variant) throws -> String {
    let key = try compiledKey(variant)
    return storage == .s3
      ? "s3://\(request.bucket ?? "")/compiled/\(key)" : "\(ServerCommand.Place.models)/compiled/\(key)"
  }
}
