package import Decoding

/// What computes the tokens.
package enum ServingEngine: String, Sendable, CaseIterable, Codable {
  /// vLLM on AWS Trainium and Inferentia.
  case vllmNeuron = "vllm-neuron"
  /// vLLM on NVIDIA GPUs.
  case vllmCUDA = "vllm-cuda"
  /// Foretoken on CPUs, or through PJRT on GPUs and Trainium2.
  case foretoken
}

/// One version of an engine that can be deployed: its image, what it can do, and how it is spoken to.
package struct EngineStack: Sendable, Equatable {
  /// Which conventions its command line follows.
  package enum Dialect: Sendable { case neuronInference, neuronPlugin, cuda, foretoken }

  package let engine: ServingEngine
  /// vLLM's version, or Foretoken's.
  package let version: String
  /// `nil` where none is published.
  package let image: String?
  package let dialect: Dialect
  package let methods: [SpeculationMethod]
  /// In a sentence.
  package let description: String
  /// The PJRT plugin that Foretoken computes with; `nil` for its own kernels.
  package var plugin: String?

  /// The NxD Inference stack: the last that fuses a draft model with the target.
  ///
  /// https://awsdocs-neuron.readthedocs-hosted.com/en/latest/libraries/nxd-inference/tutorials/sd-inference-tutorial.html
  package static let neuronInference = EngineStack(
    engine: .vllmNeuron, version: "0.9.1",
    image: "public.ecr.aws/neuron/pytorch-inference-vllm-neuronx:0.9.1-neuronx-py311-sdk2.26.1-ubuntu22.04",
    dialect: .neuronInference, methods: [.draftModel], description: "vLLM 0.9.1 with NxD Inference (Neuron SDK 2.26.1)")
  /// The plugin of Neuron SDK 2.32; on Trainium2 and later.
  ///
  /// https://awsdocs-neuron.readthedocs-hosted.com/en/latest/vllm-neuron/docs/guides/features-guide.html
  package static let neuronPlugin = EngineStack(
    engine: .vllmNeuron, version: "0.24.0",
    image: "public.ecr.aws/neuron/pytorch-inference-vllm-neuronx:0.24.0.1.1.0-neuronx-py313-sdk2.32.0-ubuntu24.04",
    dialect: .neuronPlugin, methods: [.eagle3, .dflash],
    description: "vLLM 0.24.0 with the vllm-neuron plugin 1.1.0 (Neuron SDK 2.32)")
  /// https://docs.vllm.ai/en/latest/features/speculative_decoding/
  package static let cuda = EngineStack(
    engine: .vllmCUDA, version: "0.24.0", image: "vllm/vllm-openai:v0.24.0", dialect: .cuda,
    methods: [.draftModel, .eagle3, .dflash, .mtp, .ngram], description: "vLLM 0.24.0 on CUDA")
  /// Its image is built from this repository's Dockerfile, by whoever deploys it.
  package static let foretoken = EngineStack(
    engine: .foretoken, version: Engine.version, image: nil, dialect: .foretoken, methods: SpeculationMethod.own,
    description: "Foretoken \(Engine.version) on CPUs")

  /// Foretoken for a machine's accelerators: the Dockerfile's stages of those names; `nil` where it has no plugin for them.
  package static func foretoken(on accelerator: InstanceType.Accelerator) -> EngineStack? {
    let (plugin, devices): (String, String)
    switch accelerator {
    case .none: return foretoken
    case .nvidia: (plugin, devices) = ("cuda", "NVIDIA GPUs")
    case .trainium2: (plugin, devices) = ("neuron", "Trainium2")
    case .trainium1, .inferentia2: return nil
    }
    return EngineStack(
      engine: .foretoken, version: foretoken.version, image: nil, dialect: .foretoken,
      methods: foretoken.methods.filter { $0.need != .head && $0.need != .carriedHead },
      description: "Foretoken \(foretoken.version) on \(devices), through PJRT", plugin: plugin)
  }

  /// All, the one to prefer first.
  package static let all = [neuronPlugin, neuronInference, cuda, foretoken]

  /// Those of an engine.
  package static func stacks(of engine: ServingEngine) -> [EngineStack] { all.filter { $0.engine == engine } }
}

/// Where weights and compiled programs live between pods.
package enum ModelStorage: String, Sendable, CaseIterable, Codable {
  /// A bucket, synchronised to the node's disk.
  case s3
  /// Shared file systems.
  case efs, fsx
  /// A disk of the cluster's storage class, for one node.
  case pvc
  /// Nothing outlives the pod; weights come from the Hugging Face hub each time.
  case emptyDir

  /// Whether a claim is made for it.
  var isVolume: Bool { self == .efs || self == .fsx || self == .pvc }
  /// Whether pods on several nodes can use it.
  var isShared: Bool { self != .pvc }
}

/// How pods get their accelerators.
package enum DeviceAllocation: String, Sendable, CaseIterable, Codable {
  /// Dynamic resource allocation: claims by attribute.
  case dra
  /// A counted resource.
  case devicePlugin = "device-plugin"
}

/// Who starts machines.
package enum NodeProvisioning: String, Sendable, CaseIterable, Codable {
  /// A Karpenter node pool comes with the manifests.
  case karpenter
  /// The nodes are there; pods select them by instance type.
  case nodeGroup = "node-group"
}

/// What scales the replicas.
package enum Autoscaling: String, Sendable, CaseIterable, Codable { case keda, hpa, none }
/// What leads requests to the replicas.
package enum GatewayRouting: String, Sendable, CaseIterable, Codable {
  /// A route to an inference pool, with llm-d's endpoint picker, which knows load and caches.
  case inferencePool = "inference-pool"
  /// A route to the router of vLLM's production-stack, which knows prefixes.
  case productionStack = "production-stack"
  /// A route to the service.
  case httpRoute = "http-route"
  case none
}
/// What collects metrics.
package enum Monitoring: String, Sendable, CaseIterable, Codable {
  case prometheusOperator = "prometheus-operator"
  case none
}

/// A Kubernetes version: 1.34.
package struct KubernetesVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
  package let minor: Int

  /// The first in which what is rendered works: `preStop.sleep` (KEP-3960, on by default since 1.30).
  package static let oldest = KubernetesVersion(minor: 30)

  package init(minor: Int) { self.minor = minor }

  /// Reads `1.34`, `v1.34` or `1.34.2`.
  package init?(_ text: String) {
    let parts = (text.hasPrefix("v") ? text.dropFirst() : text[...]).split(
      separator: ".", omittingEmptySubsequences: false)
    guard (2...3).contains(parts.count), parts[0] == "1", let minor = Int(parts[1]), (20...99).contains(minor),
      parts.count == 2 || Int(parts[2]) != nil
    else { return nil }
    self.minor = minor
  }

  package var description: String { "1.\(minor)" }
  package static func < (a: Self, b: Self) -> Bool { a.minor < b.minor }
}
