internal import ArgumentParser
internal import Decoding
internal import Deployment
internal import Foundation
internal import Presentation

/// Flags about models and engine. Names are vLLM's where it has the thing.
struct DeployServingOptions: ParsableArguments {
  @Option(help: "What computes: \(ServingEngine.allNames).")
  var engine: ServingEngine?

  @Option(help: "Target: ORG/NAME on the hub, or a model directory.")
  var target: String?

  @Option(help: "Draft: ORG/NAME on the hub, or a model directory; a head for eagle3 and dflash.")
  var draft: String?

  @Option(help: "Branch, tag or commit of the target on the hub; of a bucket, the folder below ORG/NAME.")
  var revision: String?

  @Option(help: "The same of the draft.")
  var draftRevision: String?

  @Option(help: "config.json of the target, when its sizes are not known by name.")
  var targetConfig: String?

  @Option(help: "config.json of the draft.")
  var draftConfig: String?

  @Option(help: "How to speculate: \(SpeculationMethod.allNames) (default: by the draft's name).")
  var method: SpeculationMethod?

  @Option(parsing: .unconditional, help: "Tokens to propose per verification.")
  var numSpeculativeTokens: Int?

  @Option(help: "Result of foretoken tune, whose choice of method, draft and window is taken.")
  var fromTuning: String?

  @Option(help: "vLLM's version on Neuron: 0.24.0 (plugin) or 0.9.1 (NxD Inference) (default: what the method needs).")
  var engineVersion: String?

  @Option(help: "Container image in place of the engine's; of foretoken, which publishes none, your own.")
  var image: String?

  @Option(parsing: .unconditional, help: "Longest sequence, prompt and answer together.")
  var maxModelLen: Int?

  @Option(parsing: .unconditional, help: "Requests computed on at one time.")
  var maxNumSeqs: Int?

  @Option(help: "Compiled prefill lengths, such as 128,512,1024 (Neuron).")
  var prefillBuckets: SizeList?

  @Option(help: "Compiled batch sizes, such as 1,2,4 (Neuron).")
  var batchBuckets: SizeList?

  @Flag(help: "The same server without speculation beside it, and a benchmark of both.")
  var withBaseline = false

  func request() throws -> DeploymentRequest? {
    guard let engine, let target else { return nil }
    var request = DeploymentRequest(engine: engine, target: target)
    request.draft = draft
    request.revision = revision
    request.draftRevision = draftRevision
    request.targetConfiguration = targetConfig
    request.draftConfiguration = draftConfig
    request.method = method
    request.window = numSpeculativeTokens
    request.engineVersion = engineVersion
    request.image = image
    request.maximumLength = maxModelLen
    request.maximumSequences = maxNumSeqs
    request.prefillBuckets = prefillBuckets?.sizes
    request.sequenceBuckets = batchBuckets?.sizes
    request.withBaseline = withBaseline
    if let fromTuning {
      guard let data = FileManager.default.contents(atPath: fromTuning) else {
        throw ValidationError(
          "--from-tuning '\(fromTuning)' cannot be read; expected the file that foretoken tune wrote.")
      }
      let choice = try TuningChoice(json: data, name: fromTuning)
      if choice.method == nil { note("The tuner found that speculation does not pay: \(choice.reason)") }
      choice.apply(to: &request)
    }
    return request
  }
}

/// `128,512,1024`.
struct SizeList: ExpressibleByArgument {
  let sizes: [Int]

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.allSatisfy({ $0 != nil }) else { return nil }
    sizes = parts.compactMap { $0 }
  }
}

/// Flags about machines, storage and the cluster.
struct DeployPlaceOptions: ParsableArguments {
  @Option(help: "Machine: trn2.48xlarge, inf2.24xlarge, g6e.12xlarge, m7i.4xlarge … (default: by the engine).")
  var instanceType: String?

  @Option(
    parsing: .unconditional,
    help: "Cores or GPUs that one model is split over (default: the fewest that hold it; at most half a trn2.48xlarge)."
  )
  var tensorParallelSize: Int?

  @Option(
    parsing: .unconditional,
    help: "Stages that a model's layers are divided among, each on machines of its own (vllm-cuda).")
  var pipelineParallelSize: Int?

  @Option(parsing: .unconditional, help: "Replicas of each server.")
  var replicas = 1

  @Option(help: "Where weights and compiled programs are kept: s3, efs, fsx, pvc, or emptyDir (also: hub).")
  var storage: ModelStorage?

  @Option(help: "Bucket for --storage s3.")
  var bucket: String?

  @Option(help: "Storage class of the volume (default: efs-sc, fsx-sc or gp3).")
  var storageClass: String?

  @Option(help: "How pods get devices: \(DeviceAllocation.allNames) (default: dra on Trainium2 from Kubernetes 1.34).")
  var deviceAllocation: DeviceAllocation?

  @Option(help: "Who starts machines: \(NodeProvisioning.allNames) (default: node-group with dra, else karpenter).")
  var nodes: NodeProvisioning?

  @Option(help: "Region of AWS: with it comes a file for eksctl that makes cluster, node group and roles.")
  var region: String?

  @Option(
    help: ArgumentHelp(
      "Availability zones of the cluster, such as us-east-2b,us-east-2a; nodes with devices start in the first.",
      valueName: "zone,zone"))
  var zones: String?

  @Option(help: "Capacity Block for ML to start nodes in: cr-….")
  var capacityBlock: String?

  @Option(parsing: .unconditional, help: "Size of a node's own volume in GiB (default: by the sums).")
  var nodeVolumeSize: Int?

  @Option(help: "Kubernetes version of the cluster, 1.30 or newer.")
  var kubernetesVersion = KubernetesVersion(minor: 34)

  @Option(help: "Namespace.")
  var namespace = "foretoken"

  @Option(help: "The EKS cluster's name, by which Karpenter finds its role and networks.")
  var cluster = "foretoken"

  @Option(help: "Machine image of Karpenter's nodes, with a version.")
  var amiAlias = "al2023@v20260828"

  func fill(_ request: inout DeploymentRequest) throws {
    request.instanceType = instanceType
    request.tensorParallel = tensorParallelSize
    request.stages = pipelineParallelSize
    request.replicas = replicas
    request.storage = storage
    request.bucket = bucket
    request.storageClass = storageClass
    request.allocation = deviceAllocation
    request.nodes = nodes
    request.kubernetes = kubernetesVersion
    request.namespace = namespace
    request.cluster = cluster
    request.machineImage = amiAlias
    request.region = region
    request.zones = zones.map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) } ?? []
    request.capacityBlock = capacityBlock
    request.nodeVolume = nodeVolumeSize
  }
}

/// Flags about what stands around the servers.
struct DeploySurroundingOptions: ParsableArguments {
  @Option(help: "Secret whose key api-key clients must send.")
  var apiKeySecret: String?

  @Option(help: "Secret whose key token is for the Hugging Face hub; it may be absent.")
  var hfTokenSecret = "hugging-face"

  @Option(help: "What scales replicas by waiting requests: \(Autoscaling.allNames).")
  var autoscaling = Autoscaling.keda

  @Option(
    parsing: .unconditional,
    help: "Seconds that the longest answer takes: what pods that must end wait for (default: 0.1 s per token).")
  var longestAnswer: Int?

  @Option(parsing: .unconditional, help: "Most replicas (default: twice --replicas).")
  var maxReplicas: Int?

  @Option(help: "Prometheus that KEDA asks.")
  var prometheus = "http://prometheus-operated.monitoring.svc:9090"

  @Option(help: "What collects metrics: \(Monitoring.allNames).")
  var monitoring = Monitoring.prometheusOperator

  @Option(help: "What leads requests to replicas: \(GatewayRouting.allNames).")
  var routing = GatewayRouting.inferencePool

  @Option(help: "Namespace of the gateway (default: the deployment's own).")
  var gatewayNamespace: String?

  @Option(help: "Helm release of kube-prometheus-stack, whose Prometheus selects by the label release.")
  var prometheusRelease: String?

  @Option(
    parsing: .unconditional, help: ArgumentHelp("Inter-token latency above which an alert fires.", valueName: "ms"))
  var sloItl = 100.0

  @Option(help: "Gateway that the route joins.")
  var gatewayName = "inference-gateway"

  @Option(parsing: .unconditional, help: "The benchmark fails below this ratio of speeds.")
  var minSpeedup = 1.0

  @Option(help: "The benchmark's workload: structured, open-ended, aws-trainium2 or all.")
  var workload = "aws-trainium2"

  @Option(help: "Image with foretoken, for the benchmark (make image); there is no default.")
  var benchmarkImage: String?

  func fill(_ request: inout DeploymentRequest) {
    request.longestAnswer = longestAnswer
    request.apiKeySecret = apiKeySecret
    request.hubTokenSecret = hfTokenSecret
    request.autoscaling = autoscaling
    request.maximumReplicas = maxReplicas
    request.prometheus = prometheus
    request.monitoring = monitoring
    request.routing = routing
    request.gateway = gatewayName
    request.gatewayNamespace = gatewayNamespace
    request.prometheusRelease = prometheusRelease
    request.interTokenObjective = sloItl
    request.minimumSpeedup = minSpeedup
    request.workload = workload
    request.benchmarkImage = benchmarkImage
  }
}

/// Flags of `--check`.
struct DeployCheckOptions: ParsableArguments {
  @Option(
    help: "Check a folder or file with manifests, or - for standard input, and write nothing.", completion: .file())
  var check: String?

  @Option(
    help:
      "Folder with Kubernetes' JSON schemas (make deploy-schemas; default: .build/kubernetes-schemas if it is there).",
    completion: .directory)
  var schemas: String?

  @Option(parsing: .singleValue, help: "Kubernetes version to check against; repeatable (default: 1.34 and 1.37).")
  var against: [KubernetesVersion] = []

  @Option(
    parsing: .singleValue, help: "File or folder with CustomResourceDefinitions to check against; repeatable.",
    completion: .file())
  var crds: [String] = []

  private static let standardFolder = ".build/kubernetes-schemas"

  func run(_ path: String, json: Bool) throws {
    let isThere = FileManager.default.fileExists(atPath: Self.standardFolder)
    let folder = schemas ?? (isThere ? Self.standardFolder : nil)
    let versions = against.isEmpty ? [34, 37].map { KubernetesVersion(minor: $0) } : against
    let check = ManifestCheck(schemas: folder, versions: versions, definitions: crds)
    let report =
      path == "-"
      ? try check.run(
        text: String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self), name: "standard input")
      : try check.run(path)
    if json { try emitJSON(report) } else { DeployText.show(report) }
    if !report.isClean { throw ExitCode.failure }
  }
}
