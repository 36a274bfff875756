internal import ArgumentParser
internal import Foundation
internal import JSON
internal import Yams

/// Puts a command's arguments together from the command line, the environment and a YAML file; the first that says
/// something about a flag holds.
///
/// The environment's name of `--max-num-seqs` is `FORETOKEN_MAX_NUM_SEQS`, the file's `max-num-seqs` or `max_num_seqs`.
package struct LayeredArguments {
  /// Where a setting came from.
  package enum Source: String {
    case commandLine = "command line"
    case environment
    case file
  }

  /// One setting that is not a default.
  package struct Setting: Equatable {
    package let flag: String
    package let value: String
    package let source: Source
  }

  /// Arguments as the parser takes them.
  package private(set) var arguments: [String]
  /// Where each came from.
  package private(set) var settings: [Setting] = []

  /// Flags whose values are not shown.
  static let secrets: Set = ["api-key"]
  static let prefix = "FORETOKEN_"

  /// - Parameters:
  ///   - commandLine: the subcommand's arguments.
  ///   - flags: names of the subcommand's options, without dashes; nothing else is looked for.
  ///   - switches: those of them that take no value, and the `no-…` that switch them off.
  /// - Throws: `LayeredArgumentsError` for a file that cannot be read or holds an unknown key, and for a switch that is
  ///   neither on nor off.
  package init(
    commandLine: [String], environment: [String: String], flags: Set<String>, switches: Set<String> = []
  ) throws {
    arguments = commandLine
    settings = Self.settings(of: commandLine, switches: switches)
    var given = Set(settings.map(\.flag))
    let path = settings.last { $0.flag == "config" }?.value ?? environment[Self.prefix + "CONFIG"]
    for flag in flags.sorted() where flag != "config" && !given.contains(flag) {
      let name = Self.prefix + flag.uppercased().replacing("-", with: "_")
      guard let value = environment[name], !value.isEmpty else { continue }
      given.insert(flag)
      try add([value], of: flag, from: .environment, switches)
    }
    guard let path else { return }
    for (flag, values) in try Self.read(path, flags: flags) where !given.contains(flag) {
      try add(values, of: flag, from: .file, switches)
    }
  }

  /// Lines that show the settings, secrets hidden.
  package var summary: [String] {
    settings.map { setting in
      "\(setting.flag) = \(Self.secrets.contains(setting.flag) ? "(hidden)" : setting.value) (\(setting.source.rawValue))"
    }
  }

  /// What the command line itself says; what is no flag and no flag's value is the model.
  private static func settings(of commandLine: [String], switches: Set<String>) -> [Setting] {
    var settings: [Setting] = []
    var rest = commandLine[...]
    while let argument = rest.popFirst() {
      guard argument.hasPrefix("-"), argument.count > 1 else {
        settings.append(Setting(flag: "model", value: argument, source: .commandLine))
        continue
      }
      let parts = argument.drop { $0 == "-" }.split(separator: "=", maxSplits: 1).map(String.init)
      guard let name = parts.first else { continue }
      var flag = name == "m" ? "model" : name
      var value = parts.count > 1 ? parts[1] : switches.contains(flag) ? "true" : rest.popFirst() ?? ""
      if flag.hasPrefix("no-"), switches.contains(flag) { (flag, value) = (String(flag.dropFirst(3)), "false") }
      settings.append(Setting(flag: flag, value: value, source: .commandLine))
    }
    return settings
  }

  private mutating func add(
    _ values: [String], of flag: String, from source: Source, _ switches: Set<String>
  ) throws(LayeredArgumentsError) {
    for value in values {
      settings.append(Setting(flag: flag, value: value, source: source))
      switch value.lowercased() {
      case _ where !switches.contains(flag): arguments.append("--\(flag)=\(value)")
      case "true", "1", "yes", "on": arguments.append("--\(flag)")
      case "false", "0", "no", "off": if switches.contains("no-\(flag)") { arguments.append("--no-\(flag)") }
      default:
        throw LayeredArgumentsError("'\(flag)' is '\(value)' in the \(source.rawValue); expected true or false")
      }
    }
  }

  /// The settings of a file, in its order.
  private static func read(_ path: String, flags: Set<String>) throws -> [(String, [String])] {
    let text: String
    do { text = try String(contentsOfFile: path, encoding: .utf8) } catch {
      throw LayeredArgumentsError("cannot read the configuration file '\(path)': \(error.localizedDescription)")
    }
    let node: Node?
    do { node = try Yams.compose(yaml: text) } catch {
      throw LayeredArgumentsError("the configuration file '\(path)' is not YAML: \(error)")
    }
    guard let node else { return [] }
    guard case .mapping(let mapping) = node else {
      throw LayeredArgumentsError("the configuration file '\(path)' does not hold a mapping of flags to values")
    }
    return try mapping.map { key, value in
      let flag = (key.string ?? "").replacing("_", with: "-")
      guard flags.contains(flag), flag != "config" else {
        throw LayeredArgumentsError("the configuration file '\(path)' has the unknown key '\(key.string ?? "")'")
      }
      switch value {
      case .scalar(let scalar): return (flag, [scalar.string])
      case .sequence(let sequence):
        return (
          flag,
          try sequence.map { element in
            guard case .scalar(let scalar) = element else {
              throw LayeredArgumentsError("'\(flag)' in '\(path)' is not a list of plain values")
            }
            return scalar.string
          }
        )
      default: throw LayeredArgumentsError("'\(flag)' in '\(path)' is a mapping; expected a value or a list")
      }
    }
  }
}

extension LayeredArguments {
  /// The long names of a command's options and flags, as the argument parser describes the command; and of all flags,
  /// which take no value, `--no-…` among them: what switches something off goes by the name of what it switches.
  static func flags(of command: (some ParsableCommand).Type) throws -> (all: Set<String>, switches: Set<String>) {
    let description = try JSONValue(parsing: command._dumpHelp())
    var (all, switches): (Set<String>, Set<String>) = ([], [])
    for argument in description["command"]?["arguments"]?.array ?? [] where argument["shouldDisplay"] == true {
      let name = argument["names"]?.array?.first { $0["kind"] == "long" }?["name"]?.string
      guard let name, name != "help", name != "version" else { continue }
      all.insert(name)
      if argument["kind"] == "flag" { switches.insert(name) }
    }
    let opposites = Set(switches.map { "no-\($0)" })
    return (all.subtracting(opposites), switches)
  }
}

/// A configuration that cannot be read.
package struct LayeredArgumentsError: Error, CustomStringConvertible {
  package let description: String

  init(_ description: String) { self.description = description }
}
