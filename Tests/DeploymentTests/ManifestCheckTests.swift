import Decoding
import Foundation
import JSON
import TestSupport
import Testing
import Yams

import Deployment

/// The check finds what is wrong, and says where.
struct ManifestCheckTests {
  private func stream() throws -> String {
    var request = Combination(engine: .vllmNeuron, method: .draftModel, storage: .s3, allocation: .devicePlugin).request
    request.replicas = 2
    return try Bundle.stream(try ManifestBuilder(try DeploymentPlan(request)).manifests())
  }

  private func findings(_ text: String, schemas: Bool = false) throws -> [ManifestFinding] {
    let check = ManifestCheck(
      schemas: schemas ? Schemas.folder : nil, versions: [KubernetesVersion(minor: 34)])
    return try check.run(text: text, name: "test.yaml").findings
  }

  /// All files of a deployment in one stream, those for a cluster among them.
  private func everything(_ plan: DeploymentPlan) throws -> String {
    let files = try Bundle(plan, format: .kustomize).files.filter { $0.path.hasSuffix(".yaml") }
    return YAMLText.join(files.map(\.text))
  }

  /// A change to what was rendered for the plugin, with devices counted or claimed, and what must be said of it.
  private static let starts: [(DeviceAllocation, String, String, String)] = [
    (.dra, "        - name: USER\n          value: foretoken\n", "", "no USER, for user 10001"),
    (.dra, "VLLM_CACHE_ROOT\n          value: /local/compiled", "OTHER\n          value: x", "VLLM_CACHE_ROOT"),
    (.dra, "CACHE_ROOT\n          value: /local/compiled", "CACHE_ROOT\n          value: /root", "is on no volume"),
    (
      .dra, "CACHE_ROOT\n          value: /local/compiled", "CACHE_ROOT\n          value: /local/vllm",
      "'/local/compiled' is kept"
    ),
    (.dra, "EFA_AFFINITY\n          value: '1'", "EFA_AFFINITY\n          value: '0'", "EFA"),
    (.dra, "NEURON_COMPILE_CACHE_URL", "NEURON_COMPILE_CACHE", "NEURON_COMPILE_CACHE_URL"),
    (.dra, "          sizeLimit: 50Gi", "          sizeLimit: 5000Gi", "requests.ephemeral-storage"),
    (.dra, "          sizeLimit: 50Gi", "          medium: ''", "emptyDir.sizeLimit"),
    (.dra, "- --no-enable-prefix-caching", "- $(HF_TOKEN)", "which Kubernetes expands"),
    (.dra, "        - --no-enable-prefix-caching\n", "", "with a prefix cache"),
    (.devicePlugin, "      schedulerName: my-scheduler\n", "", "Neuron's scheduler"),
    (.devicePlugin, "kind: PersistentVolumeClaim", "kind: ResourceClaimTemplate", "exclude each other"),
    (.devicePlugin, "instanceStorePolicy: RAID0", "tags: {a: b}", "spec.blockDeviceMappings[0].ebs.volumeSize"),
    (.devicePlugin, "        - on-demand", "        - reserved", "capacityReservationSelectorTerms"),
    (.dra, "strategy: RAID0", "strategy: Mount", "managedNodeGroups[1].volumeSize"),
    (.dra, "  - us-east-2b\n  cap", "  - us-east-2b\n  - us-east-2c\n  cap", "managedNodeGroups[1].availabilityZones"),
    (.dra, "capacityReservationID:", "id:", "unknown field 'id'"),
    (.dra, "capacityReservationTarget:", "capacityReservationTargets:", "managedNodeGroups[1].capacityReservation"),
    (.dra, "- name: eks-pod-identity-agent\n", "", "eks-pod-identity-agent"),
    (.dra, "    serviceAccountName: qwen3-32b\nkind", "    serviceAccountName: x\nkind", "podIdentityAssociations"),
    (.dra, "marketType: capacity-block", "marketType: spot", "marketType"),
  ]

  @Test(arguments: starts.indices)
  func `what would not start or finish is found where it is`(index: Int) throws {
    let (allocation, old, new, expected) = Self.starts[index]
    var request = Combination(engine: .vllmNeuron, method: .eagle3, storage: .s3, allocation: allocation).request
    if expected == "exclude each other" { (request.storage, request.bucket) = (.pvc, nil) }
    (request.region, request.zones) = ("us-east-2", ["us-east-2b", "us-east-2a"])
    if allocation == .dra { request.capacityBlock = "cr-0123456789abcdef0" }
    let text = try everything(try DeploymentPlan(request))
    #expect(try findings(text) == [])
    let changed = text.replacing(old, with: new)
    #expect(changed != text, "'\(old)' is not in what was rendered")
    do {
      let found = try findings(changed)
      #expect(found.contains { $0.description.contains(expected) }, "\(found)")
    } catch let error as DeploymentError { Issue.record("\(error)") }
  }

  /// A change to what was rendered, and what must be said of it.
  private static let damage: [(String, String, String)] = [
    (":0.9.1-neuronx-py311-sdk2.26.1-ubuntu22.04", ":latest", "spec.template.spec.containers[0].image"),
    (":0.9.1-neuronx-py311-sdk2.26.1-ubuntu22.04", "", "neither a tag nor a digest"),
    ("runAsNonRoot: true", "runAsNonRoot: false", "securityContext.runAsNonRoot"),
    ("runAsUser: 10001", "runAsUser: 0", "which is root"),
    ("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "readOnlyRootFilesystem"),
    ("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", "allowPrivilegeEscalation"),
    ("          limits:\n", "          bounds:\n", "resources.limits.memory"),
    ("readinessProbe:", "readyProbe:", "readinessProbe"),
    ("kind: NetworkPolicy", "kind: NetworkPolice", "NetworkPolicy"),
    ("kind: PodDisruptionBudget", "kind: PodDisruption", "PodDisruptionBudget"),
    ("backoffLimit: 0", "backingOff: 0", "spec.backoffLimit"),
    ("topologySpreadConstraints:", "topology:", "topologySpreadConstraints"),
    ("seccompProfile:", "seccomp:", "seccompProfile"),
    ("/local/models/Qwen/Qwen3-32B\n        - --host", "Qwen/Qwen3-32B\n        - --host", "a name of the hub"),
    ("alias: al2023@v20260828", "alias: al2023@latest", "amiSelectorTerms[0].alias"),
    ("consolidationPolicy: WhenEmpty", "consolidationPolicy: Always", "spec.disruption.consolidationPolicy"),
    ("instanceStorePolicy: RAID0", "instanceStoragePolicy: RAID0", "unknown field 'instanceStoragePolicy'"),
    ("targetPorts:", "ports:", "targetPorts"),
    (
      "      - name: VLLM_USE_V1\n          value: '0'", "      - name: HF_TOKEN\n          value: 'hf_abc'",
      "env[HF_TOKEN].value"
    ),
  ]

  @Test(arguments: damage.indices)
  func `damage is found where it is`(index: Int) throws {
    let (old, new, expected) = Self.damage[index]
    let text = try stream()
    let changed = text.replacing(old, with: new)
    #expect(changed != text, "'\(old)' is not in what was rendered")
    let found = try findings(changed)
    #expect(found.contains { $0.description.contains(expected) }, "\(found)")
  }

  @Test(.enabled(if: Schemas.folder != nil, "Kubernetes' schemas are not here: make deploy-schemas"))
  func `schemas find misspelt fields, wrong types and missing ones`() throws {
    let text = try stream()
    #expect(try findings(text, schemas: true) == [])
    for (old, new, expected) in [
      ("terminationGracePeriodSeconds: 142", "terminationGracePeriod: 142", "unknown field 'terminationGracePeriod'"),
      ("maxUnavailable: 1\n  selector", "maxUnavailable: [1]\n  selector", "maxUnavailable"),
      ("periodSeconds: 15", "periodSeconds: soon", "periodSeconds: found 'soon'; expected integer"),
      ("apiVersion: policy/v1", "apiVersion: policy/v9", "no schema"),
    ] {
      let changed = text.replacing(old, with: new)
      #expect(changed != text, "'\(old)'")
      #expect(try findings(changed, schemas: true).contains { $0.description.contains(expected) }, "\(expected)")
    }
  }

  @Test func `the validator knows the keywords that occur`() throws {
    func check(_ value: String, _ schema: String) throws -> [SchemaValidator.Mismatch] {
      let validator = SchemaValidator(
        definitions: JSONObject([("Port", ["type": "integer", "minimum": 1, "maximum": 65535] as JSONValue)]),
        isStrict: false)
      return validator.mismatches(
        of: try JSONValue.json(Data(value.utf8), name: "v"), with: try JSONValue.json(Data(schema.utf8), name: "s"))
    }
    let cases: [(String, String, Int)] = [
      ("1", #"{"type": "integer"}"#, 0), ("1.5", #"{"type": "integer"}"#, 1), ("1", #"{"type": "number"}"#, 0),
      ("null", #"{"type": ["string", "null"]}"#, 0), (#""a""#, #"{"enum": ["a", "b"]}"#, 0),
      (#""c""#, #"{"enum": ["a", "b"]}"#, 1), (#""abc""#, #"{"pattern": "^a+$"}"#, 1),
      (#""aaa""#, #"{"pattern": "^a+$", "maxLength": 3}"#, 0), (#""aaaa""#, #"{"maxLength": 3}"#, 1),
      ("0", #"{"$ref": "/x.json#/$defs/Port"}"#, 1), ("80", ##"{"$ref": "#/definitions/Port"}"##, 0),
      ("80", ##"{"$ref": "#/definitions/None"}"##, 1),
      ("[1, 2]", #"{"type": "array", "items": {"type": "string"}}"#, 2),
      ("[]", #"{"minItems": 1}"#, 1), (#"{"a": 1}"#, #"{"required": ["b"], "properties": {"a": {}}}"#, 1),
      (#"{"a": 1}"#, #"{"properties": {"b": {}}, "additionalProperties": false}"#, 1),
      (#"{"a": 1}"#, #"{"additionalProperties": {"type": "string"}}"#, 1),
      (#""50%""#, #"{"x-kubernetes-int-or-string": true}"#, 0), ("[]", #"{"format": "int-or-string"}"#, 1),
      ("1", #"{"oneOf": [{"type": "string"}, {"type": "integer"}]}"#, 0),
      ("1", #"{"oneOf": [{"type": "number"}, {"type": "integer"}]}"#, 1),
      ("true", #"{"anyOf": [{"type": "string"}, {"type": "integer"}]}"#, 1),
      ("5", #"{"allOf": [{"minimum": 6}, {"maximum": 4}]}"#, 2),
    ]
    for (value, schema, count) in cases { #expect(try check(value, schema).count == count, "\(value) \(schema)") }
  }

  @Test func `definitions from a cluster take the place of those that come along`() throws {
    let directory = try TemporaryDirectory()
    let definition = """
      apiVersion: apiextensions.k8s.io/v1
      kind: CustomResourceDefinition
      metadata: {name: scaledobjects.keda.sh}
      spec:
        group: keda.sh
        names: {kind: ScaledObject}
        versions:
        - name: v1alpha1
          schema:
            openAPIV3Schema:
              type: object
              properties:
                spec: {type: object, required: [somethingNew], properties: {somethingNew: {type: string}}}
      """
    try directory.write(Data(definition.utf8), to: "keda.yaml")
    let check = ManifestCheck(schemas: nil, versions: [], definitions: [directory.path])
    let found = try check.run(text: try stream(), name: "x").findings
    #expect(found.contains { $0.found.contains("somethingNew") && $0.rule == "keda.yaml" })
    #expect(throws: DeploymentError.self) {
      try ManifestCheck(schemas: nil, versions: [], definitions: [Places.target]).run(text: try stream(), name: "x")
    }
  }

  @Test(arguments: [
    "", "---", "[1, 2]", "a: &x 1\nb: *x", "a: 1\na: 2", "a: [", "\u{0}", "{{ .Values.x }}", "apiVersion: v1",
    "kind: Deployment\nspec: 3",
    "kind: Deployment\napiVersion: ../../etc\nmetadata: {name: x}\nspec: {template: []}", "? [a]\n: b",
  ])
  func `what is no manifest is told apart`(text: String) throws {
    do {
      #expect(!(try findings(text)).isEmpty)
    } catch is DeploymentError {}
  }

  @Test func `no input ends the program`() throws {
    var random = SeededGenerator(seed: 7)
    let text = Array(try stream().utf8)
    for _ in 0..<40 {
      var bytes = text
      for _ in 0..<Int.random(in: 1...20, using: &random) {
        let at = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...200, using: &random)))
        default: bytes.insert(contentsOf: bytes[0..<Int.random(in: 0...200, using: &random)], at: at)
        }
      }
      do { _ = try findings(String(decoding: bytes, as: UTF8.self)) } catch is DeploymentError {}
    }
  }

  @Test func `no request ends the program`() throws {
    var random = SeededGenerator(seed: 11)
    func any<T>(_ values: [T]) -> T { values[Int.random(in: 0..<values.count, using: &random)] }
    let numbers: [Int?] = [nil, 0, -1, 1, 2, 3, 7, 8, 24, 32, 64, 1024, 40_960, .max, .min]
    let names = [
      "Qwen/Qwen3-32B", "Qwen/Qwen3-0.6B", "meta-llama/Llama-3.2-1B-Instruct", "", "/", "..", "a b", "x/y", "🙂",
      "a/eagle3", "dflash",
    ]
    var held = 0
    for round in 0..<160 {
      // Mostly as a person would ask, with a field or two out of line.
      let share = round % 4 == 0 ? 1.0 : 0.1
      func strays() -> Bool { Double.random(in: 0..<1, using: &random) < share }
      var request = Combination.all[Int.random(in: 0..<Combination.all.count, using: &random)].request
      if strays() { request.draft = any(names.map(Optional.some) + [nil, nil, nil]) }
      if strays() { request.method = any(SpeculationMethod.allCases.map(Optional.some) + [nil, nil, nil, nil]) }
      if strays() { request.window = any(numbers) }
      if strays() { request.tensorParallel = any(numbers) }
      if strays() { request.replicas = any(numbers.compactMap { $0 }) }
      if strays() { request.maximumLength = any(numbers) }
      if strays() { request.maximumSequences = any(numbers) }
      if strays() { request.prefillBuckets = any([nil, nil, [], [0], [128, 1024], [.max]]) }
      if strays() { request.sequenceBuckets = any([nil, nil, [], [4], [-1, 4]]) }
      if strays() { request.windowsByBatchSize = any([nil, nil, [], [[1]], [[1, 4, 5]], [[4, 1, .max]]]) }
      if strays() { request.instanceType = any(InstanceType.all.map { Optional.some($0.name) } + [nil, "x", "🙂"]) }
      if strays() { request.storage = any(ModelStorage.allCases.map(Optional.some) + [nil]) }
      if strays() { request.bucket = any([nil, "bucket", "B", "$(id)"]) }
      if strays() { request.allocation = any(DeviceAllocation.allCases.map(Optional.some) + [nil]) }
      if strays() { request.nodes = any(NodeProvisioning.allCases.map(Optional.some) + [nil]) }
      if strays() { request.nodeVolume = any(numbers) }
      if strays() { request.longestAnswer = any(numbers) }
      if strays() { request.region = any([nil, "us-east-2", "x"]) }
      if strays() { request.capacityBlock = any([nil, "cr-0123456789abcdef0", "cr"]) }
      if strays() { request.kubernetes = KubernetesVersion(minor: any([20, 31, 33, 34, 37])) }
      if strays() { request.namespace = any(["foretoken", "", "A", "a\nb", String(repeating: "a", count: 64)]) }
      if strays() { request.minimumSpeedup = any([1, 0, -1, .nan, .infinity]) }
      if strays() { request.maximumReplicas = any(numbers) }
      if strays() { request.withBaseline = any([true, false]) }
      if strays() { request.target = any(names) }
      do {
        let plan = try DeploymentPlan(request)
        held += 1
        let text = try Bundle.stream(try ManifestBuilder(plan).manifests())
        #expect(try findings(text) == [])
        #expect(try findings(try everything(plan)) == [])
        for format in BundleFormat.allCases { _ = try Bundle(plan, format: format) }
      } catch is DeploymentRefusal {} catch is DeploymentError {}
    }
    #expect(held > 0)
  }
}
