/// An object that `kubectl apply` takes. Only the fields that Foretoken writes are there.
package protocol KubernetesObject: Codable, Sendable, Equatable {
  /// Group and version, as in `apps/v1`.
  var apiVersion: String { get }
  /// Kind, as in `Deployment`.
  var kind: String { get }
  /// Name, namespace, labels.
  var metadata: ObjectMeta { get set }
}

/// What every object says of itself.
package struct ObjectMeta: Codable, Sendable, Equatable {
  package var name: String
  var namespace: String?
  var labels: [String: String]?
  var annotations: [String: String]?
}

/// An object with a specification.
package struct Object<Spec: Codable & Sendable & Equatable>: KubernetesObject {
  package var apiVersion: String
  package var kind: String
  package var metadata: ObjectMeta
  package var spec: Spec
}

/// An object that is only there: a namespace, a service account.
package struct PlainObject: KubernetesObject {
  package var apiVersion: String
  package var kind: String
  package var metadata: ObjectMeta
  /// Of a service account: whether its token is mounted into pods.
  var automountServiceAccountToken: Bool?
}

/// Files in a cluster.
package struct ConfigMap: KubernetesObject {
  package var apiVersion = "v1"
  package var kind = "ConfigMap"
  package var metadata: ObjectMeta
  package var data: [String: String]
}

/// Selects objects by their labels.
package struct LabelSelector: Codable, Sendable, Equatable {
  var matchLabels: [String: String]
}

// MARK: Workloads

package struct DeploymentSpec: Codable, Sendable, Equatable {
  struct Strategy: Codable, Sendable, Equatable {
    struct RollingUpdate: Codable, Sendable, Equatable {
      var maxSurge: Int
      var maxUnavailable: Int
    }
    var type = "RollingUpdate"
    var rollingUpdate: RollingUpdate?
  }
  var replicas: Int
  var progressDeadlineSeconds: Int
  var selector: LabelSelector
  var strategy: Strategy
  var template: PodTemplate
}

package struct JobSpec: Codable, Sendable, Equatable {
  var backoffLimit: Int
  var activeDeadlineSeconds: Int
  var ttlSecondsAfterFinished: Int
  var template: PodTemplate
  /// Of Jobs whose pods are numbered, each with a task of its own.
  var backoffLimitPerIndex: Int?
  var completionMode: String?
  var completions: Int?
  var parallelism: Int?
  var podFailurePolicy: FailurePolicy?

  /// https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy
  struct FailurePolicy: Codable, Sendable, Equatable {
    struct Rule: Codable, Sendable, Equatable {
      struct ExitCodes: Codable, Sendable, Equatable {
        var containerName: String
        var `operator`: String
        var values: [Int]
      }
      struct Condition: Codable, Sendable, Equatable {
        var status = "True"
        var type: String
      }
      var action: String
      var onExitCodes: ExitCodes?
      var onPodConditions: [Condition]?
    }
    var rules: [Rule]
  }
}

package struct PodTemplate: Codable, Sendable, Equatable {
  struct Metadata: Codable, Sendable, Equatable {
    var labels: [String: String]
  }
  var metadata: Metadata
  var spec: PodSpec
}

package struct PodSpec: Codable, Sendable, Equatable {
  struct SecurityContext: Codable, Sendable, Equatable {
    var fsGroup = 10001
    var runAsGroup = 10001
    var runAsNonRoot = true
    var runAsUser = 10001
    var seccompProfile = ["type": "RuntimeDefault"]
  }
  struct Toleration: Codable, Sendable, Equatable {
    var key: String
    var `operator` = "Exists"
    var effect = "NoSchedule"
  }
  struct TopologySpread: Codable, Sendable, Equatable {
    var labelSelector: LabelSelector
    var maxSkew = 1
    var topologyKey: String
    var whenUnsatisfiable = "ScheduleAnyway"
  }
  struct ResourceClaim: Codable, Sendable, Equatable {
    var name: String
    var resourceClaimTemplateName: String
  }
  var automountServiceAccountToken: Bool? = false
  var containers: [Container]
  var enableServiceLinks: Bool? = false
  var initContainers: [Container]?
  var nodeSelector: [String: String]?
  var resourceClaims: [ResourceClaim]?
  var restartPolicy: String?
  var schedulerName: String?
  var securityContext = SecurityContext()
  var serviceAccountName: String
  var terminationGracePeriodSeconds: Int?
  var tolerations: [Toleration]?
  var topologySpreadConstraints: [TopologySpread]?
  var volumes: [Volume]?
}

package struct Volume: Codable, Sendable, Equatable {
  struct EmptyDirectory: Codable, Sendable, Equatable {
    var medium: String?
    var sizeLimit: String?
  }
  struct ConfigMapSource: Codable, Sendable, Equatable {
    /// Permissions of the files.
    var defaultMode = 0o555
    var name: String
  }
  struct ClaimSource: Codable, Sendable, Equatable {
    var claimName: String
  }
  var name: String
  var configMap: ConfigMapSource?
  var emptyDir: EmptyDirectory?
  var persistentVolumeClaim: ClaimSource?
}

package struct Container: Codable, Sendable, Equatable {
  struct SecurityContext: Codable, Sendable, Equatable {
    var allowPrivilegeEscalation = false
    var capabilities = ["drop": ["ALL"]]
    var readOnlyRootFilesystem = true
  }
  struct Port: Codable, Sendable, Equatable {
    var containerPort: Int
    var name: String
  }
  struct Mount: Codable, Sendable, Equatable {
    var name: String
    var mountPath: String
    var readOnly: Bool?
  }
  struct Resources: Codable, Sendable, Equatable {
    struct Claim: Codable, Sendable, Equatable {
      var name: String
    }
    var claims: [Claim]?
    var limits: [String: String]
    var requests: [String: String]
  }
  struct Execution: Codable, Sendable, Equatable {
    var command: [Verbatim]
  }
  struct Lifecycle: Codable, Sendable, Equatable {
    struct Handler: Codable, Sendable, Equatable {
      var exec: Execution?
      var sleep: [String: Int]?
    }
    var preStop: Handler
  }
  var name: String
  var image: String
  /// `Always` makes a sidecar of a container that begins before the others.
  var restartPolicy: String?
  var command: [Verbatim]?
  var args: [Verbatim]?
  var env: [EnvironmentVariable]?
  var lifecycle: Lifecycle?
  var livenessProbe: Probe?
  var ports: [Port]?
  var readinessProbe: Probe?
  var resources: Resources
  var securityContext = SecurityContext()
  var startupProbe: Probe?
  var volumeMounts: [Mount]?
  var workingDir: String?
}

package struct EnvironmentVariable: Codable, Sendable, Equatable {
  struct Source: Codable, Sendable, Equatable {
    struct SecretKey: Codable, Sendable, Equatable {
      var name: String
      var key: String
      var optional: Bool?
    }
    struct Field: Codable, Sendable, Equatable {
      var fieldPath: String
    }
    var fieldRef: Field?
    var secretKeyRef: SecretKey?
  }
  var name: String
  var value: Verbatim?
  var valueFrom: Source?

  init(_ name: String, _ value: String) {
    self.name = name
    self.value = Verbatim(value)
  }

  /// What the pod's own object says.
  init(_ name: String, field: String) {
    self.name = name
    valueFrom = Source(fieldRef: .init(fieldPath: field))
  }

  init(_ name: String, secret: String, key: String, optional: Bool = false) {
    self.name = name
    valueFrom = Source(secretKeyRef: .init(name: secret, key: key, optional: optional ? true : nil))
  }
}

package struct Probe: Codable, Sendable, Equatable {
  struct HTTPGet: Codable, Sendable, Equatable {
    var path: String
    var port: String
  }
  var exec: Container.Execution?
  struct GRPC: Codable, Sendable, Equatable {
    var port: Int
    var service: String
  }
  var failureThreshold: Int
  var grpc: GRPC?
  var httpGet: HTTPGet?
  var periodSeconds: Int
  var timeoutSeconds: Int

  static func http(_ path: String, period: Int, failures: Int) -> Probe {
    Probe(
      failureThreshold: failures, httpGet: .init(path: path, port: "http"), periodSeconds: period, timeoutSeconds: 5)
  }

  /// Of llm-d's endpoint picker: gRPC's own health protocol.
  static func health(_ port: Int, period: Int, failures: Int) -> Probe {
    Probe(
      failureThreshold: failures, grpc: .init(port: port, service: "inference-extension"), periodSeconds: period,
      timeoutSeconds: 5)
  }
}

// MARK: Network, storage, disruption, scaling

package struct ServiceSpec: Codable, Sendable, Equatable {
  struct Port: Codable, Sendable, Equatable {
    var name: String
    var port: Int
    var targetPort: String
  }
  var ports: [Port]
  var selector: [String: String]
  var type = "ClusterIP"
}

package struct DisruptionBudgetSpec: Codable, Sendable, Equatable {
  var maxUnavailable: Int
  var selector: LabelSelector
}

package struct VolumeClaimSpec: Codable, Sendable, Equatable {
  struct Resources: Codable, Sendable, Equatable {
    var requests: [String: String]
  }
  var accessModes: [String]
  var resources: Resources
  var storageClassName: String
}

package struct NetworkPolicySpec: Codable, Sendable, Equatable {
  struct Peer: Codable, Sendable, Equatable {
    struct Block: Codable, Sendable, Equatable {
      var cidr: String
      var except: [String]?
    }
    var ipBlock: Block?
    var namespaceSelector: LabelSelector?
    var podSelector: LabelSelector?
  }
  struct Port: Codable, Sendable, Equatable {
    var port: Int
    var `protocol` = "TCP"
  }
  struct Ingress: Codable, Sendable, Equatable {
    var from: [Peer]
    var ports: [Port]?
  }
  struct Egress: Codable, Sendable, Equatable {
    var to: [Peer]
    var ports: [Port]?
  }
  var podSelector: LabelSelector
  var policyTypes: [String]
  var ingress: [Ingress]?
  var egress: [Egress]?
}

package struct AutoscalerSpec: Codable, Sendable, Equatable {
  struct Target: Codable, Sendable, Equatable {
    var apiVersion = "apps/v1"
    var kind = "Deployment"
    var name: String
  }
  struct Metric: Codable, Sendable, Equatable {
    struct Pods: Codable, Sendable, Equatable {
      struct Value: Codable, Sendable, Equatable {
        var type = "AverageValue"
        var averageValue: String
      }
      var metric: [String: String]
      var target: Value
    }
    var type = "Pods"
    var pods: Pods
  }
  struct Behavior: Codable, Sendable, Equatable {
    struct Direction: Codable, Sendable, Equatable {
      struct Policy: Codable, Sendable, Equatable {
        var periodSeconds: Int
        var type: String
        var value: Int
      }
      var policies: [Policy]
      var stabilizationWindowSeconds: Int
    }
    var scaleDown: Direction
    var scaleUp: Direction
  }
  var behavior: Behavior
  var maxReplicas: Int
  var metrics: [Metric]
  var minReplicas: Int
  var scaleTargetRef: Target
}
