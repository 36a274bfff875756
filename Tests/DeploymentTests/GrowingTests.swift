import Foundation
import JSON
import TestSupport
import Testing

import Deployment

/// Deployments that outgrow one server: scaling, routers, neighbours, groups of machines, and what the engine is told.
struct GrowingTests {
  private func request(
    _ engine: ServingEngine = .vllmCUDA, _ target: String = "Qwen/Qwen3-8B",
    _ change: (inout DeploymentRequest) -> Void = { _ in }
  ) -> DeploymentRequest {
    var request = DeploymentRequest(engine: engine, target: target)
    request.image = engine == .foretoken ? "registry.example/foretoken:0.1.0" : nil
    request.storage = .efs
    change(&request)
    return request
  }

  private func documents(_ request: DeploymentRequest) throws -> [JSONValue] {
    let text = try Bundle.stream(try ManifestBuilder(try DeploymentPlan(request)).manifests())
    let report = try ManifestCheck(schemas: Schemas.folder, versions: [34, 37].map { KubernetesVersion(minor: $0) })
      .run(
        text: text, name: "growing")
    #expect(report.findings == [])
    return try ManifestReader.documents(text: text, shown: "growing").map(\.value)
  }

  private func problems(_ request: DeploymentRequest) throws -> [String] {
    do { _ = try DeploymentPlan(request) } catch let refusal as DeploymentRefusal { return refusal.problems }
    throw DeploymentError("was not refused")
  }

  private func object(_ kind: String, _ documents: [JSONValue]) -> JSONValue? {
    documents.first { $0["kind"]?.string == kind }
  }

  private func names(_ kind: String, _ documents: [JSONValue]) -> Set<String> {
    Set(documents.filter { $0["kind"]?.string == kind }.compactMap { $0["metadata", "name"]?.string })
  }

  // MARK: Scaling

  @Test func `replicas go slowly and within what can start`() throws {
    let scaled = try #require(
      object(
        "ScaledObject",
        try documents(
          request {
            $0.replicas = 2; $0.maximumReplicas = 6
          })))
    #expect(scaled["spec", "maxReplicaCount"]?.wholeNumber == 6 && scaled["spec", "cooldownPeriod"] == nil)
    let down = scaled["spec", "advanced", "horizontalPodAutoscalerConfig", "behavior"]?["scaleDown"]
    #expect(down?["stabilizationWindowSeconds"]?.wholeNumber == 1800)
  }

  @Test func `Karpenter may start the machines of all replicas`() throws {
    // One g6e.12xlarge has four GPUs; a pod takes one.
    for (most, machines) in [(4, 1), (5, 2), (12, 3)] {
      let pool = try #require(object("NodePool", try documents(request { $0.maximumReplicas = most })))
      #expect(pool["spec", "limits", "cpu"]?.string == "\(48 * machines)")
    }
  }

  @Test func `one disk is for one machine, now and later`() throws {
    let foretoken = request(.foretoken, "Qwen/Qwen3-4B") { $0.storage = .pvc }
    let plan = try DeploymentPlan(foretoken)
    #expect(plan.mostReplicas == 1 && plan.notes.contains { $0.contains("no autoscaling is written") })
    #expect(object("ScaledObject", try documents(foretoken)) == nil)
    var wanted = foretoken
    wanted.maximumReplicas = 3
    #expect(try problems(wanted).contains { $0.contains("--max-replicas 3 needs 3 machines") })
    // Two servers of half a machine fit on it.
    var neuron = request(.vllmNeuron, "Qwen/Qwen3-32B") { $0.storage = .pvc }
    neuron.draft = "Qwen/Qwen3-1.7B"
    #expect(try DeploymentPlan(neuron).mostReplicas == 2)
  }

  @Test func `machines that share nothing compile in every pod only when told to`() throws {
    var many = request(.vllmNeuron, "Qwen/Qwen3-32B") {
      $0.storage = nil; $0.replicas = 4
    }
    many.draft = "Qwen/Qwen3-1.7B"
    #expect(try problems(many).contains { $0.contains("--storage emptyDir to compile in every pod") })
    many.storage = .emptyDir
    #expect(try DeploymentPlan(many).storage == .emptyDir)
  }

  @Test func `the cluster's autoscaler gets the rule that makes its metric`() throws {
    let hpa = request { $0.autoscaling = .hpa }
    let files = try Bundle(try DeploymentPlan(hpa), format: .kustomize).files
    let values = try #require(files.first { $0.path == "cluster/prometheus-adapter.yaml" }).text
    let metric = object("HorizontalPodAutoscaler", try documents(hpa))?["spec", "metrics"]?.elements.first?[
      "pods", "metric", "name"]?.string
    #expect(values.contains("as: \(metric ?? "?")"))
  }

  @Test func `a chart in another namespace asks for that namespace`() throws {
    let files = try Bundle(try DeploymentPlan(request()), format: .helm).files
    let scaled = try #require(files.first { $0.path.contains("scaled-object") }).text
    #expect(scaled.contains(#"namespace="{{ .Release.Namespace }}""#) && !scaled.contains(#"namespace="foretoken""#))
    for routing in GatewayRouting.allCases {
      let elsewhere = request { ($0.routing, $0.namespace) = (routing, "where-it-was") }
      for (path, text) in try Bundle(try DeploymentPlan(elsewhere), format: .helm).files
      where path.hasPrefix("templates/") {
        #expect(!text.contains("where-it-was"), "\(routing) \(path)")
      }
    }
  }

  // MARK: Routers

  @Test(arguments: GatewayRouting.allCases)
  func `no route, pool or binding names what is not there`(routing: GatewayRouting) throws {
    let all = try documents(
      request {
        $0.routing = routing; $0.gatewayNamespace = "gateways"
      })
    let services = names("Service", all)
    for pool in all where pool["kind"]?.string == "InferencePool" {
      #expect(services.contains(pool["spec", "endpointPickerRef", "name"]?.string ?? ""))
      let labels = object("Deployment", all)?["spec", "template", "metadata", "labels"]
      for (key, value) in pool["spec", "selector", "matchLabels"]?.object?.pairs ?? [] {
        #expect(labels?[key] == value)
      }
    }
    for route in all where route["kind"]?.string == "HTTPRoute" {
      #expect(route["spec", "parentRefs"]?.elements.first?["namespace"]?.string == "gateways")
      for backend in route["spec", "rules"]?.elements.first?["backendRefs"]?.elements ?? [] {
        let kind = backend["kind"]?.string ?? "Service"
        #expect(names(kind, all).contains(backend["name"]?.string ?? ""))
      }
    }
    for binding in all where binding["kind"]?.string == "RoleBinding" {
      #expect(names("Role", all).contains(binding["roleRef", "name"]?.string ?? ""))
      for subject in binding["subjects"]?.elements ?? [] {
        #expect(names("ServiceAccount", all).contains(subject["name"]?.string ?? ""))
      }
    }
    #expect((object("HTTPRoute", all) == nil) == (routing == .none))
  }

  // MARK: A second deployment

  @Test func `a share, all or none of the first one's requests`() throws {
    let plan = try DeploymentPlan(
      request {
        ($0.name, $0.beside, $0.share) = ("second", "qwen3-8b-baseline", 25); $0.routing = .httpRoute
      })
    let files = try Bundle(plan, format: .kustomize).files
    for (part, weights) in [("share", [75, 25]), ("promote", [0, 100]), ("rollback", [100, 0])] {
      let text = try #require(files.first { $0.path == "routes/\(part)/route.yaml" }).text
      let route = try #require(ManifestReader.documents(text: text, shown: part).first).value
      #expect(route["metadata", "name"]?.string == "qwen3-8b-baseline")
      let backends = route["spec", "rules"]?.elements.first?["backendRefs"]?.elements ?? []
      #expect(backends.compactMap { $0["weight"]?.wholeNumber } == weights)
      #expect(backends.compactMap { $0["name"]?.string } == ["qwen3-8b-baseline", "second-baseline"])
      #expect(files.contains { $0.path == "overlays/\(part)/kustomization.yaml" })
    }
    // What is applied first takes no requests away.
    let production = try #require(files.first { $0.path == "overlays/production/kustomization.yaml" }).text
    #expect(!production.contains("routes"))
    let first = try ManifestBuilder(try DeploymentPlan(request())).manifests()
    let second = try ManifestBuilder(plan).manifests().filter { !$0.part.rawValue.hasPrefix("routes/") }
    func named(_ all: [Manifest]) -> Set<String> {
      Set(all.filter { $0.object.kind != "Namespace" }.map { "\($0.object.kind)/\($0.object.metadata.name)" })
    }
    #expect(named(first).isDisjoint(with: named(second)))
  }

  @Test func `neighbours need a name, a route and one server`() throws {
    #expect(try problems(request { $0.beside = "a-baseline" }).contains { $0.contains("--beside needs --name") })
    #expect(
      try problems(request { ($0.name, $0.beside) = ("a", "a-baseline") }).contains {
        $0.contains("the name of the deployment")
      })
    #expect(
      try problems(
        request {
          ($0.name, $0.beside) = ("b", "a-baseline"); $0.routing = .none
        }
      ).contains {
        $0.contains("--routing http-route or inference-pool")
      })
    #expect(
      try problems(
        request {
          ($0.name, $0.beside) = ("b", "a-baseline"); $0.share = 101
        }
      ).contains { $0.contains("--share") })
    #expect(try problems(request { $0.name = "Not A Name" }).contains { $0.contains("--name is") })
  }

  // MARK: Groups of machines

  @Test func `a replica over machines is a group whose leader answers`() throws {
    var large = request(.vllmCUDA, "meta-llama/Llama-3.3-70B-Instruct") {
      ($0.instanceType, $0.tensorParallel, $0.stages, $0.maximumLength) = ("g6.12xlarge", 4, 3, 4096)
    }
    let all = try documents(large)
    let group = try #require(object("LeaderWorkerSet", all))
    #expect(
      object("Deployment", all.filter { $0["metadata", "name"]?.string == "llama-3-3-70b-instruct-baseline" }) == nil)
    let template = group["spec", "leaderWorkerTemplate"]
    #expect(template?["size"]?.wholeNumber == 3)
    let leader = template?["leaderTemplate", "spec", "containers"]?.elements.first
    let words = (leader?["command"]?.elements ?? []) + (leader?["args"]?.elements ?? [])
    let texts = words.compactMap(\.string)
    #expect(texts.prefix(2) == ["/bin/bash", "/scripts/node.sh"] && texts.contains("--nnodes"))
    #expect(template?["workerTemplate", "spec", "containers"]?.elements.first?["readinessProbe"] == nil)
    // The service finds leaders alone.
    let service = try #require(object("Service", all))["spec", "selector"]?.object?.pairs ?? []
    let leaderLabels = template?["leaderTemplate", "metadata", "labels"]
    let workerLabels = template?["workerTemplate", "metadata", "labels"]
    #expect(
      service.allSatisfy { leaderLabels?[$0.key] == $0.value }
        && !service.allSatisfy { workerLabels?[$0.key] == $0.value })
    large.draft = "meta-llama/Llama-3.2-1B-Instruct"
    #expect(try problems(large).contains { $0.contains("does not speculate across stages") })
    large.stages = nil
    large.tensorParallel = 8
    let wide = try DeploymentPlan(large)
    #expect(wide.machinesPerReplica == 2 && wide.devices == 4 && wide.speculation != nil)
  }

  @Test func `groups are refused where they are not documented`() throws {
    let neuron = try problems(request(.vllmNeuron, "Qwen/Qwen3-32B") { $0.stages = 2 })
    #expect(neuron.contains { $0.contains("documented for one machine") })
    #expect(try problems(request { $0.stages = 99 }).contains { $0.contains("expected 1 to 64") })
  }

  // MARK: What the engine is told

  @Test(arguments: [
    ("Qwen/Qwen3-8B", "hermes", "qwen3"), ("Qwen/Qwen3-Coder-30B-A3B-Instruct", "qwen3_coder", nil),
    ("meta-llama/Llama-3.1-8B-Instruct", "llama3_json", nil), ("openai/gpt-oss-20b", "openai", "openai_gptoss"),
  ])
  func `parsers follow the family`(model: String, tools: String, reasoning: String?) throws {
    var asked = request(.vllmCUDA, model) { $0.extras.toolParser = "auto" }
    asked.targetConfiguration = ServedModel.known(model) == nil ? Places.target + "/config.json" : nil
    if reasoning != nil { asked.extras.reasoningParser = "auto" }
    let arguments = try ServerCommand(try DeploymentPlan(asked), .baseline).arguments
    let tool = try #require(arguments.firstIndex(of: "--tool-call-parser"))
    #expect(arguments[tool + 1] == tools && arguments.contains("--enable-auto-tool-choice"))
    if let reasoning {
      #expect(arguments[try #require(arguments.firstIndex(of: "--reasoning-parser")) + 1] == reasoning)
    }
  }

  @Test(arguments: [
    "--port=9", "--tensor-parallel-size=2", "--speculative-config={}", "port", "-x", "--a b", "--a=b\nc",
    "--no-headless",
  ])
  func `an argument that is written already or is none is refused`(argument: String) throws {
    #expect(try problems(request { $0.extras.arguments = [argument] }).contains { $0.contains("--engine-arg") })
  }

  @Test func `arguments reach both servers as they are`() throws {
    let given = ["--kv-cache-dtype=fp8", "--limit-mm-per-prompt={\"image\": 0}", "--x=$(HOME) `id` ; 'q'"]
    var asked = request {
      $0.extras.arguments = given; $0.withBaseline = true
    }
    (asked.draft, asked.benchmarkImage) = ("Qwen/Qwen3-0.6B", "registry.example/foretoken:0.1.0")
    let plan = try DeploymentPlan(asked)
    for variant in plan.variants { #expect(try ServerCommand(plan, variant).arguments.suffix(3) == given[...]) }
    _ = try documents(asked)
  }

  @Test func `adapters and fp8 are in the sums`() throws {
    func memory(_ change: (inout DeploymentRequest) -> Void) throws -> (weights: String, plan: DeploymentPlan) {
      let plan = try DeploymentPlan(request(.vllmCUDA, "Qwen/Qwen3-8B", change))
      return (try #require(plan.arithmetic.first { $0.topic == "weights" }).text, plan)
    }
    let plain = try memory { _ in }
    let packed = try memory { $0.extras.quantization = .fp8 }
    #expect(plain.weights.contains("= 16.4 GB"))
    // 6.95 B of 8.19 B weights are the layers' projections.
    #expect(packed.weights.contains("(fp8)") && packed.weights.contains("= 9.4 GB"))
    #expect(try ServerCommand(packed.plan, .baseline).arguments.contains("fp8"))
    let adapted = try memory {
      $0.extras.adapters = [.init(name: "sql", place: "org/sql-lora"), .init(name: "de", place: "/models/de")]
      $0.extras.largestRank = 64
    }
    #expect(adapted.weights.contains("adapters 0.7 GB"))
    let arguments = try ServerCommand(adapted.plan, .baseline).arguments
    #expect(arguments.suffix(3) == ["--lora-modules", "sql=org/sql-lora", "de=/models/de"])
    #expect(try problems(request { $0.extras.adapters = [.init(name: "a b", place: "../x")] }).count >= 2)
    #expect(
      try problems(request(.vllmNeuron, "Qwen/Qwen3-32B") { $0.extras.quantization = .fp8 }).contains {
        $0.contains("vllm-cuda")
      })
  }
}
