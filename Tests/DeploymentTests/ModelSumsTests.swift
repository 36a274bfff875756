import Decoding
import Foundation
import TestSupport
import Testing

import Deployment

/// The sums for models that are more than dense layers in bf16: experts, recurrent layers, windows, weights that are
/// quantised already, MTP layers.
struct ModelSumsTests {
  private func request(
    _ engine: ServingEngine, _ target: String, _ change: (inout DeploymentRequest) -> Void = { _ in }
  ) -> DeploymentRequest {
    var request = DeploymentRequest(engine: engine, target: target)
    request.image = engine == .foretoken ? Combination.ownImage : nil
    request.benchmarkImage = Combination.ownImage
    change(&request)
    return request
  }

  /// The sums of a plan, by their topics.
  private func sums(_ request: DeploymentRequest) throws -> [String: String] {
    Dictionary(try DeploymentPlan(request).arithmetic.map { ($0.topic, $0.text) }) { $0 + "; " + $1 }
  }

  private func problems(_ request: DeploymentRequest) throws -> [String] {
    do { _ = try DeploymentPlan(request) } catch let refusal as DeploymentRefusal { return refusal.problems }
    return []
  }

  /// A `config.json` in a directory of its own.
  private func configuration(_ name: String, _ more: String) throws -> TemporaryDirectory {
    let directory = try TemporaryDirectory()
    try directory.write(
      Data(
        """
        {"architectures": ["\(name)"], "hidden_size": 4096, "num_hidden_layers": 36, "num_attention_heads": 32,
         "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 12288, "vocab_size": 151936,
         "max_position_embeddings": 40960, "rms_norm_eps": 1e-6, "tie_word_embeddings": false, \(more)}
        """.utf8), to: "config.json")
    return directory
  }

  // MARK: Experts

  @Test func `all experts are in memory, and a token goes through a few`() throws {
    let sums = try sums(request(.vllmCUDA, "Qwen/Qwen3-30B-A3B") { $0.maximumSequences = 4 })
    #expect(sums["weights"]?.contains("30.53 B × 2 bytes = 61.1 GB, all 128 experts of a layer") == true, "\(sums)")
    let experts = try #require(sums["experts"])
    #expect(experts.hasPrefix("8 of 128 in each of 48 layers: a token goes through 3.04 B of 30.53 B weights"))
    // 28.99 B of the weights are experts'; the embedding is looked up.
    func read(_ rows: Int) -> Double {
      let distinct = 128 * (1 - pow(15.0 / 16, Double(rows)))
      let experts = 48.0 * 3 * 2048 * 768
      return 2 * (30.532e9 - 0.3112e9 - experts * (128 - distinct)) / 1e9
    }
    for rows in [1, 4] { #expect(experts.contains(String(format: "%.1f GB", read(rows))), "\(experts)") }
    let drafted = try verifying(window: 7)
    let (plain, verification) = (read(4), read(32))
    let expected = String(
      format:
        "verification of 4 × 8 rows goes through about %.1f a layer and reads %.1f GB, %.1f plain passes: at best",
      128 * (1 - pow(15.0 / 16, 32)), verification, verification / plain)
    #expect(drafted.contains(expected), "\(drafted), expected \(expected)")
  }

  private func verifying(window: Int) throws -> String {
    try #require(
      try sums(
        request(.vllmCUDA, "Qwen/Qwen3-30B-A3B") {
          ($0.draft, $0.window, $0.maximumSequences) = ("Qwen/Qwen3-0.6B", window, 4)
        })["experts"])
  }

  @Test func `cores that cannot share an expert's channels are refused, and a way out is named`() throws {
    let directory = try configuration(
      "Qwen3MoeForCausalLM", #""num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 100"#)
    var asked = request(.vllmCUDA, directory.path) {
      ($0.tensorParallel, $0.instanceType, $0.storage) = (8, "p5.48xlarge", .pvc)
    }
    let found = try problems(asked)
    #expect(found.contains { $0.contains("have 100 channels") && $0.contains("--enable-expert-parallel") })
    asked.extras.arguments = ["--enable-expert-parallel"]
    #expect(try problems(asked) == [])
    // Where nobody says how many, it is a number that divides them.
    (asked.tensorParallel, asked.extras.arguments) = (nil, [])
    let cores = try DeploymentPlan(asked).tensorParallel
    #expect(100 % cores == 0)
  }

  @Test func `experts and recurrent layers stay on processors with Foretoken`() throws {
    let problems = try problems(request(.foretoken, "Qwen/Qwen3-30B-A3B") { $0.instanceType = "g6e.12xlarge" })
    #expect(problems.contains { $0.contains("has experts, which --backend pjrt does not compute") }, "\(problems)")
    let plan = try DeploymentPlan(request(.foretoken, "Qwen/Qwen3-30B-A3B") { $0.instanceType = "r7i.4xlarge" })
    #expect(plan.arithmetic.contains { $0.topic == "experts" })
  }

  // MARK: Weights that are quantised already

  /// 8.19 B weights of which 6.95 B are matrices of layers.
  @Test(arguments: [
    (#"{"quant_method": "fp8", "weight_block_size": [128, 128]}"#, 9.4, 16.4),
    // Four bits, for 128 weights a scale and a zero point; five bits and a scale for 32 weights.
    (#"{"quant_method": "awq", "bits": 4, "group_size": 128}"#, 6.1, 7.3),
    // The same; four bits and a scale for 32.
    (#"{"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": true}"#, 6.1, 6.4),
    (
      #"{"quant_method": "compressed-tensors", "format": "pack-quantized", "ignore": ["lm_head"], "config_groups": {"g": {"weights": {"num_bits": 4, "group_size": 128, "type": "int", "symmetric": true}}}}"#,
      6.1, 6.4
    ),
  ])
  func `checkpoints count as they are, or as packed`(json: String, stored: Double, packed: Double) throws {
    let directory = try configuration("Qwen3ForCausalLM", "\"quantization_config\": \(json)")
    func weights(_ engine: ServingEngine) throws -> String {
      let asked = request(engine, directory.path) { $0.storage = .pvc }
      return try #require(try sums(asked)["weights"])
    }
    func near(_ text: String, _ expected: Double) throws -> Bool {
      let found = try #require(text.firstMatch(of: /= ([0-9.]+) GB/)).1
      return abs((Double(found) ?? 0) - expected) < 0.15
    }
    for (engine, expected) in [(ServingEngine.vllmCUDA, stored), (.foretoken, packed)] {
      let text = try weights(engine)
      #expect(try near(text, expected), "\(text)")
    }
    let neuron = try problems(request(.vllmNeuron, directory.path) { $0.storage = .pvc })
    #expect(neuron.contains { $0.contains("is not documented to load") })
    let twice = try problems(
      request(.vllmCUDA, directory.path) { ($0.storage, $0.extras.quantization) = (.pvc, .fp8) })
    #expect(twice.contains { $0.contains("already") })
  }

  @Test func `MXFP4 is bf16 on Trainium2`() throws {
    let directory = try configuration(
      "Qwen3MoeForCausalLM",
      #""num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 1024, "quantization_config": {"quant_method": "mxfp4"}"#
    )
    let plan = try DeploymentPlan(request(.vllmNeuron, directory.path) { $0.storage = .pvc })
    #expect(plan.notes.contains { $0.contains("MXFP4 is for Trainium3") })
    #expect(plan.arithmetic.contains { $0.topic == "weights" && $0.text.contains("× 2 bytes, as mxfp4 becomes bf16") })
  }

  // MARK: Windows and recurrent layers

  @Test func `layers with a window keep its positions, where the engine lets go of the others`() throws {
    let directory = try configuration(
      "Qwen3ForCausalLM", #""use_sliding_window": true, "sliding_window": 1024, "max_window_layers": 18"#)
    func cache(_ engine: ServingEngine) throws -> String {
      let asked = request(engine, directory.path) {
        ($0.storage, $0.maximumLength, $0.maximumSequences) = (.pvc, 8192, 4)
      }
      return try #require(try sums(asked)["KV cache"])
    }
    // 4 KiB a layer and position: 18 layers of 8192 positions and 18 of 1024.
    #expect(try cache(.vllmCUDA).contains("= 2.53 GiB, as 18 of the layers keep the last 1024 tokens only"))
    #expect(try cache(.foretoken).contains("= 2.53 GiB"))
    #expect(try cache(.vllmNeuron).hasSuffix("= 4.50 GiB"))
  }

  private static let recurrent = #"""
    "linear_num_key_heads": 16, "linear_num_value_heads": 32, "linear_key_head_dim": 128, "linear_value_head_dim": 128,
    "linear_conv_kernel_dim": 4, "full_attention_interval": 4
    """#

  @Test func `recurrent layers keep states and no positions`() throws {
    let directory = try configuration("Qwen3_5ForCausalLM", Self.recurrent)
    func asked(_ engine: ServingEngine, _ change: (inout DeploymentRequest) -> Void = { _ in }) -> DeploymentRequest {
      request(engine, directory.path) {
        ($0.storage, $0.maximumLength, $0.maximumSequences) = (.pvc, 4096, 4)
        change(&$0)
      }
    }
    let sums = try sums(asked(.vllmCUDA))
    #expect(sums["KV cache"]?.contains("2 × 9 of 36 layers × 8 heads × 128 × 2 bytes = 36 KiB") == true, "\(sums)")
    // 27 layers of 32 heads of 128 × 128 singles, and three rows of 8192 channels for the convolution.
    let states = try #require(sums["recurrent states"])
    #expect(states.hasPrefix("27 of 36 layers, 57888 KiB"), "\(states)")
    #expect(states.contains("× 4 for 4 sequences"))
    #expect(try self.sums(asked(.foretoken))["recurrent states"]?.contains("× 12 for 4 sequences") == true)
    let neuron = try problems(asked(.vllmNeuron))
    #expect(neuron.contains { $0.contains("recurrent layers (Qwen3_5ForCausalLM)") })
    let cores = try problems(asked(.vllmCUDA) { ($0.tensorParallel, $0.instanceType) = (32, "p5.48xlarge") })
    #expect(cores.contains { $0.contains("16 heads of keys in its recurrent layers") })
  }

  // MARK: MTP

  @Test func `the layer that a target carries is offered, counted and named as the engine names it`() throws {
    let directory = try configuration("Qwen3_5ForCausalLM", Self.recurrent + #", "mtp_num_hidden_layers": 1"#)
    func asked(_ engine: ServingEngine, _ method: SpeculationMethod?) -> DeploymentRequest {
      request(engine, directory.path) { ($0.storage, $0.method) = (.pvc, method) }
    }
    let plain = try DeploymentPlan(asked(.vllmCUDA, nil))
    #expect(plain.notes.contains { $0.contains("carries an MTP layer: --method mtp") })
    let plan = try DeploymentPlan(asked(.vllmCUDA, .mtp))
    #expect(plan.arithmetic.contains { $0.topic == "weights" && $0.text.contains("head about") })
    let command = try ServerCommand(plan, .speculative).arguments.joined(separator: " ")
    #expect(command.contains(#"--speculative-config {"method":"mtp","num_speculative_tokens":1}"#), "\(command)")
    let own = try ServerCommand(try DeploymentPlan(asked(.foretoken, .mtp)), .speculative).arguments
    #expect(own.joined(separator: " ").contains(#"--speculative-config {"method":"mtp"}"#))
    // Neuron's documentation has EAGLE-3 and DFlash.
    #expect(try problems(asked(.vllmNeuron, .mtp)).contains { $0.contains("has no --method mtp") })
  }

  @Test func `a target that carries none is refused, and one that does not say is noted`() throws {
    let none = try configuration("Qwen3ForCausalLM", #""num_nextn_predict_layers": 0"#)
    func asked(_ target: String) -> DeploymentRequest {
      request(.vllmCUDA, target) { ($0.storage, $0.method) = (.pvc, .mtp) }
    }
    #expect(try problems(asked(none.path)).contains { $0.contains("carries none by its config.json") })
    #expect(try DeploymentPlan(asked("Qwen/Qwen3-8B")).notes.contains { $0.contains("does not say whether") })
    let several = try configuration("Qwen3ForCausalLM", #""num_nextn_predict_layers": 3"#)
    var own = asked(several.path)
    (own.engine, own.image) = (.foretoken, Combination.ownImage)
    #expect(try problems(own).contains { $0.contains("carries 3 MTP layers") })
  }
}
