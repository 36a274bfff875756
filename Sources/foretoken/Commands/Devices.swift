internal import ArgumentParser
internal import PJRT
internal import Presentation

/// `foretoken devices`: what a PJRT plugin offers.
struct Devices: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the devices that a PJRT plugin offers.",
    discussion: """
      A plugin is a library that runs programs on accelerators. Names stand for the files that Python packages install: \
      xla-cpu-pjrt (cpu), jax-cuda13-pjrt (cuda), libneuronxla (neuron), libtpu (tpu).

        foretoken devices --pjrt-plugin cpu
      """)

  @Option(
    help: "The plugin: \(PJRTPluginLocation.names.joined(separator: ", ")), or the path of a library.",
    completion: .pjrtPlugin)
  var pjrtPlugin: String

  @Flag(help: "Print JSON.")
  var json = false

  private struct Report: Encodable {
    struct Device: Encodable {
      let id: Int
      let kind, text: String
      let memory_bytes, used_bytes: Int?
    }

    let path, version, platform, platform_version: String
    let attributes: [String: String]
    let devices: [Device]
  }

  func run() throws {
    let plugin = try PJRTPlugin(try PJRTPluginLocation(pjrtPlugin))
    let client = try PJRTClient(plugin)
    let report = Report(
      path: plugin.path, version: plugin.version, platform: client.platform, platform_version: client.platformVersion,
      attributes: Dictionary(plugin.attributes.map { ($0.name, $0.value) }) { first, _ in first },
      devices: try client.devices().map {
        Report.Device(id: $0.id, kind: $0.kind, text: $0.text, memory_bytes: $0.memoryBytes, used_bytes: $0.usedBytes)
      })
    if json { try emitJSON(report) } else { show(report) }
  }

  private func show(_ report: Report) {
    var facts = [
      (name: "plugin", value: report.path), ("PJRT", report.version),
      ("platform", "\(report.platform) \(report.platform_version)"),
    ]
    facts += report.attributes.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    var table = ReportPage.Table("", ["device", "kind", "name"], numbers: ["memory", "in use"])
    for device in report.devices {
      table.add([
        "\(device.id)", device.kind, device.text, device.memory_bytes.map(FigureText.bytes),
        device.used_bytes.map(FigureText.bytes),
      ])
    }
    emit(.facts(facts), .table(table))
  }
}
