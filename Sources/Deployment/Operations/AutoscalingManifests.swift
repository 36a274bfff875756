// What scales the server that is kept, by the requests that wait.

extension ManifestBuilder {
  /// Requests that wait, per replica, at which another is started.
  private static let waiting = "4"

  /// Starting costs minutes, so stopping waits for half an hour of quiet, and takes one replica at a time.
  private static let behavior = AutoscalerSpec.Behavior(
    scaleDown: .init(policies: [.init(periodSeconds: 600, type: "Pods", value: 1)], stabilizationWindowSeconds: 1800),
    scaleUp: .init(policies: [.init(periodSeconds: 60, type: "Pods", value: 2)], stabilizationWindowSeconds: 60))

  func autoscaling() -> [Manifest] {
    let name = name(kept)
    let most = plan.mostReplicas
    guard most > plan.request.replicas else { return [] }
    switch plan.request.autoscaling {
    case .none: return []
    case .keda:
      let query = """
        sum(vllm:num_requests_waiting{namespace="\(plan.request.namespace)",service="\(name)"})
        """
      let spec = ScaledObjectSpec(
        // KEDA's own cooldown is for the last replica only; the autoscaler that it makes holds the others back.
        advanced: .init(horizontalPodAutoscalerConfig: .init(behavior: Self.behavior)), maxReplicaCount: most,
        minReplicaCount: plan.request.replicas, pollingInterval: 15, scaleTargetRef: ["name": name],
        triggers: [
          .init(
            metadata: ["query": query, "serverAddress": plan.request.prometheus, "threshold": Self.waiting],
            type: "prometheus")
        ])
      return [
        Manifest(
          .autoscaling, "scaled-object",
          Object(
            apiVersion: "keda.sh/v1alpha1", kind: "ScaledObject", metadata: meta(name, "server", name), spec: spec),
          open: [
            OpenField(path: ["spec", "minReplicaCount"], value: ["autoscaling", "minimum"]),
            OpenField(path: ["spec", "maxReplicaCount"], value: ["autoscaling", "maximum"]),
          ])
      ]
    case .hpa:
      let spec = AutoscalerSpec(
        behavior: Self.behavior, maxReplicas: most,
        metrics: [
          .init(pods: .init(metric: ["name": Self.adaptedMetric], target: .init(averageValue: Self.waiting)))
        ], minReplicas: plan.request.replicas, scaleTargetRef: .init(name: name))
      return [
        Manifest(
          .autoscaling, "horizontal-pod-autoscaler",
          Object(
            apiVersion: "autoscaling/v2", kind: "HorizontalPodAutoscaler", metadata: meta(name, "server", name),
            spec: spec),
          open: [
            OpenField(path: ["spec", "minReplicas"], value: ["autoscaling", "minimum"]),
            OpenField(path: ["spec", "maxReplicas"], value: ["autoscaling", "maximum"]),
          ])
      ]
    }
  }

  private static let adaptedMetric = "vllm_num_requests_waiting"

  /// Values of the chart prometheus-adapter, without which the cluster's autoscaler does not know the metric.
  ///
  /// https://github.com/kubernetes-sigs/prometheus-adapter/blob/master/docs/config.md
  var adapterValues: PrometheusAdapterValues? {
    guard plan.request.autoscaling == .hpa, plan.mostReplicas > plan.request.replicas else { return nil }
    return PrometheusAdapterValues(
      rules: .init(custom: [
        .init(
          metricsQuery: "sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)", name: .init(as: Self.adaptedMetric),
          resources: .init(overrides: ["namespace": ["resource": "namespace"], "pod": ["resource": "pod"]]),
          seriesQuery: #"vllm:num_requests_waiting{namespace!="",pod!=""}"#)
      ]))
  }
}

/// `values.yaml` of the chart prometheus-adapter.
struct PrometheusAdapterValues: Codable, Sendable, Equatable {
  struct Rules: Codable, Sendable, Equatable {
    struct Rule: Codable, Sendable, Equatable {
      struct Name: Codable, Sendable, Equatable { var `as`: String }
      struct Resources: Codable, Sendable, Equatable { var overrides: [String: [String: String]] }
      var metricsQuery: String
      var name: Name
      var resources: Resources
      var seriesQuery: String
    }
    var custom: [Rule]
  }
  var rules: Rules
}

extension Preflight {
  /// Most replicas that scaling may reach; as many as there are without it.
  ///
  /// What was asked for and cannot start is refused; a default is lowered to what can.
  mutating func settleMostReplicas(_ storage: ModelStorage, _ instance: InstanceType, devices: Int) -> Int {
    guard request.autoscaling != .none else {
      if let most = request.maximumReplicas, most > request.replicas {
        refuse("--max-replicas \(most) needs something that scales: --autoscaling keda or hpa")
      }
      return request.replicas
    }
    // Numbers out of range are refused elsewhere; sums go on with what is in it.
    let replicas = min(max(1, request.replicas), 1000)
    let perMachine = devices == 0 ? 1 : max(1, instance.devices / devices)
    let most = min(max(1, request.maximumReplicas ?? 2 * replicas), 1000)
    let machines = (most + perMachine - 1) / perMachine
    guard !storage.isShared, machines > 1 else { return most }
    if request.maximumReplicas != nil {
      refuse(
        "--max-replicas \(most) needs \(machines) machines, and --storage \(storage.rawValue) is one disk for one machine; take s3, efs or fsx"
      )
      return most
    }
    let fitting = max(replicas, perMachine)
    if fitting == replicas {
      note(
        "no autoscaling is written: the next replica needs another machine, and --storage \(storage.rawValue) is one disk for one; take s3, efs or fsx"
      )
    }
    return fitting
  }
}
