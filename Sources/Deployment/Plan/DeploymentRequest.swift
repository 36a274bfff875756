/// What a person asks for; what they leave out has a default that depends on the rest.
package struct DeploymentRequest: Sendable, Equatable {
  package var engine: ServingEngine
  /// ORG/NAME of the hub, or a directory.
  package var target: String
  package var draft: String?
  /// Branch, tag or commit of each on the hub; in a bucket, the folder below the model's.
  package var revision: String?
  package var draftRevision: String?
  /// `config.json` of each, where the name does not tell the sizes.
  package var targetConfiguration: String?
  package var draftConfiguration: String?
  package var method: DeployedMethod?
  /// Tokens proposed per verification.
  package var window: Int?
  /// The window by batch size: `[first, last, window]`.
  package var windowsByBatchSize: [[Int]]?
  /// An engine's version, where several exist.
  package var engineVersion: String?
  package var instanceType: String?
  package var tensorParallel: Int?
  /// Replicas of each server.
  package var replicas = 1
  /// Longest sequence, prompt and answer together.
  package var maximumLength: Int?
  /// Requests computed on at one time.
  package var maximumSequences: Int?
  /// Compiled shapes: prefill tokens, and sequences of a decoding step.
  package var prefillBuckets: [Int]?
  package var sequenceBuckets: [Int]?
  package var storage: ModelStorage?
  /// Of `s3`: the bucket's name.
  package var bucket: String?
  /// Of the volumes: the storage class.
  package var storageClass: String?
  package var allocation: DeviceAllocation?
  package var nodes: NodeProvisioning?
  package var kubernetes = KubernetesVersion(minor: 34)
  /// The same server without speculation beside it, and a benchmark of both.
  package var withBaseline = false
  package var namespace = "foretoken"
  /// Image in place of the engine's. Of Foretoken none is published, so that it must be named.
  package var image: String?
  /// Image with Foretoken, for the benchmark of another engine's servers.
  package var benchmarkImage: String?
  /// The cluster's name, by which Karpenter finds subnets and roles.
  package var cluster = "foretoken"
  /// Where the cluster is made: with it comes a file for eksctl.
  package var region: String?
  /// Its availability zones; nodes with devices start in the first.
  package var zones: [String] = []
  /// The reservation of a Capacity Block for ML to start nodes in.
  package var capacityBlock: String?
  /// Size of the nodes' own volume in GiB, where not as the sums say.
  package var nodeVolume: Int?
  /// How long the longest answer takes, in seconds: what a pod that must end waits for.
  package var longestAnswer: Int?
  /// The machine image of Karpenter's nodes, as an alias with a version.
  package var machineImage = "al2023@v20260828"
  /// A secret with the key `api-key` that clients must send.
  package var apiKeySecret: String?
  /// A secret with the key `token` for the Hugging Face hub.
  package var hubTokenSecret = "hugging-face"
  package var autoscaling = Autoscaling.keda
  package var maximumReplicas: Int?
  package var monitoring = Monitoring.prometheusOperator
  /// Where KEDA asks.
  package var prometheus = "http://prometheus-operated.monitoring.svc:9090"
  package var routing = GatewayRouting.inferencePool
  package var gateway = "inference-gateway"
  /// Where the gateway is, if not in the deployment's own namespace.
  package var gatewayNamespace: String?
  /// The Helm release of kube-prometheus-stack, by whose name it selects what it watches.
  package var prometheusRelease: String?
  /// In milliseconds: above it an alert fires.
  package var interTokenObjective = 100.0
  /// The least ratio of speeds at which the benchmark succeeds.
  package var minimumSpeedup = 1.0
  /// What the benchmark sends.
  package var workload = "aws-trainium2"

  /// What the engine is told beyond that.
  package var extras = EngineExtras()
  /// Stages that a model's layers are divided among, each on machines of its own.
  package var stages: Int?
  /// The deployment's name in the cluster, in place of the model's.
  package var name: String?
  /// A server of another deployment, beside which this one gets a share of the requests.
  package var beside: String?
  /// That share, in percent.
  package var share = 10
  /// What an hour of a whole machine costs, in US dollars, where not as the table of instances says.
  package var pricePerHour: Double?
  /// Whether the benchmark fails on answers that differ; `nil` leaves it to what the engine promises.
  package var requiresEqualOutputs: Bool?
  /// Drafts and windows to try, in place of one pair of servers.
  package var sweep: SweepRequest?

  package init(engine: ServingEngine, target: String) {
    self.engine = engine
    self.target = target
  }
}
