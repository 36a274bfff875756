/// Files that come with the program: what containers run, and the dashboard.
package enum Scripts {
  /// By the names under which pods see them.
  package static let all = [
    "sync.sh": text(PackageResources.sync_sh), "compile.sh": text(PackageResources.compile_sh),
    "benchmark.sh": text(PackageResources.benchmark_sh), "publish.sh": text(PackageResources.publish_sh),
    "sweep.sh": text(PackageResources.sweep_sh), "node.sh": text(PackageResources.node_sh),
    "drain.sh": text(PackageResources.drain_sh), "fetch.sh": text(PackageResources.fetch_sh),
  ]
  /// Waits for Jobs; runs where kubectl does.
  package static let wait = text(PackageResources.wait_sh)
  /// Grafana's, over the metrics of vLLM's names.
  package static let dashboard = text(PackageResources.grafana_dashboard_json)
  /// Recording rules and alerts, as Prometheus reads them.
  package static let rules = text(PackageResources.rules_yaml)
  /// Schemas of custom resources.
  static let customResources = PackageResources.custom_resources_json

  private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
