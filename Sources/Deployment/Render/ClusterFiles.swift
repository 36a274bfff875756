/// What is done once, before anything is deployed: files for eksctl and kubectl, beside what is deployed again and again.
struct ClusterFiles {
  static let folder = "cluster"
  let files: [(String, String)]

  init(_ plan: DeploymentPlan) throws {
    var files: [(String, String)] = []
    if let cluster = ClusterConfiguration(plan) {
      files.append(("\(Self.folder)/eksctl.yaml", try YAMLText.encode(cluster)))
    }
    if let adapter = ManifestBuilder(plan).adapterValues {
      files.append(("\(Self.folder)/prometheus-adapter.yaml", try YAMLText.encode(adapter)))
    }
    if plan.storage == .pvc, plan.request.storageClass == nil {
      files.append(("\(Self.folder)/storage-class.yaml", try YAMLText.encode(StorageClass.gp3)))
    }
    self.files = files
  }
}

/// A storage class. https://kubernetes.io/docs/concepts/storage/storage-classes/
struct StorageClass: KubernetesObject {
  var apiVersion = "storage.k8s.io/v1"
  var kind = "StorageClass"
  var metadata: ObjectMeta
  var parameters: [String: String]
  var provisioner: String
  var volumeBindingMode: String

  static let gp3 = StorageClass(
    metadata: ObjectMeta(name: "gp3"), parameters: ["encrypted": "true", "type": "gp3"],
    provisioner: "ebs.csi.aws.com", volumeBindingMode: "WaitForFirstConsumer")
}

/// `ClusterConfig` of eksctl: https://eksctl.io/usage/schema/ (`eksctl.io/v1alpha5`).
struct ClusterConfiguration: Codable, Sendable, Equatable {
  struct Metadata: Codable, Sendable, Equatable {
    var name: String
    var region: String
    var version: String
  }
  struct Addon: Codable, Sendable, Equatable {
    var configurationValues: String?
    var name: String
  }
  struct AddonSettings: Codable, Sendable, Equatable {
    var autoApplyPodIdentityAssociations = true
  }
  struct Identity: Codable, Sendable, Equatable {
    struct Association: Codable, Sendable, Equatable {
      var namespace: String
      var permissionPolicy: Policy
      var serviceAccountName: String
    }
    struct Policy: Codable, Sendable, Equatable {
      struct Statement: Codable, Sendable, Equatable {
        var Action: [String]
        var Effect = "Allow"
        var Resource: [String]
      }
      var Statement: [Statement]
      var Version = "2012-10-17"
    }
    var podIdentityAssociations: [Association]
  }
  struct NodeGroup: Codable, Sendable, Equatable {
    struct Reservation: Codable, Sendable, Equatable {
      struct Target: Codable, Sendable, Equatable { var capacityReservationID: String }
      var capacityReservationTarget: Target
    }
    var amiFamily = "AmazonLinux2023"
    var availabilityZones: [String]?
    var capacityReservation: Reservation?
    var desiredCapacity: Int
    var instanceMarketOptions: [String: String]?
    var instanceType: String
    var name: String
    /// `NodeConfig` of nodeadm, which joins the machine's own disks.
    var overrideBootstrapCommand: String?
    var privateNetworking = true
    var volumeEncrypted = true
    var volumeSize: Int
    var volumeType = "gp3"
  }

  var addons: [Addon]
  var addonsConfig = AddonSettings()
  var apiVersion = "eksctl.io/v1alpha5"
  var availabilityZones: [String]?
  var iam: Identity?
  var kind = "ClusterConfig"
  var managedNodeGroups: [NodeGroup]
  var metadata: Metadata

  /// `nil` where it is not said in which region the cluster is made.
  init?(_ plan: DeploymentPlan) {
    guard let region = plan.request.region else { return nil }
    let builder = ManifestBuilder(plan)
    metadata = Metadata(name: plan.request.cluster, region: region, version: plan.request.kubernetes.description)
    availabilityZones = plan.request.zones.isEmpty ? nil : plan.request.zones
    let drivers: [ModelStorage: String] = [
      .pvc: "aws-ebs-csi-driver", .efs: "aws-efs-csi-driver", .fsx: "aws-fsx-csi-driver",
    ]
    addons =
      [
        // Without this setting network policies are accepted and hold nothing back.
        Addon(configurationValues: #"{"enableNetworkPolicy": "true"}"#, name: "vpc-cni"),
        Addon(name: "coredns"), Addon(name: "kube-proxy"), Addon(name: "eks-pod-identity-agent"),
      ] + (drivers[plan.storage].map { [Addon(name: $0)] } ?? [])
    iam = plan.request.bucket.map { bucket in
      let arn = "arn:aws:s3:::\(bucket)"
      return Identity(podIdentityAssociations: [
        .init(
          namespace: plan.request.namespace,
          permissionPolicy: .init(Statement: [
            .init(Action: ["s3:ListBucket"], Resource: [arn]),
            .init(
              Action: ["s3:GetObject"], Resource: ["\(arn)/models/*", "\(arn)/compiled/*", "\(arn)/results/*"]),
            .init(Action: ["s3:PutObject"], Resource: ["\(arn)/compiled/*", "\(arn)/results/*"]),
            // A sweep takes back the note that a candidate failed when it has been measured after all.
            .init(Action: ["s3:DeleteObject"], Resource: ["\(arn)/results/*"]),
          ]), serviceAccountName: builder.accountName)
      ])
    }
    managedNodeGroups = [
      NodeGroup(desiredCapacity: 2, instanceType: "m7i.large", name: "system", volumeSize: 80)
    ]
    guard plan.nodes == .nodeGroup else { return }
    managedNodeGroups.append(
      NodeGroup(
        availabilityZones: plan.request.zones.first.map { [$0] },
        capacityReservation: plan.request.capacityBlock.map {
          .init(capacityReservationTarget: .init(capacityReservationID: $0))
        }, desiredCapacity: plan.machines,
        instanceMarketOptions: plan.request.capacityBlock == nil ? nil : ["marketType": "capacity-block"],
        instanceType: plan.instance.name, name: plan.instance.family,
        overrideBootstrapCommand: plan.disk.usesLocalDisks ? Self.joinedDisks : nil, volumeSize: plan.disk.nodeVolume))
  }

  /// https://awslabs.github.io/amazon-eks-ami/nodeadm/doc/api/ (`LocalStorageOptions`)
  private static let joinedDisks = """
    apiVersion: node.eks.aws/v1alpha1
    kind: NodeConfig
    spec:
      instance:
        localStorage:
          strategy: RAID0

    """
}
