// What watches the servers, scales them and leads requests to them. All of it concerns the server that is kept: the
// speculative one, where there is one.

extension ManifestBuilder {
  private var kept: DeploymentPlan.Variant { plan.variants.first ?? .baseline }

  func operations() -> [Manifest] { monitoring() + autoscaling() + gateway() }

  private func monitoring() -> [Manifest] {
    guard plan.request.monitoring == .prometheusOperator else { return [] }
    var dashboard = meta("\(modelSlug)-dashboard")
    // The label that Grafana's sidecar looks for.
    dashboard.labels?["grafana_dashboard"] = "1"
    let selector = labels("server")
    return [
      Manifest(
        .monitoring, "service-monitor",
        Object(
          apiVersion: "monitoring.coreos.com/v1", kind: "ServiceMonitor", metadata: meta(modelSlug),
          spec: ServiceMonitorSpec(
            endpoints: [.init(interval: "15s", path: "/metrics", port: "http")],
            selector: LabelSelector(matchLabels: selector)))),
      Manifest(
        .monitoring, "dashboard",
        ConfigMap(metadata: dashboard, data: ["foretoken.json": Scripts.dashboard])),
    ]
  }

  /// Requests that wait, per replica, at which another is started.
  private static let waiting = "4"

  private func autoscaling() -> [Manifest] {
    let name = name(kept)
    let most = plan.request.maximumReplicas ?? max(plan.request.replicas, 2 * plan.request.replicas)
    let limits = [
      OpenField(path: ["spec", "minReplicaCount"], value: ["autoscaling", "minimum"]),
      OpenField(path: ["spec", "maxReplicaCount"], value: ["autoscaling", "maximum"]),
    ]
    switch plan.request.autoscaling {
    case .none: return []
    case .keda:
      let query = """
        sum(vllm:num_requests_waiting{namespace="\(plan.request.namespace)",service="\(name)"})
        """
      let spec = ScaledObjectSpec(
        // Starting costs minutes, so stopping waits for half an hour of quiet.
        cooldownPeriod: 1800, maxReplicaCount: most, minReplicaCount: plan.request.replicas, pollingInterval: 15,
        scaleTargetRef: ["name": name],
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
          open: limits)
      ]
    case .hpa:
      let spec = AutoscalerSpec(
        behavior: .init(scaleDown: ["stabilizationWindowSeconds": 1800]), maxReplicas: most,
        metrics: [
          .init(
            pods: .init(metric: ["name": "vllm_num_requests_waiting"], target: .init(averageValue: Self.waiting)))
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

  private func gateway() -> [Manifest] {
    let routing = plan.request.routing
    guard routing != .none else { return [] }
    let name = name(kept)
    let backend =
      routing == .inferencePool
      ? HTTPRouteSpec.Rule.Backend(group: "inference.networking.k8s.io", kind: "InferencePool", name: name)
      : HTTPRouteSpec.Rule.Backend(name: name, port: 80)
    let route = HTTPRouteSpec(
      parentRefs: [.init(name: plan.request.gateway)],
      rules: [
        .init(
          backendRefs: [backend], matches: [.init(path: ["type": "PathPrefix", "value": "/v1"])],
          timeouts: .init(request: "\(plan.longestAnswer)s"))
      ])
    var manifests = [
      Manifest(
        .gateway, "route",
        Object(apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute", metadata: meta(name), spec: route),
        open: [OpenField(path: ["spec", "parentRefs", 0, "name"], value: ["gateway", "name"])])
    ]
    if routing == .inferencePool {
      let pool = InferencePoolSpec(
        endpointPickerRef: .init(name: "\(name)-endpoint-picker", port: ["number": 9002]),
        selector: LabelSelector(matchLabels: selector("server", name)),
        targetPorts: [["number": ServerCommand.port]])
      manifests.append(
        Manifest(
          .gateway, "inference-pool",
          Object(
            apiVersion: "inference.networking.k8s.io/v1", kind: "InferencePool", metadata: meta(name), spec: pool)))
    }
    return manifests
  }
}
