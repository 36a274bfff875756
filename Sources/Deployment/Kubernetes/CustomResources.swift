// Objects of APIs beyond Kubernetes' own kinds for every cluster; sources are named at each.

/// Devices for a pod, by dynamic resource allocation: `resource.k8s.io/v1`, or `v1beta1` before Kubernetes 1.34.
///
/// The shapes differ: `v1` puts what is asked for under `exactly`.
/// https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/
package struct ClaimTemplateSpec: Codable, Sendable, Equatable {
  struct Claim: Codable, Sendable, Equatable {
    var devices: Devices
  }
  struct Devices: Codable, Sendable, Equatable {
    var config: [Configuration]?
    var constraints: [Constraint]?
    var requests: [Request]
  }
  struct Request: Codable, Sendable, Equatable {
    var name: String
    var exactly: Exact?
    var allocationMode: String?
    var count: Int?
    var deviceClassName: String?
    var selectors: [Selector]?
  }
  struct Exact: Codable, Sendable, Equatable {
    var allocationMode: String
    var count: Int
    var deviceClassName: String
    var selectors: [Selector]
  }
  struct Selector: Codable, Sendable, Equatable {
    var cel: [String: String]
  }
  struct Constraint: Codable, Sendable, Equatable {
    var matchAttribute: String
    var requests: [String]
  }
  struct Configuration: Codable, Sendable, Equatable {
    struct Opaque: Codable, Sendable, Equatable {
      var driver: String
      var parameters: NeuronConfiguration
    }
    var opaque: Opaque
    var requests: [String]
  }
  /// https://awsdocs-neuron.readthedocs-hosted.com/en/latest/deploy/eks/dra.html
  struct NeuronConfiguration: Codable, Sendable, Equatable {
    var apiVersion = "neuron.aws.com/v1"
    var kind = "NeuronConfig"
    var logicalNeuronCore: Int
  }
  var spec: Claim
}

/// What machines Karpenter starts: https://karpenter.sh/docs/concepts/nodepools/ (`karpenter.sh/v1`).
package struct NodePoolSpec: Codable, Sendable, Equatable {
  struct Disruption: Codable, Sendable, Equatable {
    var consolidateAfter: String
    var consolidationPolicy: String
  }
  struct Template: Codable, Sendable, Equatable {
    struct Metadata: Codable, Sendable, Equatable {
      var labels: [String: String]
    }
    struct Spec: Codable, Sendable, Equatable {
      struct ClassReference: Codable, Sendable, Equatable {
        var group = "karpenter.k8s.aws"
        var kind = "EC2NodeClass"
        var name: String
      }
      struct Requirement: Codable, Sendable, Equatable {
        var key: String
        var `operator` = "In"
        var values: [String]
      }
      struct Taint: Codable, Sendable, Equatable {
        var effect = "NoSchedule"
        var key: String
      }
      var expireAfter: String
      var nodeClassRef: ClassReference
      var requirements: [Requirement]
      var taints: [Taint]?
    }
    var metadata: Metadata
    var spec: Spec
  }
  var disruption: Disruption
  var limits: [String: String]
  /// Nodes that are always there; without it, as many as pods ask for.
  var replicas: Int?
  var template: Template
}

/// How those machines are made: https://karpenter.sh/docs/concepts/nodeclasses/ (`karpenter.k8s.aws/v1`).
package struct NodeClassSpec: Codable, Sendable, Equatable {
  struct ImageTerm: Codable, Sendable, Equatable {
    var alias: String
  }
  struct TagTerm: Codable, Sendable, Equatable {
    var tags: [String: String]
  }
  struct ReservationTerm: Codable, Sendable, Equatable {
    var id: String
  }
  struct BlockDevice: Codable, Sendable, Equatable {
    struct Disk: Codable, Sendable, Equatable {
      var deleteOnTermination = true
      var encrypted = true
      var volumeSize: String
      var volumeType = "gp3"
    }
    var deviceName = "/dev/xvda"
    var ebs: Disk
  }
  struct MetadataOptions: Codable, Sendable, Equatable {
    var httpEndpoint = "enabled"
    var httpPutResponseHopLimit = 1
    var httpTokens = "required"
  }
  var amiFamily = "AL2023"
  var amiSelectorTerms: [ImageTerm]
  var blockDeviceMappings: [BlockDevice]
  /// https://karpenter.sh/docs/tasks/odcrs/
  var capacityReservationSelectorTerms: [ReservationTerm]?
  var instanceStorePolicy: String?
  var metadataOptions = MetadataOptions()
  var role: String
  var securityGroupSelectorTerms: [TagTerm]
  var subnetSelectorTerms: [TagTerm]
}

/// What Prometheus reads: https://prometheus-operator.dev/docs/api-reference/api/ (`monitoring.coreos.com/v1`).
package struct ServiceMonitorSpec: Codable, Sendable, Equatable {
  struct Endpoint: Codable, Sendable, Equatable {
    var interval: String
    var path: String
    var port: String
  }
  var endpoints: [Endpoint]
  var selector: LabelSelector
}

/// Scaling by a query: https://keda.sh/docs/latest/reference/scaledobject-spec/ (`keda.sh/v1alpha1`).
package struct ScaledObjectSpec: Codable, Sendable, Equatable {
  struct Trigger: Codable, Sendable, Equatable {
    var metadata: [String: String]
    var type: String
  }
  struct Advanced: Codable, Sendable, Equatable {
    struct Configuration: Codable, Sendable, Equatable { var behavior: AutoscalerSpec.Behavior }
    var horizontalPodAutoscalerConfig: Configuration
  }
  var advanced: Advanced
  var maxReplicaCount: Int
  var minReplicaCount: Int
  var pollingInterval: Int
  var scaleTargetRef: [String: String]
  var triggers: [Trigger]
}

/// A way in: https://gateway-api.sigs.k8s.io/reference/spec/ (`gateway.networking.k8s.io/v1`).
package struct HTTPRouteSpec: Codable, Sendable, Equatable {
  struct Parent: Codable, Sendable, Equatable {
    var name: String
    var namespace: String?
  }
  struct Rule: Codable, Sendable, Equatable {
    struct Match: Codable, Sendable, Equatable {
      var path: [String: String]
    }
    struct Backend: Codable, Sendable, Equatable {
      var group: String?
      var kind: String?
      var name: String
      var port: Int?
      /// Of all requests, this share of the sum of weights.
      var weight: Int
    }
    struct Timeouts: Codable, Sendable, Equatable {
      var request: String
    }
    var backendRefs: [Backend]
    var matches: [Match]
    var timeouts: Timeouts
  }
  var parentRefs: [Parent]
  var rules: [Rule]
}

/// Servers among which an endpoint picker chooses by their load and caches:
/// https://gateway-api-inference-extension.sigs.k8s.io/api-types/inferencepool/ (`inference.networking.k8s.io/v1`).
package struct InferencePoolSpec: Codable, Sendable, Equatable {
  struct Picker: Codable, Sendable, Equatable {
    var failureMode = "FailOpen"
    var name: String
    var port: [String: Int]
  }
  var endpointPickerRef: Picker
  var selector: LabelSelector
  var targetPorts: [[String: Int]]
}

// MARK: Files of tools

/// `kustomization.yaml`: https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/
package struct Kustomization: Codable, Sendable, Equatable {
  var apiVersion = "kustomize.config.k8s.io/v1beta1"
  var kind = "Kustomization"
  struct Replicas: Codable, Sendable, Equatable {
    var count: Int
    var name: String
  }
  var namespace: String?
  var replicas: [Replicas]?
  package var resources: [String]
}

/// `Chart.yaml`: https://helm.sh/docs/topics/charts/
package struct ChartFile: Codable, Sendable, Equatable {
  var apiVersion = "v2"
  var appVersion: String
  var description: String
  var kubeVersion: String
  var name: String
  var type = "application"
  var version: String
}
