// A replica that spans several machines: a leader that answers, and workers.

extension ManifestBuilder {
  /// The group in place of a Deployment.
  ///
  /// https://github.com/kubernetes-sigs/lws/tree/v0.9.0/docs/examples/vllm, and for vLLM's own way to start without Ray
  /// https://docs.vllm.ai/en/latest/serving/parallelism_scaling/
  func group(_ variant: DeploymentPlan.Variant, _ pod: PodSpec) -> GroupSpec {
    let name = name(variant)
    func template(_ role: String) -> PodTemplate {
      var labels = labels(role, name)
      labels["foretoken.dev/group"] = name
      var pod = pod
      // The pods of a group must not share a machine: each takes all devices of one.
      pod.topologySpreadConstraints = nil
      for index in pod.containers.indices {
        let words = (pod.containers[index].command ?? []) + (pod.containers[index].args ?? [])
        pod.containers[index].command = ["/bin/bash", "\(ServerCommand.Place.scripts)/node.sh"]
        pod.containers[index].args = words
        guard role == "worker" else { continue }
        // A worker answers nobody; when it ends, the whole group is made anew.
        pod.containers[index].livenessProbe = nil
        pod.containers[index].readinessProbe = nil
        pod.containers[index].startupProbe = nil
        pod.containers[index].ports = nil
        pod.containers[index].lifecycle = nil
      }
      return PodTemplate(metadata: .init(labels: labels), spec: pod)
    }
    return GroupSpec(
      leaderWorkerTemplate: .init(
        leaderTemplate: template("server"), size: plan.machinesPerReplica, workerTemplate: template("worker")),
      replicas: plan.request.replicas)
  }

  /// Within the group everything is open: vLLM and NCCL choose ports.
  func groupPolicy(_ variant: DeploymentPlan.Variant) -> NetworkPolicySpec {
    let group = LabelSelector(matchLabels: ["foretoken.dev/group": name(variant)])
    return NetworkPolicySpec(
      podSelector: group, policyTypes: ["Ingress", "Egress"], ingress: [.init(from: [.init(podSelector: group)])],
      egress: [.init(to: [.init(podSelector: group)])])
  }
}

/// `LeaderWorkerSet`: https://github.com/kubernetes-sigs/lws (`leaderworkerset.x-k8s.io/v1`).
package struct GroupSpec: Codable, Sendable, Equatable {
  struct Template: Codable, Sendable, Equatable {
    var leaderTemplate: PodTemplate
    var restartPolicy = "RecreateGroupOnPodRestart"
    var size: Int
    var workerTemplate: PodTemplate
  }
  struct Rollout: Codable, Sendable, Equatable {
    struct Configuration: Codable, Sendable, Equatable {
      var maxSurge = 0
      var maxUnavailable = 1
    }
    var rollingUpdateConfiguration = Configuration()
    var type = "RollingUpdate"
  }
  var leaderWorkerTemplate: Template
  var replicas: Int
  var rolloutStrategy = Rollout()
  var startupPolicy = "LeaderCreated"
}
