import Deployment
import Foundation
import JSON
import TestSupport
import Testing
import Tuning

/// Sweeps: what is rendered, what is refused, and what a candidate has in common with the deployment that it stands for.
struct SweepTests {
  private func request(
    _ engine: ServingEngine = .vllmNeuron, windows: [Int] = [3, 5, 7, 10],
    drafts: [String] = ["Qwen/Qwen3-1.7B", "Qwen/Qwen3-0.6B"],
    _ change: (inout DeploymentRequest) -> Void = { _ in }
  ) -> DeploymentRequest {
    var request = DeploymentRequest(engine: engine, target: "Qwen/Qwen3-32B")
    request.benchmarkImage = "registry.example/foretoken:0.1.0"
    (request.withBaseline, request.bucket) = (true, "my-weights")
    request.sweep = SweepRequest(windows: windows, drafts: drafts)
    change(&request)
    return request
  }

  private func documents(_ request: DeploymentRequest) throws -> [JSONValue] {
    let sweep = try DeploymentSweep(request)
    let text = try #require(try Bundle(sweep, format: .yaml).files.first { $0.path == "manifests.yaml" }).text
    let report = try ManifestCheck(schemas: Schemas.folder, versions: [KubernetesVersion(minor: 34)]).run(
      text: text, name: "sweep")
    #expect(report.findings == [])
    return try ManifestReader.documents(text: text, shown: "sweep").map(\.value)
  }

  private func job(_ documents: [JSONValue]) throws -> JSONValue {
    try #require(documents.first { $0["spec", "completions"] != nil })
  }

  @Test(arguments: [
    (ServingEngine.vllmNeuron, DeviceAllocation.dra), (.vllmNeuron, .devicePlugin), (.vllmCUDA, .devicePlugin),
  ])
  func `a sweep fits the schemas and runs its candidates one at a time`(
    engine: ServingEngine, allocation: DeviceAllocation
  ) throws {
    let job = try job(documents(request(engine) { $0.allocation = allocation }))
    #expect(job["spec", "completionMode"]?.string == "Indexed" && job["spec", "completions"]?.wholeNumber == 8)
    #expect(job["spec", "parallelism"]?.wholeNumber == 1 && job["spec", "backoffLimitPerIndex"]?.wholeNumber == 1)
    let steps = job["spec", "template", "spec", "initContainers"]?.elements ?? []
    let names = steps.compactMap { $0["name"]?.string }
    // A sidecar serves; the comparison comes after it answers.
    let server = try #require(steps.first { $0["name"]?.string == "server" })
    #expect(server["restartPolicy"]?.string == "Always")
    #expect(names.firstIndex(of: "prepare") ?? 9 < names.firstIndex(of: "server") ?? 0)
    #expect(names.last == "compare" && names.contains("keep-compiled") == (engine == .vllmNeuron))
  }

  @Test func `every candidate is there once, with the key of the deployment that it stands for`() throws {
    let sweep = try DeploymentSweep(request())
    #expect(sweep.candidates.count == 8 && Set(sweep.candidates.map(\.name)).count == 8)
    #expect(sweep.plan.draft?.name == "Qwen/Qwen3-1.7B")
    for candidate in sweep.candidates {
      var alone = request { $0.sweep = nil }
      alone.draft = candidate.plan.speculation?.draft?.name
      alone.window = candidate.plan.speculation?.window
      let plan = try DeploymentPlan(alone)
      let (own, candidates) = (try ServerCommand(plan, .speculative), try ServerCommand(candidate.plan, .speculative))
      #expect(own == candidates)
    }
  }

  @Test func `all are split as the largest draft needs`() throws {
    let sweep = try DeploymentSweep(request(.vllmCUDA, drafts: ["Qwen/Qwen3-8B", "Qwen/Qwen3-0.6B"]))
    #expect(Set(sweep.candidates.map(\.plan.tensorParallel)).count == 1)
  }

  @Test func `prices are of the devices that a server has, with their day`() throws {
    let price = try #require(try DeploymentSweep(request()).plan.price)
    #expect(abs(price.dollarsPerHour - 35.7608 / 2) < 1e-4)
    #expect(price.source?.contains("8 of 16 devices") == true && price.source?.contains("2026-05-21") == true)
    let given = try #require(try DeploymentSweep(request { $0.pricePerHour = 20 }).plan.price)
    #expect(given.dollarsPerHour == 10)
    var foretoken = DeploymentRequest(engine: .foretoken, target: "Qwen/Qwen3-4B")
    (foretoken.draft, foretoken.image, foretoken.instanceType) = ("Qwen/Qwen3-0.6B", "r.example/f:1", "m7i.8xlarge")
    (foretoken.withBaseline, foretoken.storage) = (true, .efs)
    let plan = try DeploymentPlan(foretoken)
    #expect(plan.price == nil && plan.requiresEqualOutputs)
    #expect(plan.notes.contains { $0.contains("--price-per-hour") })
  }

  @Test func `your own prompts travel with the candidates`() throws {
    let text = "{\"prompt\": \"$(HF_TOKEN) `id` \\\\ {{ .Values.x }}\"}\n{\"prompt\": \"b\"}\n"
    let all = try documents(request { $0.sweep?.dataset = text })
    let map = try #require(all.first { $0["data", "0.arguments"] != nil })
    #expect(map["data", "dataset.jsonl"]?.string == text)
    let compare = try #require(
      try job(all)["spec", "template", "spec", "initContainers"]?.elements.first { $0["name"]?.string == "compare" })
    let variables = compare["env"]?.elements ?? []
    #expect(variables.first { $0["name"]?.string == "PROMPTS" }?["value"]?.string == "2")
    #expect(variables.first { $0["name"]?.string == "WORKLOADS" }?["value"]?.string == "aws-trainium2 dataset")
  }

  @Test(arguments: [
    ("windows=", "expected windows="), ("windows=3,3", "expected windows="), ("windows=33", "1 to 32"),
    ("3,5", "expected windows="), ("windows=3,x", "expected windows="), ("windows=7,3", "ascending"),
  ])
  func `windows are read by their grammar`(text: String, words: String) {
    #expect { try SweepRequest.windows(text) } throws: { "\($0)".contains(words) }
  }

  @Test func `what cannot be swept is refused, all at once`() throws {
    func problems(_ request: DeploymentRequest) throws -> [String] {
      do { _ = try DeploymentSweep(request) } catch let refusal as DeploymentRefusal { return refusal.problems }
      throw DeploymentError("was not refused")
    }
    #expect(try problems(request { $0.window = 3 }).contains { $0.contains("both say the window") })
    #expect(
      try problems(
        request {
          $0.bucket = nil; $0.storage = .emptyDir
        }
      ).contains { $0.contains("emptyDir") })
    #expect(try problems(request(drafts: ["Qwen/Qwen3-1.7B", "Qwen/Qwen3-1.7B"])).contains { $0.contains("twice") })
    #expect(
      try problems(request(windows: Array(1...32), drafts: ["Qwen/Qwen3-1.7B", "Qwen/Qwen3-0.6B"])).contains {
        $0.contains("64 candidates")
      })
    #expect(try problems(request { $0.sweep?.dataset = "\n" }).contains { $0.contains("dataset is empty") })
    let both = try problems(
      request(drafts: ["Qwen/Qwen3-1.7B", "meta-llama/Llama-3.2-1B-Instruct"]) { $0.pricePerHour = 0 })
    #expect(both.contains { $0.contains("tokenizer") } && both.contains { $0.contains("--price-per-hour") })
    let mixed = request(drafts: ["Qwen/Qwen3-1.7B", "RedHatAI/Qwen3-32B-speculator.eagle3"])
    #expect(try problems(mixed).contains { $0.contains("one after the other") })
    #expect(throws: DeploymentError.self) { try Bundle(try DeploymentSweep(request()), format: .helm) }
  }
}
