internal import Foundation

extension Int {
  /// A number of bytes as people read it: "12.3 MB".
  package var byteText: String {
    var value = Double(self)
    for unit in ["B", "kB", "MB", "GB"] {
      if value < 1000 { return unit == "B" ? "\(self) B" : String(format: "%.1f %@", value, unit) }
      value /= 1000
    }
    return String(format: "%.2f TB", value)
  }
}
