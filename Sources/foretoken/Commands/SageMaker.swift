internal import ArgumentParser
internal import Foundation
internal import OpenAIServer

/// SageMaker's contract for containers that host models.
///
/// https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
enum SageMaker {
  /// Where it puts the unpacked model.
  static let modelFolder = "/opt/ml/model"
  /// Where it asks.
  static let port = 8080
  /// It kills 30 seconds after the order to stop.
  private static let shutdownSeconds = 25.0

  /// The arguments without the word `serve`, the only one with which it starts an image, whatever the entry point is.
  static func own(_ arguments: [String]) -> [String] {
    let asked = ProcessInfo.processInfo.environment["FORETOKEN_SAGEMAKER"] ?? ""
    let isAsked = arguments.contains("--sagemaker") || !["", "false", "0", "no"].contains(asked.lowercased())
    return isAsked && arguments.first == "serve" ? Array(arguments.dropFirst()) : arguments
  }

  static func check(_ server: ServerOptions) throws {
    guard server.apiKey.isEmpty else {
      throw ValidationError(
        "--sagemaker with an API key (--api-key, FORETOKEN_API_KEY): SageMaker checks callers itself (IAM) and hands on no Authorization header, so that every request would be refused."
      )
    }
  }

  /// Listens where SageMaker asks, unless the port was chosen.
  static func apply(to configuration: inout ServerConfiguration) {
    configuration.answersInvocations = true
    if configuration.host == "127.0.0.1" { configuration.host = "0.0.0.0" }
    if configuration.port == ServerConfiguration(servedModelName: "").port { configuration.port = port }
    configuration.shutdownTimeout = min(configuration.shutdownTimeout, .seconds(shutdownSeconds))
  }
}
