internal import JSON

// Rules without which pods are accepted by a cluster and then do not start, or do not finish. Each has its reason in
// docs/deployment.md.

extension Policy {
  /// What runs in a pod, as far as these rules ask.
  private struct Program {
    let container: JSONValue
    let path: String

    var words: [String] { ["command", "args"].flatMap { container[$0]?.elements ?? [] }.compactMap(\.string) }
    /// vLLM with the plugin of Neuron SDK 2.31 and later, by its own flag.
    var isPlugin: Bool { words.contains("vllm") && words.contains("--additional-config") }
    /// vLLM 0.9.1 with NxD Inference, by its own flag.
    var isNeuronInference: Bool { words.contains("vllm") && words.contains("--override-neuron-config") }
    var keeps: String? {
      guard let mark = words.firstIndex(of: "--mark-complete"), mark + 1 < words.count else { return nil }
      return words[mark + 1]
    }

    func flag(_ name: String) -> String? {
      words.firstIndex(of: name).flatMap { $0 + 1 < words.count ? words[$0 + 1] : nil }
    }

    func variable(_ name: String) -> JSONValue? {
      container["env"]?.elements.first { $0["name"]?.string == name }
    }

    func value(_ name: String) -> String? { variable(name)?["value"]?.string }

    /// Whether a folder lies where the container can write.
    func canWrite(_ folder: String) -> Bool {
      if container["securityContext", "readOnlyRootFilesystem"]?.bool != true { return true }
      return (container["volumeMounts"]?.elements ?? []).contains { mount in
        guard let place = mount["mountPath"]?.string, mount["readOnly"]?.bool != true else { return false }
        return folder == place || folder.hasPrefix(place.hasSuffix("/") ? place : place + "/")
      }
    }
  }

  private static let neuron = "aws.amazon.com/neuron"

  /// Rules about a pod of a workload.
  mutating func checkStart(_ pod: JSONValue, _ path: String) {
    let programs = ["initContainers", "containers"].flatMap { list in
      (pod[list]?.elements ?? []).enumerated().map { Program(container: $1, path: "\(path).\(list)[\($0)]") }
    }
    for program in programs {
      checkUser(program, pod)
      checkExpansion(program)
      checkCaches(program)
      checkFlags(program)
    }
    checkKept(programs)
    checkDisk(pod, path)
    checkDevices(programs, pod, path)
  }

  /// PyTorch asks for the user's name, and images have none for the user that pods run as.
  private mutating func checkUser(_ program: Program, _ pod: JSONValue) {
    let user = program.container["securityContext", "runAsUser"] ?? pod["securityContext", "runAsUser"]
    guard user != nil, program.variable("USER") == nil else { return }
    find(
      "\(program.path).env", "no USER, for user \(user?.shown ?? "")",
      "USER and LOGNAME, for the image may have no entry for that user in /etc/passwd")
  }

  /// `$(NAME)` in commands is replaced by the variable, a secret perhaps, which then stands in the process list.
  private mutating func checkExpansion(_ program: Program) {
    for (list, words) in [("command", program.container["command"]), ("args", program.container["args"])] {
      for (index, word) in (words?.elements ?? []).enumerated() {
        if let text = word.string, text.replacing("$$", with: "").contains("$(") {
          find("\(program.path).\(list)[\(index)]", "'\(text)', which Kubernetes expands", "$$( for a literal $(")
        }
      }
    }
  }

  /// What is compiled must be written where there is room and where it is kept.
  private mutating func checkCaches(_ program: Program) {
    guard program.isPlugin || program.isNeuronInference else { return }
    func folder(_ name: String, _ reason: String) {
      guard let value = program.value(name) else {
        return find("\(program.path).env[\(name)]", "nothing", "a folder on a volume: \(reason)")
      }
      if !program.canWrite(value) {
        find("\(program.path).env[\(name)]", "'\(value)', which is on no volume", "a folder on a volume: \(reason)")
      }
    }
    if program.isPlugin {
      folder("VLLM_CACHE_ROOT", "the plugin compiles into it")
      let asksForAdapters = program.container["resources", "requests", "vpc.amazonaws.com/efa"] != nil
      if !asksForAdapters, program.value("NEURON_SKIP_EFA_AFFINITY") != "1" {
        find(
          "\(program.path).env[NEURON_SKIP_EFA_AFFINITY]",
          program.value("NEURON_SKIP_EFA_AFFINITY").map { "'\($0)'" } ?? "nothing",
          "'1', for the container has no network adapter of EFA")
      }
    } else {
      folder("NEURON_COMPILED_ARTIFACTS", "NxD Inference compiles into it")
    }
    folder("NEURON_COMPILE_CACHE_URL", "its default is /var/tmp/neuron-compile-cache")
  }

  /// Command lines with which a server does not start, or starts with other weights than are named.
  private mutating func checkFlags(_ program: Program) {
    if program.isPlugin, !program.words.contains("--no-enable-prefix-caching"),
      let batched = program.flag("--max-num-batched-tokens").flatMap({ Int($0) }),
      let length = program.flag("--max-model-len").flatMap({ Int($0) }), batched >= length
    {
      find(
        "\(program.path).args", "--max-num-batched-tokens \(batched), all of --max-model-len, with a prefix cache",
        "--no-enable-prefix-caching")
    }
    if program.isNeuronInference, let model = program.flag("serve"), !model.hasPrefix("/") {
      find(
        "\(program.path).args", "'\(model)', a name of the hub",
        "a folder: NxD Inference saves a hub's model again in float32, and knows no revisions")
    }
  }

  /// What a Job keeps must be what its program writes.
  private mutating func checkKept(_ programs: [Program]) {
    for keeper in programs {
      guard let kept = keeper.keeps else { continue }
      for program in programs where program.isPlugin || program.isNeuronInference {
        let name = program.isPlugin ? "VLLM_CACHE_ROOT" : "NEURON_COMPILED_ARTIFACTS"
        guard let written = program.value(name), written != kept else { continue }
        find(
          "\(keeper.path).args", "'\(kept)' is kept, and the server compiles into '\(written)' (\(name))",
          "the same folder")
      }
    }
  }

  /// A pod that writes more than it asked for is evicted.
  private mutating func checkDisk(_ pod: JSONValue, _ path: String) {
    var room = 0.0
    for (index, volume) in (pod["volumes"]?.elements ?? []).enumerated() {
      guard let folder = volume["emptyDir"], folder["medium"]?.string != "Memory" else { continue }
      guard let limit = folder["sizeLimit"]?.string.flatMap(Grammar.quantity) else {
        find("\(path).volumes[\(index)].emptyDir.sizeLimit", folder["sizeLimit"]?.shown ?? "nothing", "an amount")
        continue
      }
      room += limit
    }
    let asked = Self.disk(pod)
    if room > asked {
      find(
        "\(path).containers[0].resources.requests.ephemeral-storage", gib(asked),
        "at least \(gib(room)), the sizes of the pod's folders on the node's disk")
    }
  }

  /// What a pod asks for: its containers together, or the most of one that runs before them.
  fileprivate static func disk(_ pod: JSONValue) -> Double { amount("ephemeral-storage", pod) }

  private static func amount(_ resource: String, _ pod: JSONValue) -> Double {
    func amounts(_ list: String) -> [Double] {
      (pod[list]?.elements ?? []).map {
        $0["resources", "requests", resource].flatMap { $0.string ?? $0.wholeNumber.map(String.init) }.flatMap(
          Grammar.quantity)
          ?? 0
      }
    }
    return max(amounts("containers").reduce(0, +), amounts("initContainers").max() ?? 0)
  }

  /// Some of a machine's devices must be connected, which the standard scheduler does not see.
  private mutating func checkDevices(_ programs: [Program], _ pod: JSONValue, _ path: String) {
    // A quantity may be as large as 10^99.
    let count = Int(min(Self.amount(Self.neuron, pod), 1e6))
    if count > 0, pod["resourceClaims"] != nil {
      find("\(path).resourceClaims", "claims beside \(Self.neuron)", "devices by claims or counted, never both")
    }
    if (2..<16).contains(count), pod["schedulerName"]?.string == nil {
      find(
        "\(path).schedulerName", "nothing, for \(count) devices",
        "my-scheduler, Neuron's scheduler, which finds connected ones")
    }
  }

  /// Rules about nodes, and about all documents together.
  static func start(_ documents: [ManifestReader.Document]) -> [ManifestFinding] {
    allocation(documents) + capacity(documents) + nodeDisks(documents) + identities(documents)
  }

  private static func pods(_ documents: [ManifestReader.Document]) -> [(ManifestReader.Document, JSONValue)] {
    documents.compactMap { document in document.value["spec", "template", "spec"].map { (document, $0) } }
  }

  private static func finding(
    _ document: ManifestReader.Document, _ path: String, _ found: String, _ expected: String
  ) -> ManifestFinding {
    ManifestFinding(document, path: path, found: found, expected: expected, rule: "policy")
  }

  private static func allocation(_ documents: [ManifestReader.Document]) -> [ManifestFinding] {
    guard let claims = documents.first(where: { $0.kind == "ResourceClaimTemplate" }) else { return [] }
    return pods(documents).filter { amount(neuron, $0.1) > 0 }.map { document, _ in
      finding(
        document, "spec.template.spec", "\(neuron), beside \(claims.kind)/\(claims.name) of these manifests",
        "one way to get devices: the DRA driver and the device plugin exclude each other")
    }
  }

  /// Reserved capacity is used where it is named, and nowhere else.
  private static func capacity(_ documents: [ManifestReader.Document]) -> [ManifestFinding] {
    var findings: [ManifestFinding] = []
    let classes = Dictionary(
      documents.filter { $0.kind == "EC2NodeClass" }.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    for pool in documents where pool.kind == "NodePool" {
      let spec = pool.value["spec", "template", "spec"]
      let types = (spec?["requirements"]?.elements ?? []).first { $0["key"]?.string == "karpenter.sh/capacity-type" }
      let isReserved = types?["values"]?.elements.contains(.string("reserved")) ?? false
      guard isReserved, let name = spec?["nodeClassRef", "name"]?.string, let nodeClass = classes[name],
        nodeClass.value["spec", "capacityReservationSelectorTerms"]?.elements.isEmpty ?? true
      else { continue }
      findings.append(
        finding(
          nodeClass, "spec.capacityReservationSelectorTerms", "nothing, and NodePool/\(pool.name) asks for 'reserved'",
          "the reservation's id"))
    }
    for cluster in documents where cluster.kind == "ClusterConfig" {
      for (index, group) in nodeGroups(cluster) {
        let reservation = group["capacityReservation", "capacityReservationTarget"]
        let place = "managedNodeGroups[\(index)]"
        if group["instanceMarketOptions"] != nil, reservation == nil {
          findings.append(
            finding(cluster, "\(place).capacityReservation", "nothing, with instanceMarketOptions", "the block's id"))
        }
        if group["instanceMarketOptions"] != nil, group["availabilityZones"]?.elements.count != 1 {
          findings.append(
            finding(
              cluster, "\(place).availabilityZones", group["availabilityZones"]?.shown ?? "nothing",
              "the zone of the Capacity Block alone"))
        }
      }
    }
    return findings
  }

  private static func nodeGroups(_ cluster: ManifestReader.Document) -> [(Int, JSONValue)] {
    Array((cluster.value["managedNodeGroups"]?.elements ?? []).enumerated()).map { ($0.offset, $0.element) }
  }

  /// A node's disk holds the largest pod that may come to it, and what the node needs for itself.
  private static func nodeDisks(_ documents: [ManifestReader.Document]) -> [ManifestFinding] {
    func largest(_ label: String, _ value: String) -> (String, Double)? {
      pods(documents).filter { $0.1["nodeSelector"]?.object?[label] == .string(value) }
        .map { ($0.0.name, disk($0.1)) }.max { $0.1 < $1.1 }
    }
    func check(
      _ document: ManifestReader.Document, _ path: String, _ size: Double?, _ pod: (String, Double)?
    )
      -> ManifestFinding?
    {
      guard let size, let pod, size * DiskBudget.usable < pod.1 else { return nil }
      return finding(
        document, path, gib(size), "more than \(gib(pod.1 / DiskBudget.usable)), for \(pod.0) asks for \(gib(pod.1))")
    }
    var findings: [ManifestFinding?] = []
    for pool in documents where pool.kind == "NodePool" {
      let template = pool.value["spec", "template"]
      guard let label = template?["metadata", "labels", "foretoken.dev/pool"]?.string,
        let nodeClass = documents.first(where: {
          $0.kind == "EC2NodeClass" && $0.name == template?["spec", "nodeClassRef", "name"]?.string
        }), nodeClass.value["spec", "instanceStorePolicy"]?.string == nil
      else { continue }
      let size = nodeClass.value["spec", "blockDeviceMappings"]?.elements.first?["ebs", "volumeSize"]?.string
      findings.append(
        check(
          nodeClass, "spec.blockDeviceMappings[0].ebs.volumeSize", size.flatMap(Grammar.quantity),
          largest("foretoken.dev/pool", label)))
    }
    for cluster in documents where cluster.kind == "ClusterConfig" {
      for (index, group) in nodeGroups(cluster) {
        guard let type = group["instanceType"]?.string,
          !(group["overrideBootstrapCommand"]?.string ?? "").contains("strategy: RAID0")
        else { continue }
        let size = group["volumeSize"]?.wholeNumber.map { Double($0) * MemoryBudget.gibibyte }
        findings.append(
          check(
            cluster, "managedNodeGroups[\(index)].volumeSize", size,
            largest("node.kubernetes.io/instance-type", type)))
      }
    }
    return findings.compactMap { $0 }
  }

  /// Pods that use a bucket have an identity, and the agent that hands it out.
  private static func identities(_ documents: [ManifestReader.Document]) -> [ManifestFinding] {
    guard let cluster = documents.first(where: { $0.kind == "ClusterConfig" }) else { return [] }
    let associations = cluster.value["iam", "podIdentityAssociations"]?.elements ?? []
    var findings: [ManifestFinding] = []
    let addons = cluster.value["addons"]?.elements.compactMap { $0["name"]?.string } ?? []
    if !associations.isEmpty, !addons.contains("eks-pod-identity-agent") {
      findings.append(
        finding(cluster, "addons", "no eks-pod-identity-agent", "it, for it hands out the pods' credentials"))
    }
    var seen = Set<String>()
    for (document, pod) in pods(documents) {
      let words = ["initContainers", "containers"].flatMap { pod[$0]?.elements ?? [] }.flatMap {
        $0["args"]?.elements ?? []
      }
      guard words.contains(where: { ($0.string ?? "").hasPrefix("s3://") }),
        let account = pod["serviceAccountName"]?.string,
        let namespace = document.value["metadata", "namespace"]?.string, seen.insert(account).inserted,
        !associations.contains(where: {
          $0["serviceAccountName"]?.string == account && $0["namespace"]?.string == namespace
        })
      else { continue }
      findings.append(
        finding(
          cluster, "iam.podIdentityAssociations", "none for \(namespace)/\(account), which uses a bucket",
          "a role that may read and write it"))
    }
    return findings
  }
}
