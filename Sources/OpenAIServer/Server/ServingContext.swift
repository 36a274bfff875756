internal import HTTPTypes
internal import Decoding
internal import Foundation
internal import Logging
internal import Speculation
internal import StructuredOutput
internal import Tokenization

/// What every endpoint shares.
final class ServingContext: Sendable {
  let model: SpeculativeEngine
  let configuration: ServerConfiguration
  let logger: Logger
  /// The chat template, or why there is none.
  let chatTemplate: Result<ChatTemplate, APIError>
  /// Whether the model writes its thoughts between `<think>` and `</think>`.
  let separatesReasoning: Bool
  /// How the model writes calls of tools, when its chat template tells it to.
  let toolCallFormat: ToolCallFormat?
  let constraints: ConstraintSource
  let gate: AdmissionGate
  let running = RunningRequests()
  let connections = ConnectionTable()
  let work: RequestWork
  let metrics: ServerMetrics
  let pages: EmbeddedPages
  let started = Date()

  /// - Throws: `ChatTemplateError` for a template given by the configuration that does not parse; an error about the
  ///   embedded pages when they are damaged.
  init(model: SpeculativeEngine, configuration: ServerConfiguration, logger: Logger) throws {
    self.model = model
    self.configuration = configuration
    self.logger = logger
    let source = configuration.chatTemplate ?? model.target.tokenizer.chatTemplate
    if let given = configuration.chatTemplate {
      chatTemplate = .success(try ChatTemplate(source: given))
    } else {
      do { chatTemplate = .success(try model.target.chatTemplate()) } catch {
        chatTemplate = .failure(APIError.badRequest("\(error)", parameter: "messages"))
      }
    }
    separatesReasoning = source?.contains(ReasoningSplitter.opening) ?? false
    toolCallFormat = source.flatMap { ToolCallFormat(chatTemplate: $0) }
    constraints = ConstraintSource(model: model.target)
    work = RequestWork(threadCount: configuration.requestThreads, connections: connections, running: running)
    gate = AdmissionGate(limit: configuration.concurrentRequests + configuration.maximumQueueLength)
    metrics = ServerMetrics(modelName: configuration.servedModelNames.first ?? "", engine: model.engine)
    pages = try EmbeddedPages(
      modelNames: configuration.servedModelNames, vocabularySize: model.engine.vocabularySize)
  }

  /// The name shown in answers.
  var modelName: String { configuration.servedModelNames.first ?? "" }
  var tokenizer: Tokenizer { model.target.tokenizer }
  var engine: Engine { model.engine }

  /// Steps that one request's reading may take.
  static let readingSteps = ConstraintCompiler.defaultSteps

  /// The tokens of a prompt.
  ///
  /// - Throws: 400 for a text that has more tokens than the context for certain, before it is looked at.
  func tokens(
    of text: String, addsSpecialTokens: Bool, mostTokens: Int? = nil, budget: WorkBudget
  ) throws(APIError) -> [TokenID] {
    let most = mostTokens ?? engine.maximumLength
    if let bytes = tokenizer.mostBytes(ofTokens: most), text.utf8.count > bytes {
      throw APIError.badRequest(
        "the prompt has \(text.utf8.count) bytes; at most \(bytes) can fit the context of \(most) tokens",
        parameter: "prompt", code: "context_length_exceeded")
    }
    // Work that was called off has no answer, whatever it says.
    return tokenizer.encode(text, addsSpecialTokens: addsSpecialTokens, budget: budget) ?? []
  }

  /// Refuses a request for another model.
  func check(modelNamed name: String?) throws(APIError) {
    guard let name, !configuration.servedModelNames.contains(name) else { return }
    throw APIError(
      .notFound,
      "the model '\(name)' is not served here; served: \(configuration.servedModelNames.joined(separator: ", "))",
      kind: "invalid_request_error", parameter: "model", code: "model_not_found")
  }
}

extension ServingContext {
  /// Reads the bodies of requests.
  var body: BodyReader {
    BodyReader(maximumBytes: configuration.maximumBodyBytes, timeout: configuration.bodyTimeout)
  }
}

extension GenerationFields {
  /// Fields that choices get on request.
  var extras: TokenExtras { TokenExtras(returnsIDs: returnsTokenIDs, returnsOrigins: returnsTokenOrigins) }
}
