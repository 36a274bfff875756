internal import Yams

// What watches the servers. It selects by what all servers of the model have in common.

extension ManifestBuilder {
  /// The server that is kept: the speculative one, where there is one.
  var kept: DeploymentPlan.Variant { plan.variants.first ?? .baseline }

  func operations() throws -> [Manifest] { try monitoring() + autoscaling() + gateway() }

  private func monitoring() throws -> [Manifest] {
    guard plan.request.monitoring == .prometheusOperator else { return [] }
    var dashboard = meta("\(modelSlug)-dashboard")
    // The label that Grafana's sidecar looks for.
    dashboard.labels?["grafana_dashboard"] = "1"
    // What a Prometheus of kube-prometheus-stack selects by, unless it is told otherwise: its Helm release.
    var watched = meta(modelSlug)
    watched.labels?["release"] = plan.request.prometheusRelease
    let selector = labels("server")
    return [
      Manifest(
        .monitoring, "service-monitor",
        Object(
          apiVersion: "monitoring.coreos.com/v1", kind: "ServiceMonitor", metadata: watched,
          spec: ServiceMonitorSpec(
            endpoints: [.init(interval: "15s", path: "/metrics", port: "http")],
            selector: LabelSelector(matchLabels: selector)))),
      Manifest(
        .monitoring, "prometheus-rule",
        Object(
          apiVersion: "monitoring.coreos.com/v1", kind: "PrometheusRule", metadata: watched, spec: try rules())),
      Manifest(
        .monitoring, "dashboard",
        ConfigMap(metadata: dashboard, data: ["foretoken.json": Scripts.dashboard])),
    ]
  }

  /// The rules that come with the program, with the objective that was asked for.
  private func rules() throws -> PrometheusRuleSpec {
    var spec = try YAMLDecoder().decode(PrometheusRuleSpec.self, from: Scripts.rules)
    let objective = "foretoken:inter_token_latency_objective_seconds"
    for group in spec.groups.indices {
      for rule in spec.groups[group].rules.indices where spec.groups[group].rules[rule].record == objective {
        spec.groups[group].rules[rule].expr = "vector(\(plan.request.interTokenObjective / 1000))"
      }
    }
    return spec
  }
}

/// Recording rules and alerts: https://prometheus-operator.dev/docs/api-reference/api/ (`monitoring.coreos.com/v1`).
package struct PrometheusRuleSpec: Codable, Sendable, Equatable {
  struct Group: Codable, Sendable, Equatable {
    var name: String
    var rules: [Rule]
  }
  struct Rule: Codable, Sendable, Equatable {
    var alert: String?
    var annotations: [String: String]?
    var expr: String
    var `for`: String?
    var labels: [String: String]?
    var record: String?
  }
  var groups: [Group]
}
