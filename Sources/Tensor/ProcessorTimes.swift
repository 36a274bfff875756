internal import Foundation

/// What the machine's processors have done since it was started: the difference of two says who else computes.
package struct ProcessorTimes: Sendable, Equatable {
  /// In the system's own unit, summed over all processors.
  let busy, stolen, elapsed: UInt64
  /// Processors.
  let count: Int

  /// From the first lines of `/proc/stat` below `root`; `nil` where there is no such file.
  package init?(root: String = "/") {
    let lines = (try? String(contentsOfFile: root + "/proc/stat", encoding: .utf8))?.split(separator: "\n") ?? []
    // user, nice, system, idle, iowait, irq, softirq, steal; guests are among the first two.
    let fields = lines.first { $0.hasPrefix("cpu ") }?.split(separator: " ").dropFirst().prefix(8).map { UInt64($0) }
    guard let fields, fields.count == 8, case let times = fields.compactMap({ $0 }), times.count == 8,
      times.allSatisfy({ $0 < 1 << 56 })
    else { return nil }
    count = lines.count { $0.hasPrefix("cpu") && $0.dropFirst(3).first?.isNumber == true }
    stolen = times[7]
    elapsed = times.reduce(0, +)
    busy = elapsed - times[3] - times[4] - stolen
  }

  /// Processors that were computing, on average, since `earlier`, and those that the host kept for others; `nil` when too
  /// little time has passed to say.
  package func average(since earlier: ProcessorTimes) -> (busy: Double, stolen: Double)? {
    guard elapsed > earlier.elapsed, busy >= earlier.busy, stolen >= earlier.stolen, count > 0 else { return nil }
    let scale = Double(count) / Double(elapsed - earlier.elapsed)
    return (Double(busy - earlier.busy) * scale, Double(stolen - earlier.stolen) * scale)
  }
}
