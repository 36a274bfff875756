import Decoding
import Foundation
import TestSupport
import Testing

import Deployment

/// The sums before anything runs: what holds, and what is refused with which words.
struct PreflightTests {
  private func request(
    _ engine: ServingEngine = .vllmNeuron, _ target: String = "Qwen/Qwen3-32B", draft: String? = "Qwen/Qwen3-1.7B",
    _ change: (inout DeploymentRequest) -> Void = { _ in }
  ) -> DeploymentRequest {
    var request = DeploymentRequest(engine: engine, target: target)
    request.draft = draft
    request.image = engine == .foretoken ? Combination.ownImage : nil
    request.benchmarkImage = Combination.ownImage
    change(&request)
    return request
  }

  private func refusal(_ request: DeploymentRequest) throws -> DeploymentRefusal {
    do {
      _ = try DeploymentPlan(request)
    } catch let refusal as DeploymentRefusal { return refusal }
    throw DeploymentError("was not refused")
  }

  /// A configuration with about a billion weights per layer.
  private func configuration(layers: Int) -> Data {
    Data(
      """
      {"architectures": ["LlamaForCausalLM"], "hidden_size": 4096, "num_hidden_layers": \(layers),
       "num_attention_heads": 8, "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 81380,
       "vocab_size": 151936, "max_position_embeddings": 8192, "rms_norm_eps": 1e-6, "tie_word_embeddings": true}
      """.utf8)
  }

  @Test func `the published deployment is half a trn2.48xlarge with fused speculation and window 7`() throws {
    let plan = try DeploymentPlan(request { $0.withBaseline = true })
    #expect(plan.stack == .neuronInference)
    #expect(plan.speculation?.method == .draftModel)
    #expect(plan.speculation?.window == 7)
    #expect(plan.tensorParallel == 32)
    #expect(plan.devices == 8)
    #expect(plan.podsPerMachine == 2)
    #expect(plan.maximumLength == 1024 && plan.maximumSequences == 4)
    #expect(plan.allocation == .dra && plan.nodes == .nodeGroup)
    #expect(plan.variants == [.speculative, .baseline])
  }

  @Test(arguments: [
    ("Qwen/Qwen3-32B", 32.76e9), ("Qwen/Qwen3-14B", 14.77e9), ("Qwen/Qwen3-8B", 8.19e9), ("Qwen/Qwen3-4B", 4.02e9),
    ("Qwen/Qwen3-1.7B", 1.72e9), ("Qwen/Qwen3-0.6B", 0.596e9), ("meta-llama/Llama-3.1-8B-Instruct", 8.03e9),
    ("meta-llama/Llama-3.3-70B-Instruct", 70.55e9), ("meta-llama/Llama-3.2-1B-Instruct", 1.236e9),
  ])
  func `sizes of known models add up to their published parameters`(name: String, parameters: Double) throws {
    let model = try #require(ServedModel.known(name))
    #expect(abs(Double(model.parameters) / parameters - 1) < 0.005)
  }

  @Test func `tensor parallel 24 is refused: 64 heads do not divide`() throws {
    let refusal = try refusal(request { $0.tensorParallel = 24 })
    #expect(refusal.problems.contains { $0.contains("64 / 24 leaves 16") && $0.contains("1, 2, 4, 8, 16, 32, 64") })
    #expect(refusal.arithmetic.contains { $0.topic == "devices" && $0.text.contains("24 / 4 per device = 6 devices") })
  }

  @Test func `more cores than the machine has are refused`() throws {
    let refusal = try refusal(request { $0.tensorParallel = 128 })
    #expect(refusal.problems.contains { $0.contains("128 and trn2.48xlarge has 64 cores (16 devices × 4)") })
  }

  @Test func `a draft of another family is refused, and one of the family is named`() throws {
    let refusal = try refusal(request(draft: "meta-llama/Llama-3.2-1B-Instruct"))
    #expect(refusal.problems.contains { $0.contains("another tokenizer") && $0.contains("Qwen/Qwen3-1.7B") })
    #expect(refusal.arithmetic.contains { $0.text.contains("target 151936 rows, draft 128256") })
  }

  @Test func `vLLM wants equal vocabularies; Foretoken allows other padding of one tokenizer`() throws {
    let (model, padded) = (try modelDirectory(vocabulary: 1000), try modelDirectory(vocabulary: 1024))
    var asked = DeploymentRequest(engine: .foretoken, target: model.path)
    asked.draft = padded.path
    asked.image = Combination.ownImage
    let plan = try DeploymentPlan(asked)
    #expect(plan.arithmetic.contains { $0.text.contains("the same tokenizer, padded differently") })
    asked.engine = .vllmCUDA
    asked.maximumLength = 512
    let refusal = try refusal(asked)
    #expect(refusal.problems.contains { $0.contains("1024") && $0.contains("--engine foretoken") })
  }

  private func modelDirectory(vocabulary: Int) throws -> TemporaryDirectory {
    let directory = try TemporaryDirectory()
    let text = """
      {"architectures": ["Qwen3ForCausalLM"], "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
       "num_key_value_heads": 2, "head_dim": 16, "intermediate_size": 128, "vocab_size": \(vocabulary),
       "max_position_embeddings": 2048, "tie_word_embeddings": true}
      """
    try directory.write(Data(text.utf8), to: "config.json")
    try directory.write(Data("{}".utf8), to: "tokenizer.json")
    return directory
  }

  @Test func `200 GB of weights on one device of 96 GB are refused with the sum and a way out`() throws {
    let directory = try TemporaryDirectory()
    try directory.write(configuration(layers: 100), to: "config.json")
    let refusal = try refusal(
      request(.vllmNeuron, "some/Large-100B", draft: nil) {
        $0.targetConfiguration = directory.path + "/config.json"
        $0.instanceType = "trn2.3xlarge"
        $0.tensorParallel = 4
        $0.storage = .pvc
      })
    #expect(refusal.problems.contains { $0.hasPrefix("memory:") && $0.contains("trn2.48xlarge") })
    let memory = try #require(refusal.arithmetic.first { $0.topic == "memory per core" })
    #expect(memory.text.contains("of 21.60 GiB (90 % of 24.00 GiB)"))
    let weights = try #require(refusal.arithmetic.first { $0.topic == "weights" })
    #expect(weights.text.contains("= 204.6 GB"), "\(weights.text)")
  }

  @Test(arguments: [0, -3, 33])
  func `a window outside 1 to 32 is refused`(window: Int) throws {
    let refusal = try refusal(request { $0.window = window })
    #expect(refusal.problems.contains { $0.contains("--num-speculative-tokens is \(window); expected 1 to 32") })
  }

  @Test func `methods go to the version that has them, and others are named`() throws {
    #expect(try DeploymentPlan(request { $0.method = .draftModel }).stack == .neuronInference)
    let head = request(
      .vllmNeuron, "meta-llama/Llama-3.1-8B-Instruct", draft: "RedHatAI/Llama-3.1-8B-Instruct-speculator.eagle3")
    let plan = try DeploymentPlan(head)
    #expect(plan.stack == .neuronPlugin && plan.speculation?.method == .eagle3 && plan.speculation?.window == 3)
    #expect(plan.tensorParallel == 8)
    let fused = try refusal(
      request {
        $0.method = .draftModel
        $0.engineVersion = "0.24.0"
      })
    #expect(fused.problems.contains { $0.contains("--engine-version 0.9.1") && $0.contains("eagle3, dflash") })
    let lookup = try refusal(request(draft: nil) { $0.method = .ngram })
    #expect(lookup.problems.contains { $0.contains("--engine vllm-cuda") && $0.contains("--engine foretoken") })
    let suffix = try refusal(request(.vllmCUDA, draft: nil) { $0.method = .suffix })
    #expect(suffix.problems.contains { $0.contains("arctic-inference") })
  }

  @Test func `the plugin does not run on Inferentia2, and draft models do`() throws {
    let head = try refusal(
      request(
        .vllmNeuron, "meta-llama/Llama-3.1-8B-Instruct", draft: "RedHatAI/Llama-3.1-8B-Instruct-speculator.eagle3"
      ) {
        $0.instanceType = "inf2.48xlarge"
      })
    #expect(head.problems.contains { $0.contains("does not run on inf2.48xlarge") })
    let plan = try DeploymentPlan(
      request(.vllmNeuron, "Qwen/Qwen3-8B", draft: "Qwen/Qwen3-0.6B") {
        $0.instanceType = "inf2.24xlarge"
        $0.tensorParallel = 8
      })
    #expect(plan.devices == 4 && plan.allocation == .devicePlugin)
    let claims = try refusal(
      request(.vllmNeuron, "Qwen/Qwen3-8B", draft: "Qwen/Qwen3-0.6B") {
        $0.instanceType = "inf2.24xlarge"
        $0.allocation = .dra
      })
    #expect(claims.problems.contains { $0.contains("device-plugin") })
  }

  @Test func `compiled shapes end at the limits`() throws {
    let refusal = try refusal(
      request {
        $0.prefillBuckets = [128, 512]
        $0.sequenceBuckets = [4, 2]
      })
    #expect(refusal.problems.contains { $0.contains("--prefill-buckets ends at 512 and --max-model-len is 1024") })
    #expect(refusal.problems.contains { $0.contains("--batch-buckets is 4, 2; expected ascending") })
  }

  @Test func `one disk is for one machine`() throws {
    let refusal = try refusal(
      request {
        $0.replicas = 3
        $0.storage = .pvc
      })
    #expect(refusal.problems.contains { $0.contains("s3, efs or fsx") })
    #expect(refusal.arithmetic.contains { $0.topic == "machines" && $0.text.hasSuffix("= 2 machines") })
  }

  @Test func `few devices are rounded up to a connected set`() throws {
    let plan = try DeploymentPlan(
      request(.vllmNeuron, "Qwen/Qwen3-8B", draft: "Qwen/Qwen3-0.6B") { $0.tensorParallel = 8 })
    #expect(plan.devices == 4)
    #expect(plan.notes.contains { $0.contains("a pod takes 4 for 2, and 8 cores idle") })
  }

  @Test func `every problem is told at once`() throws {
    let refusal = try refusal(
      request {
        $0.tensorParallel = 24
        $0.window = 0
        $0.namespace = "Not A Name"
        $0.image = "vllm:latest"
        $0.machineImage = "al2023@latest"
        $0.replicas = 0
      })
    #expect(refusal.problems.count >= 6)
  }

  @Test func `a tuning result fills in what is not said, and another schema is refused`() throws {
    let text = """
      {"schema": "foretoken.tuning/1", "choice": {"speculates": true, "reason": "", "method": "draft_model",
       "draft": "Qwen/Qwen3-0.6B", "window": 5, "windows": [{"first": 1, "last": 4, "window": 5},
       {"first": 5, "last": 16, "window": 2}], "flags": [], "values": ""}, "entries": []}
      """
    let choice = try TuningChoice(json: Data(text.utf8), name: "result.json")
    var asked = request(.vllmCUDA, draft: nil)
    choice.apply(to: &asked)
    let plan = try DeploymentPlan(asked)
    #expect(plan.speculation?.window == 5 && plan.draft?.name == "Qwen/Qwen3-0.6B")
    let command = try ServerCommand(plan, .speculative).arguments.joined(separator: " ")
    #expect(command.contains(#""num_speculative_tokens_per_batch_size":[[1,4,5],[5,16,2]]"#))
    var explicit = request(.vllmCUDA, draft: "Qwen/Qwen3-1.7B") { $0.window = 3 }
    choice.apply(to: &explicit)
    #expect(explicit.draft == "Qwen/Qwen3-1.7B" && explicit.window == 3)
    #expect(throws: DeploymentError.self) {
      try TuningChoice(json: Data(text.replacing("tuning/1", with: "tuning/9").utf8), name: "result.json")
    }
    #expect(throws: DeploymentError.self) { try TuningChoice(json: Data("[]".utf8), name: "result.json") }
    let plain = try TuningChoice(
      json: Data(text.replacing("\"speculates\": true", with: "\"speculates\": false").utf8), name: "result.json")
    #expect(plain.method == nil)
  }

  @Test func `foretoken takes the plugin of the machine's accelerators, and as many as divide both models' heads`()
    throws
  {
    func plan(_ instance: String, parallel: Int? = nil) throws -> DeploymentPlan {
      try DeploymentPlan(
        request(.foretoken, "Qwen/Qwen3-8B", draft: "Qwen/Qwen3-0.6B") {
          ($0.instanceType, $0.tensorParallel) = (instance, parallel)
        })
    }
    #expect(try plan("r7i.4xlarge").stack == .foretoken)
    let gpu = try plan("g6e.12xlarge", parallel: 2)
    #expect(gpu.stack.plugin == "cuda" && gpu.devices == 2)
    let neuron = try plan("trn2.3xlarge")
    #expect(neuron.stack.plugin == "neuron" && neuron.tensorParallel == 4 && neuron.devices == 1)
    let refusal = try refusal(
      request(.foretoken, "Qwen/Qwen3-8B", draft: "Qwen/Qwen3-0.6B") {
        ($0.instanceType, $0.tensorParallel) = ("g6e.12xlarge", 3)
      })
    #expect(refusal.problems.contains { $0.contains("1, 2, 4, 8") })
    #expect(throws: DeploymentError.self) { try plan("inf2.24xlarge") }
  }
}
