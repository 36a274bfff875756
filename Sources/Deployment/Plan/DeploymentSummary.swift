/// What was decided, for people and for programs.
package struct DeploymentSummary: Sendable, Codable, Equatable {
  /// A server by its name in the cluster, with its command line.
  package struct Server: Sendable, Codable, Equatable {
    package let name: String
    package let command: [String]
  }

  package let engine: String
  package let engine_version: String
  package let image: String
  package let target: String
  package let draft: String?
  package let method: String?
  package let num_speculative_tokens: Int?
  package let instance_type: String
  package let tensor_parallel_size: Int
  package let devices_per_pod: Int
  package let replicas: Int
  package let storage: String
  package let device_allocation: String
  package let nodes: String
  package let kubernetes_version: String
  package let namespace: String
  package let arithmetic: [ArithmeticLine]
  package let notes: [String]
  package let servers: [Server]
  package let objects: Int
  /// What to run next.
  package let next: [String]

  /// - Parameter directory: where the files were written; `nil` for standard output.
  package init(_ plan: DeploymentPlan, format: BundleFormat, directory: String?) throws {
    let builder = ManifestBuilder(plan)
    engine = plan.stack.engine.rawValue
    engine_version = plan.stack.version
    image = plan.image
    target = plan.target.name
    draft = plan.draftName
    method = plan.speculation?.method.rawValue
    num_speculative_tokens = plan.speculation?.window
    instance_type = plan.instance.name
    tensor_parallel_size = plan.tensorParallel
    devices_per_pod = plan.devices
    replicas = plan.request.replicas
    storage = plan.storage.rawValue
    device_allocation = plan.allocation.rawValue
    nodes = plan.nodes.rawValue
    kubernetes_version = plan.request.kubernetes.description
    namespace = plan.request.namespace
    arithmetic = plan.arithmetic
    notes = plan.notes
    servers = try plan.variants.map { variant in
      let command = try ServerCommand(plan, variant)
      return Server(name: builder.name(variant), command: command.program + command.arguments)
    }
    objects = try builder.manifests().count
    next = builder.nextCommands(format, directory)
  }
}

extension ManifestBuilder {
  /// From files to an answer.
  func nextCommands(_ format: BundleFormat, _ directory: String?) -> [String] {
    guard let directory = directory.map({ $0.hasSuffix("/") ? String($0.dropLast()) : $0 }) else { return [] }
    let namespace = plan.request.namespace
    let compares = plan.variants.count == 2
    let wait = "kubectl -n \(namespace) wait --for=condition=complete --timeout=4h job"
    let benchmark = "\(wait)/\(modelSlug)-benchmark && kubectl -n \(namespace) logs job/\(modelSlug)-benchmark"
    let rollout = "kubectl -n \(namespace) rollout status --timeout=4h deployment/\(name(plan.variants[0]))"
    switch format {
    case .kustomize:
      let apply = "kubectl apply -k \(directory)/overlays"
      let compile = "\(apply)/compile && \(wait) -l app.kubernetes.io/component=compile"
      return (plan.compilesAhead ? [compile] : [])
        + (compares ? ["\(apply)/comparison", benchmark] : ["\(apply)/production", rollout])
    case .helm:
      let release = "helm upgrade --install \(modelSlug) \(directory) -n \(namespace) --create-namespace"
      let compile = "\(release) --set compile.enabled=true,servers.enabled=false --wait-for-jobs --timeout 4h"
      return (plan.compilesAhead ? [compile] : [])
        + (compares ? ["\(release) --set benchmark.enabled=true", benchmark] : [release, rollout])
    case .yaml:
      return ["kubectl apply -f \(directory)/manifests.yaml", compares ? benchmark : rollout]
    }
  }
}
