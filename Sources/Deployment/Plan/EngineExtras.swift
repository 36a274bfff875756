internal import ModelFiles

/// What a server is told beyond what its deployment follows from: parsers, adapters, quantisation, and arguments as given.
package struct EngineExtras: Sendable, Equatable {
  /// A LoRA adapter under the name that requests ask for it by.
  package struct Adapter: Sendable, Equatable {
    package let name: String
    /// ORG/NAME of the hub, or a folder in the pod.
    package let place: String

    package init(name: String, place: String) {
      self.name = name
      self.place = place
    }
  }

  /// A parser's name, or `auto` for the one of the model's family.
  package var toolParser: String?
  package var reasoningParser: String?
  package var adapters: [Adapter] = []
  package var largestRank = 16
  package var quantization: WeightQuantization?
  /// Each `--flag` or `--flag=value`, as the engine takes it.
  package var arguments: [String] = []

  package init() {}
}

/// How the engine packs weights when it loads them.
package enum WeightQuantization: String, Sendable, CaseIterable { case fp8 }

/// Which of vLLM's parsers reads a family's tool calls and thoughts.
///
/// https://docs.vllm.ai/en/latest/features/tool_calling/ and https://docs.vllm.ai/en/latest/features/reasoning_outputs/
enum ModelFamily {
  private static let parsers: [(prefix: String, tools: String?, reasoning: String?)] = [
    // The longest prefix holds.
    ("Qwen/Qwen3-Coder", "qwen3_coder", nil),
    ("Qwen/Qwen3-", "hermes", "qwen3"),
    ("Qwen/QwQ-", "hermes", "deepseek_r1"),
    ("Qwen/Qwen2.5-", "hermes", nil),
    ("meta-llama/Llama-3.", "llama3_json", nil),
    ("mistralai/", "mistral", nil),
    ("openai/gpt-oss-", "openai", "openai_gptoss"),
    ("deepseek-ai/DeepSeek-R1", "deepseek_v3", "deepseek_r1"),
    ("deepseek-ai/DeepSeek-V3", "deepseek_v3", nil),
  ]

  static func parsers(of model: String) -> (tools: String?, reasoning: String?)? {
    parsers.filter { model.hasPrefix($0.prefix) }.max { $0.prefix.count < $1.prefix.count }.map {
      ($0.tools, $0.reasoning)
    }
  }
}

extension Preflight {
  /// Flags that the deployment writes itself, by what says them here.
  private static let written = [
    "host": nil, "port": nil, "model": "--target", "served-model-name": nil, "max-model-len": "--max-model-len",
    "max-num-seqs": "--max-num-seqs", "tensor-parallel-size": "--tensor-parallel-size",
    "pipeline-parallel-size": "--pipeline-parallel-size", "speculative-config": "--method and --draft",
    "revision": "--revision", "tokenizer-revision": "--revision", "shutdown-timeout": "--longest-answer",
    "quantization": "--quantization", "tool-call-parser": "--tool-call-parser",
    "reasoning-parser": "--reasoning-parser", "lora-modules": "--lora", "enable-lora": "--lora",
    "max-lora-rank": "--max-lora-rank", "max-loras": "--lora", "api-key": "--api-key-secret", "nnodes": nil,
    "node-rank": nil, "master-addr": nil, "headless": nil, "override-neuron-config": nil, "additional-config": nil,
    "gpu-memory-utilization": nil, "dtype": nil, "backend": nil, "pjrt-plugin": nil, "pjrt-rows": nil,
  ]

  /// Checks what was given, and turns it into the arguments that both servers get.
  mutating func settleExtras(_ stack: EngineStack, _ target: ServedModel, _ instance: InstanceType) -> [String] {
    let extras = request.extras
    var arguments: [String] = []
    for (flag, given, isTool) in [
      ("tool-call-parser", extras.toolParser, true), ("reasoning-parser", extras.reasoningParser, false),
    ] {
      guard let given, let parser = parser(given, flag, stack, target, isTool: isTool) else { continue }
      if isTool { arguments.append("--enable-auto-tool-choice") }
      arguments += ["--\(flag)", parser]
    }
    if let quantization = extras.quantization {
      if let method = target.storedMethod {
        refuse(
          "--quantization \(quantization.rawValue): \(target.name) is quantised by \(method) already, and vLLM takes it as it is; leave it out"
        )
      } else if stack.dialect == .cuda {
        arguments += ["--quantization", quantization.rawValue]
        if instance.name.hasPrefix("p4d.") {
          note("A100 GPUs have no FP8 arithmetic: weights take half the memory and are computed with in bf16")
        }
      } else {
        refuse(
          "--quantization \(quantization.rawValue) is for --engine vllm-cuda: \(stack.description) takes quantised checkpoints, prepared for it, as its target"
        )
      }
    }
    arguments += adapters(extras, stack)
    for argument in extras.arguments {
      if let problem = Self.problem(of: argument) { refuse("--engine-arg '\(argument)': \(problem)") }
    }
    return arguments + extras.arguments
  }

  private mutating func parser(
    _ given: String, _ flag: String, _ stack: EngineStack, _ target: ServedModel, isTool: Bool
  ) -> String? {
    guard stack.dialect != .foretoken else {
      refuse("--\(flag) is vLLM's: Foretoken reads tool calls and thoughts by the model's chat template")
      return nil
    }
    guard given == "auto" else {
      if given.wholeMatch(of: /[a-z0-9_]{1,64}/) == nil {
        refuse("--\(flag) is '\(given)'; expected a parser's name, or auto")
      }
      return given
    }
    let known = ModelFamily.parsers(of: target.name)
    guard let parser = isTool ? known?.tools : known?.reasoning else {
      refuse("--\(flag) auto: no parser is known for \(target.name); name one of vLLM's")
      return nil
    }
    return parser
  }

  private mutating func adapters(_ extras: EngineExtras, _ stack: EngineStack) -> [String] {
    guard !extras.adapters.isEmpty else { return [] }
    guard stack.dialect == .cuda else {
      refuse(
        "--lora is for --engine vllm-cuda; \(stack.description) is not known to take adapters together with speculation"
      )
      return []
    }
    if ![8, 16, 32, 64, 128, 256, 320, 512].contains(extras.largestRank) {
      refuse("--max-lora-rank is \(extras.largestRank); expected 8, 16, 32, 64, 128, 256, 320 or 512, as vLLM takes it")
    }
    let names = extras.adapters.map(\.name)
    if Set(names).count != names.count { refuse("--lora gives one name twice; expected a name for each adapter") }
    for adapter in extras.adapters {
      if adapter.name.wholeMatch(of: /[A-Za-z0-9][-A-Za-z0-9._]{0,95}/) == nil {
        refuse("--lora's name is '\(adapter.name)'; expected letters, digits, '.', '_' and '-'")
      }
      let isFolder = adapter.place.wholeMatch(of: /\/[-A-Za-z0-9._\/]{1,200}/) != nil && !adapter.place.contains("..")
      if !isFolder, let expected = Grammar.repository(adapter.place) {
        refuse("--lora '\(adapter.name)' is at '\(adapter.place)'; expected a folder in the pod, or \(expected)")
      }
    }
    return [
      "--enable-lora", "--max-loras", "\(names.count)", "--max-lora-rank", "\(extras.largestRank)", "--lora-modules",
    ]
      + extras.adapters.map { "\($0.name)=\($0.place)" }
  }

  private static func problem(of argument: String) -> String? {
    guard let match = argument.wholeMatch(of: /--([a-z][-a-z0-9.]*)(=[^\p{Cc}]*)?/) else {
      return "expected --FLAG or --FLAG=VALUE, as the engine takes it"
    }
    let flag = String(match.1)
    let base = flag.hasPrefix("no-") ? String(flag.dropFirst(3)) : flag
    guard let other = written[base] else { return nil }
    return other.map { "is written already; say it with \($0)" } ?? "is written already, and depends on the rest"
  }

  /// Bytes of the adapters' matrices, in bf16: two of the rank beside each of a layer's seven projections.
  func adapterBytes(_ target: ServedModel) -> Int {
    let sides = target.layerMatrices.reduce(0) { $0 + $1.shape[0] + $1.shape[1] }
    return request.extras.adapters.count * min(max(1, request.extras.largestRank), 512) * sides * 2
  }
}
