internal import LoadTesting

// What is given as text, by its grammar; and images, revisions, capacity.

extension Preflight {
  mutating func checkNames() {
    func check(_ what: String, _ text: String?, _ grammar: (String) -> String?) {
      guard let text, let expected = grammar(text) else { return }
      refuse("\(what) is '\(text)'; expected \(expected)")
    }
    check("--namespace", request.namespace, Grammar.namespace)
    check("--hf-token-secret", request.hubTokenSecret, Grammar.subdomain)
    check("--api-key-secret", request.apiKeySecret, Grammar.subdomain)
    check("--gateway-name", request.gateway, Grammar.subdomain)
    check("--gateway-namespace", request.gatewayNamespace, Grammar.label)
    check("--prometheus-release", request.prometheusRelease, Grammar.label)
    if !(request.interTokenObjective > 0 && request.interTokenObjective < 60_000) {
      refuse("--slo-itl is \(request.interTokenObjective); expected milliseconds, more than 0")
    }
    check("--storage-class", request.storageClass, Grammar.subdomain)
    check("--cluster", request.cluster, Grammar.cluster)
    check("--ami-alias", request.machineImage, Grammar.machineImage)
    check("--bucket", request.bucket, Grammar.bucket)
    check("--prometheus", request.prometheus, Grammar.url)
    check("--revision", request.revision, Grammar.revision)
    check("--draft-revision", request.draftRevision, Grammar.revision)
    check("--region", request.region, Grammar.region)
    for zone in request.zones { check("--zones", zone, Grammar.zone) }
    check("--capacity-block", request.capacityBlock, Grammar.capacityReservation)
    let workloads = BuiltInWorkload.allCases.map(\.rawValue) + ["all"]
    if !workloads.contains(request.workload) {
      refuse("--workload is '\(request.workload)'; expected one of \(workloads.joined(separator: ", "))")
    }
    if request.kubernetes < .oldest {
      refuse(
        "--kubernetes-version is \(request.kubernetes); expected \(KubernetesVersion.oldest) or newer: pods sleep before they stop, which came with it"
      )
    }
    if !(1...1000).contains(request.replicas) { refuse("--replicas is \(request.replicas); expected 1 to 1000") }
    if let most = request.maximumReplicas, most < request.replicas || most > 1000 {
      refuse("--max-replicas is \(most); expected \(request.replicas), as --replicas says, to 1000")
    }
    if !request.minimumSpeedup.isFinite || request.minimumSpeedup <= 0 || request.minimumSpeedup > 100 {
      refuse("--min-speedup is \(request.minimumSpeedup); expected a ratio above 0")
    }
    if let volume = request.nodeVolume, !(20...59_000).contains(volume) {
      refuse("--node-volume-size is \(volume); expected 20 to 59000 GiB")
    }
  }

  /// Images that a cluster can pull. Foretoken's is nobody's but yours, so that it has no default.
  mutating func settleImages(_ stack: EngineStack, compares: Bool) -> (String, String?) {
    func check(_ flag: String, _ image: String, isOwn: Bool) {
      let problem = isOwn ? ImageReference.problemOfOwn(image) : ImageReference.problem(image)
      if let problem { refuse("\(flag) '\(image)': \(problem)") }
    }
    func missing(_ flag: String) {
      let accelerator = stack.plugin.map { " ACCELERATOR=\($0)" } ?? ""
      refuse(
        "\(flag) is missing: no image of Foretoken is published. Build one and push it to your registry (make image IMAGE=REGISTRY/foretoken:\(EngineStack.foretoken.version)\(accelerator) PUSH=1), then name it"
      )
    }
    if let image = request.image {
      check("--image", image, isOwn: stack.dialect == .foretoken)
    } else if stack.image == nil {
      missing("--image")
    }
    let image = request.image ?? stack.image ?? ""
    if let image = request.benchmarkImage { check("--benchmark-image", image, isOwn: true) }
    guard compares else { return (image, nil) }
    if stack.dialect == .foretoken { return (image, request.benchmarkImage ?? image) }
    if request.benchmarkImage == nil { missing("--benchmark-image") }
    return (image, request.benchmarkImage)
  }

  /// Weights change under a name; what was compiled or resharded from them does not notice.
  mutating func checkRevisions(_ target: ModelPlace, _ draft: ModelPlace?, _ storage: ModelStorage) {
    for (flag, place) in [("--revision", target), ("--draft-revision", draft)] {
      guard let place else {
        if flag == "--draft-revision", request.draftRevision != nil {
          refuse("--draft-revision without --draft has nothing to choose from")
        }
        continue
      }
      if !place.isOnHub, place.revision != nil, storage != .s3 {
        refuse("\(flag) is for models of the hub or in a bucket, and \(place.name) is a directory")
      } else if place.isOnHub, place.revision == nil, storage != .emptyDir {
        note(
          "without \(flag), \(place.name) is what it was when it was first fetched or uploaded: an update of the weights goes unnoticed"
        )
      }
    }
  }

  /// Reserved capacity, and where the cluster is made.
  mutating func checkCapacity(_ nodes: NodeProvisioning) {
    if request.capacityBlock != nil, nodes == .nodeGroup, request.region == nil {
      refuse("--capacity-block with a node group needs --region, for it goes into eksctl's file")
    }
    guard nodes == .nodeGroup, request.region != nil else { return }
    if request.capacityBlock != nil, request.zones.isEmpty {
      refuse("--capacity-block needs --zones, the block's own first: nodes must start there")
    }
    if let zone = request.zones.first(where: { !$0.hasPrefix(request.region ?? "") }) {
      refuse("--zones has \(zone), and --region is \(request.region ?? ""); expected zones of that region")
    }
    // https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html
    if request.zones.count == 1 || Set(request.zones).count < request.zones.count {
      refuse("--zones is \(request.zones.joined(separator: ",")); expected two at least: a cluster has networks in two")
    }
  }

  /// How long a pod that must end goes on with what it has begun, in seconds.
  ///
  /// By default the longest sequence at 100 ms per token, which is slower than any figure published for these machines.
  mutating func settleLongestAnswer(_ length: Int) -> Int {
    let longest = 3600
    let seconds = request.longestAnswer ?? min(longest, max(60, length / 10))
    if !(1...86_400).contains(seconds) { refuse("--longest-answer is \(seconds); expected 1 to 86400 seconds") }
    line(
      "drain",
      request.longestAnswer == nil
        ? "the longest answer, \(length) tokens × 0.1 s, within 60 and \(longest) s: pods that must end have \(seconds) s for it"
        : "pods that must end have \(seconds) s for the answers they have begun")
    return min(max(1, seconds), 86_400)
  }
}
