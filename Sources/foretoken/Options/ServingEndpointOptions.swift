internal import ArgumentParser
internal import Foundation
internal import JSON
internal import LoadTesting

extension ServingEndpoint.Backend: ExpressibleByArgument {}

/// Flags that say where requests go and what each of them carries. Names are those of `vllm bench serve`.
struct ServingEndpointOptions: ParsableArguments {
  @Option(help: "The API to speak: openai (/v1/completions) or openai-chat (/v1/chat/completions).")
  var backend: ServingEndpoint.Backend?

  @Option(help: "The API's path, if it is not the usual one.")
  var endpoint: String?

  @Option(name: [.short, .long], help: "The model's name in requests (default: the first that the server lists).")
  var model: String?

  @Option(
    parsing: .singleValue,
    help: ArgumentHelp(
      "A header of every request; repeatable. OPENAI_API_KEY in the environment is sent as a bearer token.",
      valueName: "name=value"))
  var header: [String] = []

  @Option(help: "A JSON object whose fields join every request's body.")
  var extraBody: String?

  @Flag(help: "Ask for answers of full length, past the end of the text.")
  var ignoreEos = false

  @Option(help: "Randomness; 0 is greedy.")
  var temperature = 0.0

  @Option(help: "Keep the likeliest tokens that sum to this probability.")
  var topP: Double?

  @Option(help: "Keep this many of the likeliest tokens.")
  var topK: Int?

  @Option(help: "Keep tokens at least this probable relative to the likeliest.")
  var minP: Double?

  @Option(help: "Discourage tokens by how often the answer contains them, -2 to 2.")
  var frequencyPenalty: Double?

  @Option(help: "Discourage tokens that the answer contains, -2 to 2.")
  var presencePenalty: Double?

  @Option(help: "Above 1: discourage tokens seen in prompt or answer.")
  var repetitionPenalty: Double?

  @Flag(help: "Take any certificate of a server of HTTPS.")
  var insecure = false

  @Option(help: "Seconds without a byte after which an answer counts as timed out.")
  var stallTimeoutSec = 300.0

  @Option(help: "Seconds to wait for the server; 0 takes it as ready.")
  var readyCheckTimeoutSec = 60.0

  func validate() throws {
    _ = try fields
    _ = try headers
    guard stallTimeoutSec > 0, readyCheckTimeoutSec >= 0 else {
      throw ValidationError("--stall-timeout-sec takes more than 0, --ready-check-timeout-sec 0 or more.")
    }
    guard temperature >= 0 else {
      throw ValidationError("--temperature is \(temperature); expected 0 or more.")
    }
  }

  /// How patient the client is.
  var patience: ServingClient.Patience {
    var patience = ServingClient.Patience()
    patience.stallSeconds = stallTimeoutSec
    return patience
  }

  /// The endpoint at `baseURL`, its model still to be found if none is named.
  ///
  /// - Parameter fallback: the API for a workload when the user names none.
  func endpoint(at baseURL: String, fallback: ServingEndpoint.Backend) throws -> ServingEndpoint {
    guard let url = URL(string: baseURL), ["http", "https"].contains(url.scheme?.lowercased()), url.host != nil else {
      throw ValidationError("'\(baseURL)' is no URL of a server; expected one like http://127.0.0.1:8000.")
    }
    return ServingEndpoint(
      baseURL: baseURL, backend: backend ?? fallback, path: endpoint, model: model ?? "", headers: try headers,
      extraBody: try fields, ignoresEndOfText: ignoreEos)
  }

  private var headers: [(name: String, value: String)] {
    get throws {
      var headers: [(name: String, value: String)] = []
      if let key = ProcessInfo.processInfo.environment["OPENAI_API_KEY"], !key.isEmpty {
        headers.append(("Authorization", "Bearer \(key)"))
      }
      for text in header {
        guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
          throw ValidationError("--header '\(text)' is not of the form NAME=VALUE.")
        }
        headers.append((String(text[..<equals]), String(text[text.index(after: equals)...])))
      }
      return headers
    }
  }

  private var fields: JSONObject {
    get throws {
      var fields = JSONObject([("temperature", .number(temperature))])
      if let topP { fields["top_p"] = .number(topP) }
      if let topK { fields["top_k"] = .integer(topK) }
      if let minP { fields["min_p"] = .number(minP) }
      if let frequencyPenalty { fields["frequency_penalty"] = .number(frequencyPenalty) }
      if let presencePenalty { fields["presence_penalty"] = .number(presencePenalty) }
      if let repetitionPenalty { fields["repetition_penalty"] = .number(repetitionPenalty) }
      guard let extraBody else { return fields }
      do {
        guard case .object(let extra) = try JSONValue(parsing: extraBody) else {
          throw ValidationError("--extra-body is \(extraBody); expected a JSON object.")
        }
        for (key, value) in extra.pairs { fields[key] = value }
      } catch let error as JSONError {
        throw ValidationError("--extra-body is no JSON: \(error)")
      }
      return fields
    }
  }
}
