internal import ArgumentParser
internal import Deployment

/// Flags that reach the engine, and a second deployment beside a first.
struct DeployEngineOptions: ParsableArguments {
  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("An argument of the engine's own; repeatable.", valueName: "--flag=value"))
  var engineArg: [String] = []

  @Option(help: "vLLM's parser of tool calls: auto for the model family's, or a name.")
  var toolCallParser: String?

  @Option(help: "vLLM's parser of thoughts: auto, or a name.")
  var reasoningParser: String?

  @Option(
    parsing: .singleValue,
    help: ArgumentHelp(
      "A LoRA adapter: ORG/NAME of the hub or a folder in the pod; repeatable.", valueName: "name=place"))
  var lora: [String] = []

  @Option(parsing: .unconditional, help: "Largest rank of the adapters.")
  var maxLoraRank = 16

  @Option(help: "Pack weights when they are loaded: \(WeightQuantization.allNames) (vllm-cuda).")
  var quantization: WeightQuantization?

  @Option(help: "The deployment's name in the cluster (default: by the model).")
  var name: String?

  @Option(help: "A running server of another deployment, such as qwen3-32b-speculative, to share its route with.")
  var beside: String?

  @Option(parsing: .unconditional, help: "Percent of its requests that this deployment gets.")
  var share = 10

  func fill(_ request: inout DeploymentRequest) throws {
    request.extras.toolParser = toolCallParser
    request.extras.reasoningParser = reasoningParser
    request.extras.adapters = try lora.map { text in
      guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
        throw ValidationError("--lora '\(text)' is not of the form NAME=PLACE.")
      }
      return .init(name: String(text[..<equals]), place: String(text[text.index(after: equals)...]))
    }
    request.extras.largestRank = maxLoraRank
    request.extras.quantization = quantization
    request.extras.arguments = engineArg
    request.name = name
    request.beside = beside
    request.share = share
  }
}

extension WeightQuantization: ExpressibleByArgument {}
