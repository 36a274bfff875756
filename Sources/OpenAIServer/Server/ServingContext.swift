internal import ChatTemplates
internal import Decoding
internal import Foundation
internal import HTTPTypes
internal import Inference
internal import JSON
internal import Logging
internal import StructuredOutput
internal import Tokenization

/// What every endpoint shares.
final class ServingContext: Sendable {
  let model: SpeculativeEngine
  let configuration: ServerConfiguration
  let logger: Logger
  /// The chat templates that conversations are put into.
  let templates: ServedTemplates
  let constraints: ConstraintSource
  let gate: AdmissionGate
  let running = RunningRequests()
  let connections = ConnectionTable()
  let work: RequestWork
  let responses: ResponseStore
  let metrics: ServerMetrics
  let pages: EmbeddedPages
  let started = Date()

  /// - Throws: `ChatTemplateError` for a template given by the configuration that does not parse; an error about the
  ///   embedded pages when they are damaged.
  init(model: SpeculativeEngine, configuration: ServerConfiguration, logger: Logger) throws {
    self.model = model
    self.configuration = configuration
    self.logger = logger
    let tokenizer = model.target.tokenizer
    templates = try ServedTemplates(
      given: configuration.chatTemplate, tokenizer: tokenizer, context: model.target.templateContext,
      path: model.target.path)
    constraints = ConstraintSource(
      model: model.target,
      textTokens: templates.all.reduce(into: []) { tokens, template in
        tokens.formUnion(template.visibleTokens(in: tokenizer, hasTools: true))
      })
    work = RequestWork(threadCount: configuration.requestThreads, connections: connections, running: running)
    gate = AdmissionGate(limit: configuration.concurrentRequests + configuration.maximumQueueLength)
    responses = ResponseStore(
      maximumCount: configuration.maximumStoredResponses, maximumBytes: configuration.maximumStoredBytes)
    metrics = ServerMetrics(
      modelName: configuration.servedModelNames.first ?? "", engine: model.engine,
      cacheLabels: configuration.cacheFacts.map { ($0.name, $0.value) }
        + [("max_model_len", "\(model.engine.maximumLength)")],
      servedLabels: configuration.servedFacts.map { ($0.name.replacing(" ", with: "_"), $0.value) })
    pages = try EmbeddedPages(
      modelNames: configuration.servedModelNames, vocabularySize: model.engine.vocabularySize)
  }

  /// The name shown in answers.
  var modelName: String { configuration.servedModelNames.first ?? "" }
  var tokenizer: Tokenizer { model.target.tokenizer }
  var engine: Engine { model.engine }

  /// Steps that one request's reading may take.
  static let readingSteps = ConstraintCompiler.defaultSteps

  /// Most tokens that a text may come to where not all of them must fit the context.
  var mostReadTokens: Int { max(1 << 20, engine.maximumLength) }

  /// The tokens of a prompt.
  ///
  /// - Throws: 400 for a text that has more than `mostTokens` for certain, before it is looked at.
  func tokens(
    of text: String, parsesSpecialTokens: Bool = true, addsSpecialTokens: Bool, seams: SpecialTokenSeams? = nil,
    mostTokens: Int, budget: WorkBudget
  ) throws(APIError) -> [TokenID] {
    if let bytes = tokenizer.mostBytes(ofTokens: mostTokens), text.utf8.count > bytes {
      // The beginning is what clients look for.
      let limit =
        mostTokens == engine.maximumLength
        ? "this model's maximum context length is \(mostTokens) tokens" : "at most \(mostTokens) tokens are read"
      throw APIError.badRequest(
        "\(limit), and the prompt has \(text.utf8.count) bytes; at most \(bytes) can be so few tokens",
        parameter: "prompt", code: "context_length_exceeded")
    }
    // Work that was called off has no answer, whatever it says.
    return tokenizer.encode(
      text, parsesSpecialTokens: parsesSpecialTokens, addsSpecialTokens: addsSpecialTokens, seams: seams,
      budget: budget) ?? []
  }

  /// Whether special tokens in what a client writes become these tokens, or are text like any other.
  func parsesSpecialTokens(_ fields: JSONFields) throws(APIError) -> Bool {
    let wish = try fields.bool("parse_special")
    guard !configuration.parsesSpecialTokens, wish == true else { return wish ?? configuration.parsesSpecialTokens }
    throw .badRequest(
      "parse_special is true, and the server was started with --no-parse-special-tokens; expected false",
      parameter: "parse_special")
  }

  /// What an answer says about speculation; `nil` for nothing.
  func metrics(of usage: Usage) -> JSONValue? {
    guard model.window > 0 else { return nil }
    return usage.metrics(window: model.window, report: configuration.speculationReport)
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
  var extras: TokenExtras {
    TokenExtras(
      returnsIDs: returnsTokenIDs, returnsOrigins: returnsTokenOrigins, returnsProposals: request.listsProposals)
  }
}
