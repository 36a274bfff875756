internal import ArgumentParser
internal import Inference

/// `--task`.
enum ServedTask: String, ExpressibleByArgument, CaseIterable {
  case auto, generate, embed, rerank

  /// `nil` for what the model was made for.
  var task: ModelTask? { ModelTask(rawValue: rawValue) }
}
