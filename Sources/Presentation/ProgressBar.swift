internal import Foundation
internal import Synchronization

/// A line on the terminal that shows how far a long job is, whichever thread says so; silent when standard error is no
/// terminal, or one that cannot redraw a line.
package final class ProgressBar: Sendable {
  private let isVisible =
    isatty(FileHandle.standardError.fileDescriptor) == 1
    && ProcessInfo.processInfo.environment["TERM"] ?? "dumb" != "dumb"
  private let started = ContinuousClock.now
  private let lastDrawn = Mutex<ContinuousClock.Instant?>(nil)

  package init() {}

  /// Redraws, at most ten times a second and not in the first 200 ms: short jobs leave no trace.
  package func update(_ label: String, fraction: Double, detail: String = "") {
    guard isVisible else { return }
    let now = ContinuousClock.now
    guard now - started > .milliseconds(200) else { return }
    lastDrawn.withLock { lastDrawn in
      if let lastDrawn, now - lastDrawn < .milliseconds(100), fraction < 1 { return }
      lastDrawn = now
      let width = 30
      let filled = Int((min(max(fraction, 0), 1) * Double(width)).rounded(.down))
      let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
      let percent = String(format: "%3.0f %%", fraction * 100)
      Self.write("\r\u{1B}[K\(label) \(bar) \(percent) \(detail)")
    }
  }

  /// Removes the line.
  package func clear() {
    lastDrawn.withLock { lastDrawn in
      if lastDrawn != nil { Self.write("\r\u{1B}[K") }
      lastDrawn = nil
    }
  }

  private static func write(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }
}
