internal import JSON

/// Rules that no schema knows: what a manifest must say to be let near a cluster.
struct Policy {
  let document: ManifestReader.Document
  private(set) var findings: [ManifestFinding] = []

  static func findings(in documents: [ManifestReader.Document]) -> [ManifestFinding] {
    documents.flatMap { document in
      var policy = Policy(document: document)
      policy.check()
      return policy.findings
    } + together(documents) + start(documents)
  }

  private init(document: ManifestReader.Document) { self.document = document }

  mutating func find(_ path: String, _ found: String, _ expected: String) {
    findings.append(ManifestFinding(document, path: path, found: found, expected: expected, rule: "policy"))
  }

  private mutating func check() {
    let kind = document.kind
    if kind == "Secret" { find("kind", "a Secret in the manifests", "secrets by reference only") }
    if kind == "EC2NodeClass" { checkMachineImages() }
    guard ["Deployment", "StatefulSet", "DaemonSet", "Job"].contains(kind) else { return }
    let path = "spec.template.spec"
    guard let pod = document.value["spec", "template", "spec"] else { return }
    checkPod(pod, path)
    checkStart(pod, path)
    for list in ["initContainers", "containers"] {
      for (index, container) in (pod[list]?.elements ?? []).enumerated() {
        let place = "\(path).\(list)[\(index)]"
        checkContainer(container, place)
        if kind != "Job", list == "containers" { checkProbes(container, place) }
      }
    }
    if kind == "Job" { checkJob() }
    let replicas = document.value["spec", "replicas"]?.wholeNumber ?? 1
    if kind == "Deployment", replicas > 1, pod["topologySpreadConstraints"]?.elements.isEmpty ?? true {
      find("\(path).topologySpreadConstraints", "none for \(replicas) replicas", "replicas spread over machines")
    }
  }

  private mutating func checkMachineImages() {
    for (index, term) in (document.value["spec", "amiSelectorTerms"]?.elements ?? []).enumerated() {
      if let alias = term["alias"]?.string, alias.hasSuffix("@latest") {
        find("spec.amiSelectorTerms[\(index)].alias", "'\(alias)'", "a version, such as al2023@v20260828")
      }
    }
  }

  private mutating func checkPod(_ pod: JSONValue, _ path: String) {
    let context = pod["securityContext"]
    if context?["runAsNonRoot"]?.bool != true {
      find("\(path).securityContext.runAsNonRoot", context?["runAsNonRoot"]?.shown ?? "nothing", "true")
    }
    if context?["runAsUser"]?.wholeNumber == 0 {
      find("\(path).securityContext.runAsUser", "0, which is root", "another user")
    }
    if context?["seccompProfile", "type"]?.string == nil {
      find("\(path).securityContext.seccompProfile", "nothing", "RuntimeDefault")
    }
    for field in ["hostNetwork", "hostPID", "hostIPC"] where pod[field]?.bool == true {
      find("\(path).\(field)", "true", "pods apart from their machine")
    }
    for (index, volume) in (pod["volumes"]?.elements ?? []).enumerated() where volume["hostPath"] != nil {
      find("\(path).volumes[\(index)]", "a folder of the machine (hostPath)", "emptyDir or a claim")
    }
  }

  private mutating func checkContainer(_ container: JSONValue, _ path: String) {
    let image = container["image"]?.string ?? ""
    if let problem = ImageReference.problem(image) {
      find("\(path).image", "'\(image)', which \(problem)", "a version's tag or a digest")
    }
    let context = container["securityContext"]
    let wanted = [("allowPrivilegeEscalation", false), ("readOnlyRootFilesystem", true)]
    for (field, expected) in wanted where context?[field]?.bool != expected {
      find("\(path).securityContext.\(field)", context?[field]?.shown ?? "nothing", "\(expected)")
    }
    if context?["privileged"]?.bool == true { find("\(path).securityContext.privileged", "true", "false") }
    if context?["runAsUser"]?.wholeNumber == 0 {
      find("\(path).securityContext.runAsUser", "0, which is root", "another user")
    }
    if !(context?["capabilities", "drop"]?.elements.contains(.string("ALL")) ?? false) {
      find("\(path).securityContext.capabilities.drop", "not ALL", "ALL")
    }
    for (list, resource) in [("requests", "cpu"), ("requests", "memory"), ("limits", "memory")]
    where container["resources", list, resource] == nil {
      find("\(path).resources.\(list).\(resource)", "nothing", "an amount")
    }
    for variable in container["env"]?.elements ?? [] {
      let name = variable["name"]?.string ?? ""
      if Self.looksSecret(name), variable["value"] != nil {
        find("\(path).env[\(name)].value", "a value in the manifest", "valueFrom.secretKeyRef")
      }
    }
  }

  private static func looksSecret(_ name: String) -> Bool {
    let words = name.uppercased().split(separator: "_")
    return words.contains { ["TOKEN", "PASSWORD", "SECRET", "CREDENTIALS"].contains($0) }
      || name.uppercased().hasSuffix("API_KEY") || name.uppercased().hasSuffix("ACCESS_KEY")
  }

  private mutating func checkProbes(_ container: JSONValue, _ path: String) {
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] where container[probe]?.object == nil {
      find("\(path).\(probe)", "nothing", "a probe")
    }
  }

  private mutating func checkJob() {
    for field in ["backoffLimit", "activeDeadlineSeconds"] where document.value["spec", field] == nil {
      find("spec.\(field)", "nothing", "a limit, so that a failing job ends")
    }
    if document.value["spec", "template", "spec", "restartPolicy"]?.string == nil {
      find("spec.template.spec.restartPolicy", "nothing", "Never or OnFailure")
    }
  }

  /// Rules about all documents: what runs has a network policy, and what serves a disruption budget.
  private static func together(_ documents: [ManifestReader.Document]) -> [ManifestFinding] {
    func namespace(_ document: ManifestReader.Document) -> String {
      document.value["metadata", "namespace"]?.string ?? "default"
    }
    let guarded = Set(documents.filter { $0.kind == "NetworkPolicy" }.map(namespace))
    let budgets = documents.filter { $0.kind == "PodDisruptionBudget" }
    var findings: [ManifestFinding] = []
    for document in documents where ["Deployment", "StatefulSet", "Job"].contains(document.kind) {
      if !guarded.contains(namespace(document)) {
        findings.append(
          ManifestFinding(
            document, path: "metadata.namespace", found: "'\(namespace(document))' without a NetworkPolicy",
            expected: "a NetworkPolicy in the same namespace", rule: "policy"))
      }
      guard document.kind == "Deployment" else { continue }
      let labels = document.value["spec", "template", "metadata", "labels"]?.object
      let covered = budgets.contains { budget in
        let selector = budget.value["spec", "selector", "matchLabels"]?.object?.pairs ?? []
        return namespace(budget) == namespace(document) && selector.allSatisfy { labels?[$0.key] == $0.value }
      }
      if !covered {
        findings.append(
          ManifestFinding(
            document, path: "spec.template.metadata.labels", found: "no PodDisruptionBudget selects these pods",
            expected: "one that does", rule: "policy"))
      }
    }
    return findings
  }
}
