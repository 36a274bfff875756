internal import ArgumentParser
internal import Foundation
internal import JSON
internal import Logging

/// `--log-level`.
enum LogLevel: String, ExpressibleByArgument, CaseIterable {
  case trace, debug, info, notice, warning, error

  var level: Logger.Level {
    switch self {
    case .trace: .trace
    case .debug: .debug
    case .info: .info
    case .notice: .notice
    case .warning: .warning
    case .error: .error
    }
  }
}

/// `--log-format`.
enum LogFormat: String, ExpressibleByArgument, CaseIterable {
  case text, json

  /// A logger to standard error.
  func logger(_ level: LogLevel) -> Logger {
    var logger = Logger(label: "foretoken") { label in
      switch self {
      case .text: StreamLogHandler.standardError(label: label)
      case .json: JSONLogHandler()
      }
    }
    logger.logLevel = level.level
    return logger
  }
}

/// Writes one JSON object per line to standard error.
struct JSONLogHandler: LogHandler {
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.info

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var line: [String: String] = [:]
    for (key, value) in metadata.merging(event.metadata ?? [:], uniquingKeysWith: { $1 }) { line[key] = "\(value)" }
    line["time"] = Date().formatted(.iso8601)
    line["level"] = event.level.rawValue
    line["message"] = "\(event.message)"
    guard let data = try? JSONEncoder.sorted().encode(line) else { return }
    // A log that cannot be written must not end the server.
    try? FileHandle.standardError.write(contentsOf: data + Data([UInt8(ascii: "\n")]))
  }
}
