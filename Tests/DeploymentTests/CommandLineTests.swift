import Decoding
import Foundation
import JSON
import TestSupport
import Testing

import Deployment

/// The command lines that containers get, parsed as the engines' own parsers would.
struct CommandLineTests {
  /// Flags of a vLLM version, read off its source.
  struct FlagTable {
    private var kinds: [String: String] = [:]

    init(version: String) throws {
      let text = try String(
        contentsOfFile: Places.root.path + "/Tests/DeploymentTests/Flags/vllm-\(version).txt", encoding: .utf8)
      for line in text.split(separator: "\n") where !line.hasPrefix("#") {
        let parts = line.split(separator: " ").map(String.init)
        kinds[parts[0]] = parts[1]
      }
      #expect(kinds.count > 100)
    }

    /// Values by flag; what is unknown, lacks a value or has one too many is an error.
    func parse(_ arguments: [String]) throws -> (positional: [String], values: [String: String]) {
      var rest = arguments[...]
      var (positional, values): ([String], [String: String]) = ([], [:])
      while let argument = rest.popFirst() {
        guard argument.hasPrefix("--") else {
          positional.append(argument)
          continue
        }
        if argument.hasPrefix("--no-"), kinds["--" + argument.dropFirst(5)] == "boolean" { continue }
        guard let kind = kinds[argument] else { throw DeploymentError("unknown flag \(argument)") }
        guard kind == "value" else { continue }
        guard let value = rest.popFirst() else { throw DeploymentError("\(argument) lacks its value") }
        guard values.updateValue(value, forKey: argument) == nil else { throw DeploymentError("\(argument) twice") }
      }
      return (positional, values)
    }
  }

  @Test(arguments: Combination.all.filter { $0.engine != .foretoken })
  func `vLLM of the image's version knows every flag`(combination: Combination) throws {
    let plan = try combination.plan()
    let table = try FlagTable(version: plan.stack.version)
    for variant in plan.variants {
      let command = try ServerCommand(plan, variant)
      #expect(command.program == ["vllm", "serve"])
      let (positional, values) = try table.parse(command.arguments)
      #expect(positional.count == 1)
      #expect(values["--served-model-name"] == "Qwen/Qwen3-32B")
      #expect(values["--tensor-parallel-size"] == "\(plan.tensorParallel)")
      #expect(values["--max-model-len"] == "\(plan.maximumLength)")
      for flag in ["--speculative-config", "--override-neuron-config", "--additional-config"] {
        guard let text = values[flag] else { continue }
        #expect(try JSONSerialization.jsonObject(with: Data(text.utf8)) is [String: Any], "\(flag) \(text)")
      }
      let speculates = variant == .speculative && plan.speculation != nil
      #expect((values["--speculative-config"] != nil) == speculates)
      if speculates, let text = values["--speculative-config"] {
        let value = try JSONValue.json(Data(text.utf8), name: flagName)
        #expect(value["num_speculative_tokens"]?.wholeNumber == plan.speculation?.window)
        let method = plan.stack.dialect == .neuronInference ? "eagle" : plan.speculation?.method.rawValue
        #expect(value["method"]?.string == method)
        let draft = try #require(combination.request.draft ?? (plan.speculation?.draft?.name ?? ""))
        let folder = combination.storage == .emptyDir ? "/local/models" : "/models/hub"
        let expected =
          combination.storage == .s3
          ? "/local/models/\(draft)" : plan.stack.dialect == .neuronInference ? "\(folder)/\(draft)/main" : draft
        #expect(value["model"]?.string == (draft.isEmpty ? nil : expected))
      }
    }
  }

  private let flagName = "--speculative-config"

  @Test func `the parser itself refuses what vLLM would`() throws {
    let table = try FlagTable(version: "0.24.0")
    #expect(throws: DeploymentError.self) { try table.parse(["m", "--override-neuron-config", "{}"]) }
    #expect(throws: DeploymentError.self) { try table.parse(["m", "--port"]) }
    #expect(try table.parse(["m", "--no-async-scheduling"]).values.isEmpty)
  }

  @Test func `both servers differ in speculation alone`() throws {
    for combination in Combination.all {
      let plan = try combination.plan()
      guard plan.variants.count == 2 else { continue }
      var speculative = try ServerCommand(plan, .speculative)
      let baseline = try ServerCommand(plan, .baseline)
      #expect(speculative.environment == baseline.environment)
      var arguments = speculative.arguments
      for flag in ["--speculative-config"] {
        if let index = arguments.firstIndex(of: flag) { arguments.removeSubrange(index...index + 1) }
      }
      arguments.removeAll { $0 == "--no-async-scheduling" }
      arguments = arguments.map { $0.replacing("\"enable_fused_speculation\":true,", with: "") }
      #expect(arguments == baseline.arguments, "\(combination)")
      speculative = baseline
    }
  }

  /// What a script hands on, argument by argument.
  private func run(
    _ script: String, _ arguments: [String], environment: [String: String] = [:]
  ) throws -> (Int32, String) {
    let directory = try TemporaryDirectory()
    let folder = directory.path
    for (name, text) in Scripts.all { try directory.write(Data(text.utf8), to: name) }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = ["\(folder)/\(script)"] + arguments
    process.environment = ["PATH": "/usr/bin:/bin"].merging(environment) { $1 }
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
  }

  @Test func `quotes, spaces, dollars and newlines reach the program as they are`() throws {
    let hard = [
      #"{"method": "eagle3", "model": "it's \"quoted\"", "n": 3}"#, "two words", "$HOME `id` $(id) \\ * ? ~", "a\nb",
      "", "--",
    ]
    let (status, output) = try run("benchmark.sh", ["printf", "<%s>\\n"] + hard)
    #expect(status == 0)
    #expect(output.hasPrefix(hard.map { "<\($0)>\n" }.joined()))
  }

  @Test func `the benchmark's status is the job's, at once or after publishing`() throws {
    #expect(try run("benchmark.sh", ["/bin/sh", "-c", "exit 3"]).0 == 3)
    let directory = try TemporaryDirectory()
    let folder = directory.path
    try FileManager.default.createDirectory(atPath: folder + "/results", withIntermediateDirectories: true)
    let file = ["STATUS_FILE": folder + "/results/status"]
    #expect(try run("benchmark.sh", ["/bin/sh", "-c", "exit 3"], environment: file).0 == 0)
    #expect(try run("publish.sh", [folder + "/results", folder + "/kept"], environment: file).0 == 3)
    #expect(FileManager.default.fileExists(atPath: folder + "/kept/status"))
  }

  @Test func `an endpoint that never answers and a server that ends are failures`() throws {
    let nobody = ["ENDPOINTS": "http://127.0.0.1:9", "TIMEOUT_SECONDS": "0"]
    #expect(try run("benchmark.sh", ["true"], environment: nobody).0 == 1)
    #expect(try run("compile.sh", ["/bin/sh", "-c", "exit 7"], environment: ["PORT": "9"]).0 == 1)
    #expect(try run("compile.sh", []).0 == 2)
    #expect(try run("sync.sh", ["only-one"]).0 == 2)
    #expect(try run("sync.sh", ["--try"]).0 == 2)
    #expect(try run("sync.sh", ["/nowhere-\(UUID().uuidString)", NSTemporaryDirectory()]).0 == 1)
  }

  @Test func `a half-written copy is not taken`() throws {
    let directory = try TemporaryDirectory()
    let folder = directory.path
    let (store, node, other) = (folder + "/store", folder + "/node", folder + "/other")
    try FileManager.default.createDirectory(atPath: node, withIntermediateDirectories: true)
    try Data("program".utf8).write(to: URL(fileURLWithPath: node + "/model.neff"))
    #expect(try run("sync.sh", [node, store]).0 == 0)
    #expect(try run("sync.sh", ["--if-complete", store, other]).0 == 0)
    #expect(!FileManager.default.fileExists(atPath: other + "/model.neff"))
    #expect(try run("sync.sh", ["--mark-complete", node, store]).0 == 0)
    #expect(try run("sync.sh", ["--if-complete", store, other]).0 == 0)
    #expect(try String(contentsOfFile: other + "/model.neff", encoding: .utf8) == "program")
  }
}
