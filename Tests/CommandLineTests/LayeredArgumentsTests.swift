import Foundation
import TestSupport
import Testing

import foretoken

/// What a server is started with comes from its command line, its environment and a file: the first that says something
/// about a flag holds (docs/server.md, Settings).
struct LayeredArgumentsTests {
  private static let flags: Set = [
    "model", "config", "max-num-seqs", "max-queue-length", "api-key", "host", "draft-model", "enable-prefix-caching",
    "sagemaker",
  ]
  private static let switches: Set = ["enable-prefix-caching", "no-enable-prefix-caching", "sagemaker"]

  private func layers(
    _ commandLine: [String] = [], environment: [String: String] = [:], file: String? = nil
  ) throws -> LayeredArguments {
    let directory = try TemporaryDirectory()
    var commandLine = commandLine
    if let file {
      try directory.write(Data(file.utf8), to: "serve.yaml")
      commandLine += ["--config", directory.path + "/serve.yaml"]
    }
    return try LayeredArguments(
      commandLine: commandLine, environment: environment, flags: Self.flags, switches: Self.switches)
  }

  /// What environment and file add to a command line.
  private func added(
    _ commandLine: [String] = [], environment: [String: String] = [:], file: String? = nil
  ) throws -> [String] {
    let layers = try layers(commandLine, environment: environment, file: file)
    #expect(layers.arguments.starts(with: commandLine))
    return Array(layers.arguments.dropFirst(commandLine.count + (file == nil ? 0 : 2)))
  }

  @Test(arguments: 1...40 as ClosedRange<UInt64>)
  func `wherever flags are set, the first of command line, environment and file holds`(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var (commandLine, environment, file, expected) = ([String](), [String: String](), "", [String: [String]]())
    for flag in ["max-num-seqs", "max-queue-length", "host", "draft-model"] {
      let underscored = flag.replacing("-", with: "_")
      if Bool.random(using: &random) {
        file += "\(Bool.random(using: &random) ? flag : underscored): in-file\n"
        expected[flag] = ["in-file", "file"]
      }
      if Bool.random(using: &random) {
        environment["FORETOKEN_" + underscored.uppercased()] = "in-environment"
        expected[flag] = ["in-environment", "environment"]
      }
      if Bool.random(using: &random) {
        commandLine += Bool.random(using: &random) ? ["--\(flag)", "given"] : ["--\(flag)=given"]
        expected[flag] = ["given", "command line"]
      }
    }
    let found = try layers(commandLine, environment: environment, file: file)
    let settings = found.settings.filter { $0.flag != "config" }
    #expect(settings.count == expected.count)
    for setting in settings { #expect(expected[setting.flag] == [setting.value, setting.source.rawValue]) }
    let others = expected.filter { $0.value[1] != "command line" }.map { "--\($0.key)=\($0.value[0])" }
    #expect(found.arguments.prefix(commandLine.count) == commandLine[...])
    #expect(found.arguments.dropFirst(commandLine.count + 2).sorted() == others.sorted())
  }

  @Test(arguments: ["true", "True", "1", "yes", "on"], ["false", "FALSE", "0", "no", "off"])
  func `a switch goes on and off in the environment and in the file`(on: String, off: String) throws {
    let name = "FORETOKEN_ENABLE_PREFIX_CACHING"
    #expect(try added(environment: [name: on]) == ["--enable-prefix-caching"])
    #expect(try added(environment: [name: off]) == ["--no-enable-prefix-caching"])
    #expect(try added(file: "enable-prefix-caching: \(off)") == ["--no-enable-prefix-caching"])
    #expect(try added(environment: [name: off], file: "enable-prefix-caching: \(on)") == ["--no-enable-prefix-caching"])
    // A switch that is off unless it is given has nothing to say that it stays so.
    #expect(try added(environment: ["FORETOKEN_SAGEMAKER": off]).isEmpty)
    #expect(try added(file: "sagemaker: \(on)") == ["--sagemaker"])
  }

  @Test(arguments: ["--enable-prefix-caching", "--no-enable-prefix-caching"])
  func `a switch of the command line holds either way, and takes no value`(given: String) throws {
    for value in ["true", "false"] {
      let found = try layers(
        [given, "model"], environment: ["FORETOKEN_ENABLE_PREFIX_CACHING": value],
        file: "enable_prefix_caching: \(value)")
      #expect(found.arguments.dropLast(2) == [given, "model"])
      #expect(found.settings.contains { $0.flag == "model" && $0.value == "model" })
      #expect(found.settings.filter { $0.flag.contains("caching") }.map(\.source) == [.commandLine])
    }
  }

  @Test(arguments: ["maybe", "2", "truee"])
  func `a switch that is neither on nor off is refused`(value: String) {
    let ways: [([String: String], String?)] = [(["FORETOKEN_SAGEMAKER": value], nil), ([:], "sagemaker: \(value)")]
    for (environment, file) in ways {
      let error = #expect(throws: LayeredArgumentsError.self) { try layers(environment: environment, file: file) }
      #expect(error?.description.contains("'sagemaker' is '\(value)'") == true)
    }
  }

  @Test(arguments: [["one"], ["-m", "one"], ["--model", "one"], ["--model=one"]])
  func `a model that is given in any way takes the place of the environment's`(commandLine: [String]) throws {
    let found = try layers(commandLine, environment: ["FORETOKEN_MODEL": "two"], file: "model: three")
    #expect(found.settings.filter { $0.flag == "model" }.map(\.value) == ["one"])
    #expect(try added(environment: ["FORETOKEN_MODEL": "two"], file: "model: three") == ["--model=two"])
  }

  @Test func `lists repeat a flag, and a flag given elsewhere takes the place of the whole list`() throws {
    let file = "api-key: [a, b, c]"
    #expect(try added(file: file) == ["--api-key=a", "--api-key=b", "--api-key=c"])
    #expect(try added(["--api-key", "x"], file: file).isEmpty)
    #expect(try added(environment: ["FORETOKEN_API_KEY": "y"], file: file) == ["--api-key=y"])
  }

  @Test func `keys are not shown, wherever they come from`() throws {
    let key = "correct-horse"
    for found in [
      try layers(["--api-key", key]), try layers(["--api-key=\(key)"]),
      try layers(environment: ["FORETOKEN_API_KEY": key]), try layers(file: "api_key: \(key)"),
    ] {
      #expect(found.summary.contains { $0.hasPrefix("api-key = ") })
      #expect(!found.summary.contains { $0.contains(key) })
    }
    #expect(try layers(environment: ["FORETOKEN_HOST": "::1"]).summary == ["host = ::1 (environment)"])
  }

  @Test(arguments: ["0.70", "1e3", "0x10", "007", "'yes'", "2026-11-27", "\"a: b\""])
  func `values of the file are passed on as they are written`(value: String) throws {
    #expect(try added(file: "host: \(value)") == ["--host=" + value.trimmingCharacters(in: ["'", "\""])])
  }

  @Test func `the environment may name the file, and what is empty or no flag's is not set`() throws {
    let directory = try TemporaryDirectory()
    for (name, host) in [("one", "1.1.1.1"), ("two", "2.2.2.2")] {
      try directory.write(Data("host: \(host)".utf8), to: name)
    }
    let environment = [
      "FORETOKEN_CONFIG": directory.path + "/one", "FORETOKEN_MAX_NUM_SEQS": "", "FORETOKEN_CACHE": "/tmp",
      "MAX_QUEUE_LENGTH": "3",
    ]
    #expect(try added(environment: environment) == ["--host=1.1.1.1"])
    let given = ["--config", directory.path + "/two"]
    #expect(try added(given, environment: environment) == ["--host=2.2.2.2"])
  }

  @Test(arguments: [
    ("max-num-seq: 8", "'max-num-seq'"), ("config: other.yaml", "'config'"), ("[max-num-seqs]", "mapping"),
    ("max-num-seqs", "mapping"), ("host: {a: b}", "'host'"), ("api-key: [[a]]", "'api-key'"), ("host: [", "not YAML"),
    ("no-enable-prefix-caching: true", "'no-enable-prefix-caching'"),
  ])
  func `a file that is not as it should be is refused, with its name and the place`(file: String, words: String) {
    let error = #expect(throws: LayeredArgumentsError.self) { try layers(file: file) }
    #expect(error?.description.contains("serve.yaml") == true && error?.description.contains(words) == true)
  }

  @Test func `a file that is not there is refused, and an empty one says nothing`() throws {
    let error = #expect(throws: LayeredArgumentsError.self) { try layers(["--config", "/nowhere/serve.yaml"]) }
    #expect(error?.description.contains("/nowhere/serve.yaml") == true)
    for file in ["", "# nothing\n"] { #expect(try added(file: file).isEmpty) }
  }
}
