// What all servers share: namespace, identity, network, scripts, storage, devices, machines.

extension ManifestBuilder {
  func shared() -> [Manifest] {
    [
      Manifest(
        .base, "namespace",
        PlainObject(
          apiVersion: "v1", kind: "Namespace",
          metadata: ObjectMeta(
            name: plan.request.namespace, labels: ["pod-security.kubernetes.io/enforce": "restricted"]))),
      Manifest(
        .base, "service-account",
        PlainObject(
          apiVersion: "v1", kind: "ServiceAccount", metadata: meta(accountName), automountServiceAccountToken: false)),
      Manifest(.base, "scripts", ConfigMap(metadata: meta(scriptsName), data: Scripts.all)),
    ] + network() + storage() + devices() + machines()
  }

  /// Nothing goes in or out but what is named.
  private func network() -> [Manifest] {
    let everything = LabelSelector(matchLabels: [:])
    let ours = LabelSelector(matchLabels: ["app.kubernetes.io/part-of": modelSlug])
    let web = NetworkPolicySpec.Port(port: 443)
    let http = NetworkPolicySpec.Port(port: ServerCommand.port)
    let callers = ["monitoring", "gateway"].map {
      NetworkPolicySpec.Peer(
        namespaceSelector: LabelSelector(matchLabels: ["foretoken.dev/\($0)": "allowed"]))
    }
    let policy = NetworkPolicySpec(
      podSelector: ours, policyTypes: ["Ingress", "Egress"],
      ingress: [.init(from: [.init(podSelector: everything)] + callers, ports: [http])],
      egress: [
        .init(
          to: [.init(namespaceSelector: everything)],
          ports: [.init(port: 53), .init(port: 53, protocol: "UDP")]),
        .init(to: [.init(podSelector: ours)], ports: [http]),
        // The hub, object storage; and EKS Pod Identity, which hands out credentials at a link-local address.
        .init(to: [.init(ipBlock: .init(cidr: "0.0.0.0/0", except: ["169.254.169.254/32"]))], ports: [web]),
        .init(to: [.init(ipBlock: .init(cidr: "169.254.170.23/32"))], ports: [.init(port: 80)]),
      ])
    return [
      Manifest(
        .base, "network-policy",
        Object(apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: meta(modelSlug), spec: policy))
    ]
  }

  private func storage() -> [Manifest] {
    guard plan.storage.isVolume else { return [] }
    let standard: [ModelStorage: String] = [.efs: "efs-sc", .fsx: "fsx-sc", .pvc: "gp3"]
    let needed = plan.disk.models
    // FSx for Lustre is sold in steps of 1.2 TiB.
    let size = plan.storage == .fsx ? (needed + 1199) / 1200 * 1200 : (needed + 49) / 50 * 50
    let claim = VolumeClaimSpec(
      accessModes: [plan.storage.isShared ? "ReadWriteMany" : "ReadWriteOnce"],
      resources: .init(requests: ["storage": "\(size)Gi"]),
      storageClassName: plan.request.storageClass ?? standard[plan.storage] ?? "gp3")
    return [
      Manifest(
        .base, "models-volume",
        Object(apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: meta(volumeName), spec: claim),
        open: [
          OpenField(path: ["spec", "storageClassName"], value: ["storage", "storageClass"]),
          OpenField(path: ["spec", "resources", "requests", "storage"], value: ["storage", "size"]),
        ])
    ]
  }

  private func devices() -> [Manifest] {
    guard plan.allocation == .dra else { return [] }
    let driver = "neuron.aws.com"
    let selector = ClaimTemplateSpec.Selector(cel: [
      "expression": "device.attributes['\(driver)'].instanceType == '\(plan.instance.name)'"
    ])
    let name = "neurons"
    let request =
      plan.request.kubernetes.minor >= 34
      ? ClaimTemplateSpec.Request(
        name: name,
        exactly: .init(
          allocationMode: "ExactCount", count: plan.devices, deviceClassName: driver, selectors: [selector]))
      : ClaimTemplateSpec.Request(
        name: name, allocationMode: "ExactCount", count: plan.devices, deviceClassName: driver, selectors: [selector])
    // Connected devices: the driver numbers its sets.
    let connected = plan.instance.devices > 1 && plan.devices > 1
    let spec = ClaimTemplateSpec(
      spec: .init(
        devices: .init(
          config: [
            .init(
              opaque: .init(driver: driver, parameters: .init(logicalNeuronCore: plan.instance.logicalCoreSize)),
              requests: [name])
          ],
          constraints: connected
            ? [.init(matchAttribute: "resource.aws.com/devicegroup\(plan.devices)_id", requests: [name])] : nil,
          requests: [request])))
    return [
      Manifest(
        .base, "device-claim-template",
        Object(
          apiVersion: plan.request.kubernetes.minor >= 34 ? "resource.k8s.io/v1" : "resource.k8s.io/v1beta1",
          kind: "ResourceClaimTemplate", metadata: meta(claimTemplateName), spec: spec))
    ]
  }

  /// Key of the taint on machines with accelerators, and of the device plugin's resource.
  var deviceResource: String? {
    switch plan.instance.accelerator {
    case .trainium1, .trainium2, .inferentia2: "aws.amazon.com/neuron"
    case .nvidia: "nvidia.com/gpu"
    case .none: nil
    }
  }

  private func machines() -> [Manifest] {
    guard plan.nodes == .karpenter else { return [] }
    let discovery = ["karpenter.sh/discovery": plan.request.cluster]
    let nodeClass = NodeClassSpec(
      amiSelectorTerms: [.init(alias: plan.request.machineImage)],
      blockDeviceMappings: [.init(ebs: .init(volumeSize: "\(plan.disk.nodeVolume)Gi"))],
      capacityReservationSelectorTerms: plan.request.capacityBlock.map { [.init(id: $0)] },
      instanceStorePolicy: plan.disk.usesLocalDisks ? "RAID0" : nil,
      role: "KarpenterNodeRole-\(plan.request.cluster)", securityGroupSelectorTerms: [.init(tags: discovery)],
      subnetSelectorTerms: [.init(tags: discovery)])
    // The comparison's servers, or the kept one's replicas when it has been scaled.
    let most = max(plan.request.replicas * plan.variants.count, plan.mostReplicas)
    let machines = (most + plan.podsPerMachine - 1) / plan.podsPerMachine
    // Karpenter does not see claims, so machines for them are counted beforehand.
    let isStatic = plan.allocation == .dra
    let pool = NodePoolSpec(
      disruption: .init(consolidateAfter: "10m", consolidationPolicy: "WhenEmpty"),
      limits: isStatic
        ? ["nodes": "\(machines)"]
        : ["cpu": "\(machines * plan.instance.processors)", "memory": "\(machines * plan.instance.hostMemory)Gi"],
      replicas: isStatic ? machines : nil,
      template: .init(
        metadata: .init(labels: ["foretoken.dev/pool": poolName]),
        spec: .init(
          expireAfter: "720h", nodeClassRef: .init(name: poolName),
          requirements: [
            .init(key: "node.kubernetes.io/instance-type", values: [plan.instance.name]),
            .init(key: "kubernetes.io/arch", values: ["amd64"]),
            // What was paid for beforehand, or what is paid by the hour; never the one for lack of the other.
            .init(
              key: "karpenter.sh/capacity-type",
              values: [plan.request.capacityBlock == nil ? "on-demand" : "reserved"]),
          ],
          taints: deviceResource.map { [.init(key: $0)] })))
    return [
      Manifest(
        .base, "node-class",
        Object(
          apiVersion: "karpenter.k8s.aws/v1", kind: "EC2NodeClass", metadata: clusterMeta(poolName), spec: nodeClass),
        open: [OpenField(path: ["spec", "role"], value: ["nodes", "role"])]),
      Manifest(
        .base, "node-pool",
        Object(apiVersion: "karpenter.sh/v1", kind: "NodePool", metadata: clusterMeta(poolName), spec: pool),
        open: [OpenField(path: ["spec", "limits"], value: ["nodes", "limits"])]),
    ]
  }
}
