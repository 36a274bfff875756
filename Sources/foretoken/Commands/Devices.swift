internal import ArgumentParser
internal import Foundation
internal import PJRT
internal import Report

/// `foretoken devices`: what a PJRT plugin offers.
struct Devices: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the devices that a PJRT plugin offers.",
    discussion: """
      A plugin is a library that runs programs on accelerators. Names stand for the files that Python packages install: \
      xla-cpu-pjrt (cpu), jax-cuda13-pjrt (cuda), libneuronxla (neuron), libtpu (tpu).
      """)

  @Option(help: "The plugin: \(PJRTPluginLocation.names.joined(separator: ", ")), or the path of a library.")
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
    if json { try emitJSON(report) } else { emit(text(of: report)) }
  }

  private func text(of report: Report) -> String {
    let style = TextStyle(for: .standardOutput)
    var lines = [
      ("plugin", report.path), ("PJRT", report.version), ("platform", "\(report.platform) \(report.platform_version)"),
    ]
    lines += report.attributes.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    let width = lines.map(\.0.count).max() ?? 0
    var table = Table([("device", .right), ("kind", .left), ("memory", .right), ("in use", .right), ("", .left)])
    for device in report.devices {
      table.append([
        "\(device.id)", device.kind, device.memory_bytes.map { readable(bytes: $0) } ?? "–",
        device.used_bytes.map { readable(bytes: $0) } ?? "–", device.text,
      ])
    }
    return lines.map { style.bold($0.0.padded(to: width)) + "  " + $0.1 + "\n" }.joined() + "\n"
      + table.rendered(style: style) + "\n"
  }
}

extension String {
  fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
