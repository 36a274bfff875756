// What leads requests to the replicas of the server that is kept.

extension ManifestBuilder {
  /// llm-d's endpoint picker, of the release whose charts and flags these objects follow.
  ///
  /// https://github.com/llm-d/llm-d-router/tree/v0.9.0/config/charts/routerlib
  static let pickerImage = "ghcr.io/llm-d/llm-d-router-endpoint-picker:v0.9.0"
  /// The router of vLLM's production-stack. Its image has about 10 GB (their `deployment_on_cloud/oci/README.md`).
  ///
  /// https://github.com/vllm-project/production-stack/tree/vllm-stack-0.1.12/helm
  static let stackRouterImage = "lmcache/lmstack-router:v0.1.12"

  private var pickerName: String { "\(name(kept))-picker" }
  private var routerName: String { "\(modelSlug)-router" }

  func gateway() -> [Manifest] {
    let name = name(kept)
    switch plan.request.routing {
    case .none: return []
    case .httpRoute: return routes(.init(name: name, port: 80, weight: 100))
    case .productionStack: return stackRouter() + routes(.init(name: routerName, port: 80, weight: 100))
    case .inferencePool:
      let pool = InferencePoolSpec(
        endpointPickerRef: .init(name: pickerName, port: ["number": RouterPorts.picker]),
        selector: LabelSelector(matchLabels: selector("server", name)),
        targetPorts: [["number": ServerCommand.port]])
      let backend = HTTPRouteSpec.Rule.Backend(
        group: "inference.networking.k8s.io", kind: "InferencePool", name: name, weight: 100)
      return picker() + [
        Manifest(
          .gateway, "inference-pool",
          Object(
            apiVersion: "inference.networking.k8s.io/v1", kind: "InferencePool", metadata: meta(name), spec: pool))
      ] + routes(backend)
    }
  }

  private enum RouterPorts {
    static let picker = 9002
    static let health = 9003
    static let metrics = 9090
  }

  /// The way in; or, beside another deployment, the other's way in with a share for this one: a part of its requests,
  /// all of them, or none again. The other's route is replaced by that of its name.
  private func routes(_ own: HTTPRouteSpec.Rule.Backend) -> [Manifest] {
    guard let beside = plan.request.beside else { return [route(.gateway, name(kept), [own])] }
    var (first, second) = (own, own)
    first.name = beside
    func shared(_ part: Manifest.Part, _ share: Int) -> Manifest {
      (first.weight, second.weight) = (100 - share, share)
      return route(part, beside, [first, second])
    }
    return [shared(.share, plan.request.share), shared(.promote, 100), shared(.rollback, 0)]
  }

  private func route(_ part: Manifest.Part, _ name: String, _ backends: [HTTPRouteSpec.Rule.Backend]) -> Manifest {
    let route = HTTPRouteSpec(
      parentRefs: [.init(name: plan.request.gateway, namespace: plan.request.gatewayNamespace)],
      rules: [
        .init(
          backendRefs: backends, matches: [.init(path: ["type": "PathPrefix", "value": "/v1"])],
          timeouts: .init(request: "\(plan.longestAnswer)s"))
      ])
    return Manifest(
      part, "route",
      Object(
        apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute", metadata: meta(name), spec: route),
      open: [OpenField(path: ["spec", "parentRefs", 0, "name"], value: ["gateway", "name"])])
  }

  // MARK: llm-d's endpoint picker

  /// The picker that the pool names: prompts with a prefix that a replica has seen go to it, unless it is busy.
  private func picker() -> [Manifest] {
    let configuration = """
      apiVersion: llm-d.ai/v1alpha1
      kind: EndpointPickerConfig
      plugins:
        - type: queue-scorer
        - type: kv-cache-utilization-scorer
        - type: prefix-cache-scorer
        - type: metrics-data-source
          parameters: {scheme: http, path: /metrics, insecureSkipVerify: true}
        - type: core-metrics-extractor
      schedulingProfiles:
        - name: default
          plugins:
            - {pluginRef: queue-scorer, weight: 2}
            - {pluginRef: kv-cache-utilization-scorer, weight: 2}
            - {pluginRef: prefix-cache-scorer, weight: 3}

      """
    let container = Container(
      name: "epp", image: Self.pickerImage,
      args: [
        "--pool-name", name(kept), "--pool-group",
        "inference.networking.k8s.io", "--zap-encoder", "json", "--config-file", "/config/config.yaml",
        "--grpc-health-port", "\(RouterPorts.health)", "--tracing=false", "--metrics-endpoint-auth=false",
      ].verbatim,
      env: [
        EnvironmentVariable("NAMESPACE", field: "metadata.namespace"),
        EnvironmentVariable("POD_NAME", field: "metadata.name"),
      ] + ServerCommand.user,
      livenessProbe: .health(RouterPorts.health, period: 10, failures: 3),
      ports: [
        .init(containerPort: RouterPorts.picker, name: "grpc"),
        .init(containerPort: RouterPorts.health, name: "grpc-health"),
        .init(containerPort: RouterPorts.metrics, name: "metrics"),
      ], readinessProbe: .health(RouterPorts.health, period: 2, failures: 3), resources: routerResources,
      startupProbe: .health(RouterPorts.health, period: 5, failures: 30),
      volumeMounts: [.init(name: "config", mountPath: "/config", readOnly: true)])
    return identity(
      pickerName, verbs: ["get", "list", "watch"],
      extras: [
        .init(
          apiGroups: ["inference.networking.k8s.io"], resources: ["inferencepools"], verbs: ["get", "list", "watch"]),
        .init(
          apiGroups: ["llm-d.ai"], resources: ["inferenceobjectives", "inferencemodelrewrites"],
          verbs: ["get", "list", "watch"]),
      ]) + [
        Manifest(
          .gateway, "picker-config",
          ConfigMap(metadata: meta(pickerName, "picker", pickerName), data: ["config.yaml": configuration])),
        // One alone knows which prefixes went where; the old one goes before the new one comes.
        deployment(
          "picker", pickerName, container, volumes: [Volume(name: "config", configMap: .init(name: pickerName))],
          strategy: "Recreate"),
        service(
          "picker", pickerName,
          [
            .init(name: "grpc-ext-proc", port: RouterPorts.picker, targetPort: "grpc"),
            .init(name: "http-metrics", port: RouterPorts.metrics, targetPort: "metrics"),
          ]),
      ] + budget("picker", pickerName) + [
        policy("picker", pickerName, ports: [RouterPorts.picker, RouterPorts.metrics])
      ]
  }

  // MARK: production-stack's router

  private func stackRouter() -> [Manifest] {
    let container = Container(
      name: "router", image: Self.stackRouterImage,
      args: [
        "--k8s-namespace", plan.request.namespace, "--host", "0.0.0.0", "--port", "\(ServerCommand.port)",
        "--service-discovery", "k8s", "--k8s-service-discovery-type", "pod-ip", "--k8s-port",
        "\(ServerCommand.port)", "--k8s-label-selector",
        selector("server", name(kept)).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(
          separator: ","),
        "--routing-logic", "prefixaware", "--engine-stats-interval", "15", "--request-stats-window", "60",
      ].verbatim,
      env: [EnvironmentVariable("HOME", "/tmp")] + ServerCommand.user
        + (plan.request.apiKeySecret.map { [EnvironmentVariable("VLLM_API_KEY", secret: $0, key: "api-key")] } ?? []),
      livenessProbe: .http("/health", period: 10, failures: 3),
      ports: [.init(containerPort: ServerCommand.port, name: "http")],
      readinessProbe: .http("/health", period: 5, failures: 3), resources: routerResources,
      startupProbe: .http("/health", period: 5, failures: 60),
      volumeMounts: [.init(name: "tmp", mountPath: "/tmp")])
    return identity(routerName, verbs: ["get", "list", "watch", "patch"], extras: []) + [
      deployment(
        "router", routerName, container, volumes: [Volume(name: "tmp", emptyDir: .init(sizeLimit: "1Gi"))],
        strategy: "RollingUpdate", namespaces: [["spec", "template", "spec", "containers", 0, "args", 1]]),
      service("router", routerName, [.init(name: "http", port: 80, targetPort: "http")]),
    ] + budget("router", routerName) + [policy("router", routerName, ports: [ServerCommand.port])]
  }

  // MARK: Parts of both

  private var routerResources: Container.Resources {
    .init(
      limits: ["memory": "8Gi", "ephemeral-storage": "4Gi"],
      requests: ["cpu": "2", "memory": "4Gi", "ephemeral-storage": "4Gi"])
  }

  /// Who asks the cluster for the replicas.
  private func identity(_ name: String, verbs: [String], extras: [RoleRule]) -> [Manifest] {
    let rules = [RoleRule(apiGroups: [""], resources: ["pods"], verbs: verbs)] + extras
    return [
      Manifest(
        .gateway, "service-account", PlainObject(apiVersion: "v1", kind: "ServiceAccount", metadata: meta(name))),
      Manifest(.gateway, "role", Role(metadata: meta(name), rules: rules)),
      Manifest(
        .gateway, "role-binding",
        RoleBinding(
          metadata: meta(name), roleRef: ["apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name],
          subjects: [["kind": "ServiceAccount", "name": name, "namespace": plan.request.namespace]]),
        namespaces: [["subjects", 0, "namespace"]]),
    ]
  }

  private func deployment(
    _ component: String, _ name: String, _ container: Container, volumes: [Volume], strategy: String,
    namespaces: [[OpenField.PathStep]] = []
  ) -> Manifest {
    var spec = DeploymentSpec(
      replicas: 1, progressDeadlineSeconds: 600, selector: LabelSelector(matchLabels: selector(component, name)),
      strategy: strategy == "Recreate"
        ? .init(type: strategy) : .init(rollingUpdate: .init(maxSurge: 1, maxUnavailable: 0)),
      template: PodTemplate(
        metadata: .init(labels: labels(component, name)),
        spec: PodSpec(
          containers: [container], serviceAccountName: name,
          // Streams go through it: it may end when they have.
          terminationGracePeriodSeconds: plan.longestAnswer + 30, volumes: volumes)))
    spec.template.spec.automountServiceAccountToken = true
    return Manifest(
      .gateway, "\(component)-deployment",
      Object(apiVersion: "apps/v1", kind: "Deployment", metadata: meta(name, component, name), spec: spec),
      namespaces: namespaces)
  }

  private func service(_ component: String, _ name: String, _ ports: [ServiceSpec.Port]) -> Manifest {
    Manifest(
      .gateway, "\(component)-service",
      Object(
        apiVersion: "v1", kind: "Service", metadata: meta(name, component, name),
        spec: ServiceSpec(ports: ports, selector: selector(component, name))))
  }

  private func budget(_ component: String, _ name: String) -> [Manifest] {
    [
      Manifest(
        .gateway, "\(component)-disruption-budget",
        Object(
          apiVersion: "policy/v1", kind: "PodDisruptionBudget", metadata: meta(name, component, name),
          spec: DisruptionBudgetSpec(
            maxUnavailable: 1, selector: LabelSelector(matchLabels: selector(component, name)))))
    ]
  }

  /// Gateways and monitors come in; the cluster's API and the replicas are asked. Which address the API has is the
  /// cluster's business, so that its port is what is named.
  private func policy(_ component: String, _ name: String, ports: [Int]) -> Manifest {
    let callers = ["monitoring", "gateway"].map {
      NetworkPolicySpec.Peer(namespaceSelector: LabelSelector(matchLabels: ["foretoken.dev/\($0)": "allowed"]))
    }
    let everything = LabelSelector(matchLabels: [:])
    let spec = NetworkPolicySpec(
      podSelector: LabelSelector(matchLabels: selector(component, name)), policyTypes: ["Ingress", "Egress"],
      ingress: [.init(from: [.init(podSelector: everything)] + callers, ports: ports.map { .init(port: $0) })],
      egress: [
        .init(to: [.init(ipBlock: .init(cidr: "0.0.0.0/0"))], ports: [.init(port: 443), .init(port: 6443)])
      ])
    return Manifest(
      .gateway, "\(component)-network-policy",
      Object(
        apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: meta(name, component, name), spec: spec))
  }
}
