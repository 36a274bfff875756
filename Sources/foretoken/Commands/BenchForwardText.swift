internal import Foundation
internal import Measurement
internal import Report

/// A report of `foretoken bench forward` as tables.
struct BenchForwardText {
  private let report: ForwardReport
  private let style = TextStyle(for: .standardOutput)

  init(_ report: ForwardReport) { self.report = report }

  /// Everything: the machine, its ceilings, the passes, and where their time goes.
  var rendered: String {
    [header, ceilings, passes, breakdown].joined(separator: "\n\n") + "\n"
  }

  /// Passes on devices.
  static func rendered(_ report: DeviceForwardReport) -> String {
    let style = TextStyle(for: .standardOutput)
    var table = Table([
      ("context", .right), ("rows", .right), ("ms", .right), ("spread", .right), ("T(n)/T(1)", .right),
      ("weights GB/s", .right), ("tokens/s", .right),
    ])
    for pass in report.passes {
      let isPrefill = pass.kind == "prefill"
      table.append([
        "\(pass.context)", (isPrefill ? "prefill " : "") + "\(pass.rows)",
        String(format: "%.2f", pass.seconds.median * 1000), relative(pass.seconds),
        isPrefill ? "–" : pass.ratioToSingle.map { $0.median }.formatted(digits: 2),
        isPrefill ? "–" : String(format: "%.1f", Double(report.weightBytes) / pass.seconds.median / 1e9),
        String(format: "%.1f", Double(pass.rows) / pass.seconds.median),
      ])
    }
    return """
      \(style.bold(report.model)), \(report.dtype), \(readable(bytes: report.weightBytes)) of weights, ready in \
      \(String(format: "%.1f", report.loadSeconds)) s
      \(report.platform): \(report.devices.joined(separator: ", ")); programs of \
      \(report.programRows.map(String.init).joined(separator: ", ")) rows; medians of \(report.repetitions) rounds

      \(table.rendered(style: style))

      """
  }

  private var header: String {
    """
    \(style.bold(report.model)), quantization \(report.quantization), \(readable(bytes: report.packedWeightBytes)) of weights, \
    ready in \(seconds(report.loadSeconds)) s
    \(report.processor), \(report.threads) threads, \(report.kernels) kernels; medians of \(report.repetitions) rounds
    """
  }

  private var ceilings: String {
    var table = Table([("ceiling", .left), ("median", .right), ("spread", .right)])
    func add(_ name: String, _ spread: Spread, _ unit: String, _ scale: Double) {
      table.append([name, String(format: "%.1f %@", spread.median / scale, unit), Self.relative(spread)])
    }
    add("reads", report.ceilings.readBandwidth, "GB/s", 1e9)
    add("products of bytes", report.ceilings.byteOperations, "Gop/s", 1e9)
    add("products of floats", report.ceilings.floatOperations, "Gop/s", 1e9)
    return table.rendered(style: style)
  }

  private var passes: String {
    var table = Table([
      ("context", .right), ("rows", .right), ("ms", .right), ("spread", .right), ("T(n)/T(1)", .right),
      ("floor ms", .right), ("of floor", .right), ("of peak", .right), ("tokens/s", .right),
    ])
    for pass in report.passes {
      table.append([
        "\(pass.context)", (pass.kind == "prefill" ? "prefill " : "") + "\(pass.rows)",
        String(format: "%.2f", pass.seconds.median * 1000), Self.relative(pass.seconds),
        pass.kind == "prefill" ? "–" : pass.ratioToSingle.map { $0.median }.formatted(digits: 2),
        String(format: "%.2f", pass.floorSeconds * 1000), percent(pass.shareOfFloor), percent(pass.shareOfPeak),
        String(format: "%.1f", Double(pass.rows) / pass.seconds.median),
      ])
    }
    return table.rendered(style: style)
  }

  /// Milliseconds by kind of operation, a column for every pass.
  private var breakdown: String {
    let names = [
      "embedding", "norms", "qkv", "rope and store", "attention", "attention output", "gate and up", "down", "head",
    ]
    return Set(report.passes.map(\.context)).sorted().map { context in
      let passes = report.passes.filter { $0.context == context }
      var table = Table(
        [("ms at context \(context)", .left)]
          + passes.map { (($0.kind == "prefill" ? "pre " : "n ") + "\($0.rows)", .right) })
      for name in names {
        table.append([name] + passes.map { String(format: "%.2f", ($0.breakdown[name] ?? 0) * 1000) })
      }
      return table.rendered(style: style)
    }.joined(separator: "\n\n")
  }

  private func seconds(_ value: Double) -> String { String(format: "%.1f", value) }
  private func percent(_ value: Double) -> String { String(format: "%.0f %%", value * 100) }

  private static func relative(_ spread: Spread) -> String {
    String(format: "± %.0f %%", (spread.upperQuartile - spread.lowerQuartile) / 2 / spread.median * 100)
  }
}
