import Decoding
import Foundation
import TestSupport
import Testing
import Yams

import Deployment

/// What is written, for every combination.
struct RenderingTests {
  /// Types by kind: what a document decodes to.
  private static let types: [String: any KubernetesObject.Type] = [
    "Namespace": PlainObject.self, "ServiceAccount": PlainObject.self, "ConfigMap": ConfigMap.self,
    "Deployment": Object<DeploymentSpec>.self, "Job": Object<JobSpec>.self, "Service": Object<ServiceSpec>.self,
    "PodDisruptionBudget": Object<DisruptionBudgetSpec>.self, "NetworkPolicy": Object<NetworkPolicySpec>.self,
    "PersistentVolumeClaim": Object<VolumeClaimSpec>.self, "HorizontalPodAutoscaler": Object<AutoscalerSpec>.self,
    "ResourceClaimTemplate": Object<ClaimTemplateSpec>.self, "NodePool": Object<NodePoolSpec>.self,
    "EC2NodeClass": Object<NodeClassSpec>.self, "ServiceMonitor": Object<ServiceMonitorSpec>.self,
    "ScaledObject": Object<ScaledObjectSpec>.self, "HTTPRoute": Object<HTTPRouteSpec>.self,
    "InferencePool": Object<InferencePoolSpec>.self, "PrometheusRule": Object<PrometheusRuleSpec>.self,
    "Role": Role.self, "RoleBinding": RoleBinding.self, "LeaderWorkerSet": Object<GroupSpec>.self,
  ]

  private func expectRoundTrip<Object: KubernetesObject>(_ object: Object, _ text: String) throws {
    let type = try #require(Self.types[object.kind])
    let read = try YAMLDecoder().decode(type, from: text)
    #expect(read as? Object == object, "\(object.kind) \(object.metadata.name)")
  }

  @Test(arguments: Combination.all)
  func `every document reads back as the object that it was written from`(combination: Combination) throws {
    for manifest in try combination.manifests() {
      try expectRoundTrip(manifest.object, try YAMLText.encode(manifest.object))
    }
  }

  @Test func `one plan gives the same bytes every time`() throws {
    // Some of each engine, method, storage and way to devices.
    for combination in stride(from: 0, to: Combination.all.count, by: 11).map({ Combination.all[$0] }) {
      for format in BundleFormat.allCases {
        let plan = try combination.plan()
        #expect(try Bundle(plan, format: format) == Bundle(plan, format: format))
      }
    }
  }

  @Test(arguments: Combination.all)
  func `the built-in check finds nothing`(combination: Combination) throws {
    let text = try Bundle.stream(try combination.manifests())
    let report = try ManifestCheck(schemas: nil, versions: []).run(text: text, name: combination.description)
    #expect(report.findings == [])
  }

  @Test(.enabled(if: Schemas.folder != nil, "Kubernetes' schemas are not here: make deploy-schemas"))
  func `every combination fits the schemas of two Kubernetes versions`() throws {
    // In few goes, for the schemas are large; apart by how devices come, for they must come one way.
    let both = ManifestCheck(schemas: Schemas.folder, versions: [34, 37].map { KubernetesVersion(minor: $0) })
    for allocation in DeviceAllocation.allCases {
      let combinations = Combination.all.filter { $0.allocation == allocation }
      let all = YAMLText.join(try combinations.map { try Bundle.stream(try $0.manifests()) })
      #expect(try both.run(text: all, name: allocation.rawValue).findings == [])
    }
    var old = Combination(engine: .vllmNeuron, method: .draftModel, storage: .pvc, allocation: .dra).request
    old.kubernetes = KubernetesVersion(minor: 33)
    old.autoscaling = .hpa
    old.nodes = .karpenter
    let text = try Bundle.stream(try ManifestBuilder(try DeploymentPlan(old)).manifests())
    let check = ManifestCheck(schemas: Schemas.folder, versions: [33, 34].map { KubernetesVersion(minor: $0) })
    #expect(try check.run(text: text, name: "1.33").findings == [])
    #expect(text.contains("resource.k8s.io/v1beta1"))
  }

  @Test func `names of models become names of objects`() throws {
    for (name, slug) in [
      ("Qwen/Qwen3-32B", "qwen3-32b"), ("Qwen/Qwen3-1.7B", "qwen3-1-7b"),
      ("meta-llama/Llama-3.1-8B-Instruct", "llama-3-1-8b-instruct"),
    ] {
      let plan = try DeploymentPlan(DeploymentRequest(engine: .vllmCUDA, target: name))
      #expect(ManifestBuilder(plan).modelSlug == slug)
    }
  }

  @Test func `secrets are named, never held`() throws {
    var request = Combination.all[0].request
    request.apiKeySecret = "gateway-keys"
    let text = try Bundle.stream(try ManifestBuilder(try DeploymentPlan(request)).manifests())
    #expect(text.contains("secretKeyRef") && text.contains("gateway-keys"))
    #expect(!text.contains("kind: Secret"))
  }

  @Test func `overlays name parts that are there, and kubectl builds them`() throws {
    let plan = try Combination(engine: .vllmNeuron, method: .draftModel, storage: .s3, allocation: .devicePlugin).plan()
    let directory = try TemporaryDirectory()
    let folder = directory.path
    let bundle = try Bundle(plan, format: .kustomize)
    try bundle.write(to: folder)
    for name in ["compile", "comparison", "production"] {
      let text = try String(contentsOfFile: "\(folder)/overlays/\(name)/kustomization.yaml", encoding: .utf8)
      for resource in try YAMLDecoder().decode(Kustomization.self, from: text).resources {
        #expect(FileManager.default.fileExists(atPath: "\(folder)/overlays/\(name)/\(resource)/kustomization.yaml"))
      }
    }
    let kubectl = "/usr/bin/kubectl"
    guard FileManager.default.isExecutableFile(atPath: kubectl) else { return }
    for name in ["compile", "comparison", "production"] {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: kubectl)
      process.arguments = ["kustomize", "\(folder)/overlays/\(name)"]
      let pipe = Pipe()
      process.standardOutput = pipe
      try process.run()
      let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      #expect(process.terminationStatus == 0)
      let report = try ManifestCheck(schemas: nil, versions: []).run(text: output, name: name)
      #expect(report.findings == [])
    }
  }

  @Test func `a folder with other files is left alone, and an earlier deployment's files are cleared away`() throws {
    let directory = try TemporaryDirectory()
    let folder = directory.path
    let with = try Combination(engine: .vllmNeuron, method: .draftModel, storage: .s3, allocation: .dra).plan()
    let without = try Combination(engine: .vllmCUDA, method: nil, storage: .emptyDir, allocation: .devicePlugin).plan()
    try Bundle(with, format: .kustomize).write(to: folder)
    #expect(FileManager.default.fileExists(atPath: folder + "/servers/speculative/deployment.yaml"))
    try Bundle(without, format: .kustomize).write(to: folder)
    #expect(!FileManager.default.fileExists(atPath: folder + "/servers/speculative/deployment.yaml"))
    try FileManager.default.removeItem(atPath: folder + "/.foretoken")
    #expect(throws: DeploymentError.self) { try Bundle(with, format: .kustomize).write(to: folder) }
  }

  @Test func `dashboard and rules are those that monitoring ships`() throws {
    let file = try String(contentsOfFile: Places.root.path + "/Monitoring/grafana-dashboard.json", encoding: .utf8)
    #expect(Scripts.dashboard == file)
    let rules = try String(contentsOfFile: Places.root.path + "/Monitoring/rules.yaml", encoding: .utf8)
    #expect(Scripts.rules == rules)
  }
}

/// Where Kubernetes' schemas are on this machine, if they are.
enum Schemas {
  static let folder: String? = {
    let named = ProcessInfo.processInfo.environment["KUBERNETES_SCHEMAS"]
    return [named, Places.root.path + "/.build/kubernetes-schemas"].compactMap { $0 }.first {
      FileManager.default.fileExists(atPath: $0)
    }
  }()
}
