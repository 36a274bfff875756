package import Decoding

/// Writes Prometheus' text format.
package struct ExpositionText {
  package private(set) var text = ""
  private let labels: String

  package init(labels: [(String, String)]) {
    self.labels = labels.map { "\($0)=\"\(Self.escaped($1))\"" }.joined(separator: ",")
  }

  package mutating func gauge(
    _ name: String, _ help: String, _ value: Double, labels: [(String, String)] = []
  ) {
    head(name, help, "gauge")
    let extra = labels.map { "\($0)=\"\(Self.escaped($1))\"" }.joined(separator: ",")
    line(name, extra: extra.isEmpty ? nil : extra, value: "\(value)")
  }

  package mutating func counter(_ name: String, _ help: String, _ value: Int) {
    head(name + "_total", help, "counter")
    line(name + "_total", value: "\(Double(value))")
  }

  package mutating func counters(_ name: String, _ help: String, label: String, _ values: [(String, Int)]) {
    head(name + "_total", help, "counter")
    for (key, value) in values { line(name + "_total", extra: "\(label)=\"\(key)\"", value: "\(Double(value))") }
  }

  package mutating func histogram(_ name: String, _ help: String, _ histogram: Histogram) {
    head(name, help, "histogram")
    buckets(name, histogram, labels: labels)
  }

  package mutating func responses(_ counts: [(method: String, handler: String, status: Int, count: Int)]) {
    head("http_requests_total", "HTTP responses given.", "counter")
    for entry in counts {
      text +=
        "http_requests_total{method=\"\(Self.escaped(entry.method))\",handler=\"\(Self.escaped(entry.handler))\",status=\"\(entry.status)\"} \(Double(entry.count))\n"
    }
  }

  /// Those of HTTP responses, whose labels are their own.
  package mutating func durations(_ histograms: [(method: String, handler: String, histogram: Histogram)]) {
    let name = "http_request_duration_seconds"
    head(name, "From a request's head to the end of its response.", "histogram")
    for entry in histograms {
      buckets(
        name, entry.histogram,
        labels: "method=\"\(Self.escaped(entry.method))\",handler=\"\(Self.escaped(entry.handler))\"")
    }
  }

  private mutating func buckets(_ name: String, _ histogram: Histogram, labels: String) {
    func line(_ name: String, _ labels: String, _ value: Double) { text += "\(name){\(labels)} \(value)\n" }
    var count = 0
    for (bound, bucket) in zip(histogram.bounds, histogram.counts) {
      count += bucket
      line(name + "_bucket", "\(labels),le=\"\(bound)\"", Double(count))
    }
    line(name + "_bucket", "\(labels),le=\"+Inf\"", Double(histogram.count))
    line(name + "_count", labels, Double(histogram.count))
    line(name + "_sum", labels, histogram.sum)
  }

  private mutating func head(_ name: String, _ help: String, _ kind: String) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
  }

  private mutating func line(_ name: String, extra: String? = nil, value: String) {
    text += "\(name){\(labels)\(extra.map { "," + $0 } ?? "")} \(value)\n"
  }

  private static func escaped(_ value: String) -> String {
    var escaped = ""
    for character in value {
      switch character {
      case "\\": escaped += "\\\\"
      case "\"": escaped += "\\\""
      case "\n": escaped += "\\n"
      default: escaped.append(character)
      }
    }
    return escaped
  }
}
