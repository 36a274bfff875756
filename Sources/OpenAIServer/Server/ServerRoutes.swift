internal import HTTPTypes
internal import Hummingbird

/// Which path and method leads where.
struct ServerRoutes {
  typealias Handler = @Sendable (Request, ServerRequestContext) async throws -> Response

  let serving: ServingContext

  private struct Route {
    let method: HTTPRequest.Method
    let path: String
    /// Whether the API key is asked for.
    let isGuarded: Bool
    let handler: Handler
  }

  func router() -> Router<ServerRequestContext> {
    let router = Router(context: ServerRequestContext.self, options: .autoGenerateHeadEndpoints)
    router.add(middleware: ErrorResponses(serving: serving))
    let configuration = serving.configuration
    router.add(middleware: HostCheck(listening: configuration.host, allowed: configuration.allowedHosts))
    router.add(middleware: CrossOrigin(origins: configuration.allowedOrigins))
    let guarded = router.group().add(middleware: KeyCheck(keys: configuration.apiKeys))
    let routes = routes
    for route in routes {
      let path = RouterPath(route.path)
      if route.isGuarded {
        guarded.on(path, method: route.method, use: route.handler)
      } else {
        router.on(path, method: route.method, use: route.handler)
      }
    }
    refuseOtherMethods(of: routes, router)
    return router
  }

  private var routes: [Route] {
    let chat = ChatEndpoint(serving: serving)
    let completion = CompletionEndpoint(serving: serving)
    let responses = ResponsesEndpoint(serving: serving)
    let messages = MessagesEndpoint(serving: serving)
    let tokens = TokenEndpoints(serving: serving)
    let models = ModelEndpoints(serving: serving)
    let status = StatusEndpoints(serving: serving)
    let invocations = InvocationEndpoint(serving: serving)
    let sageMaker =
      serving.configuration.answersInvocations
      ? [Route(method: .post, path: "/invocations", isGuarded: true, handler: invocations.handle)] : []
    return sageMaker + [
      Route(method: .post, path: "/v1/chat/completions", isGuarded: true, handler: chat.handle),
      Route(method: .post, path: "/v1/completions", isGuarded: true, handler: completion.handle),
      Route(method: .post, path: "/v1/responses", isGuarded: true, handler: responses.create),
      Route(method: .post, path: "/v1/responses/input_tokens", isGuarded: true, handler: responses.inputTokens),
      Route(method: .get, path: "/v1/responses/{id}", isGuarded: true, handler: responses.retrieve),
      Route(method: .delete, path: "/v1/responses/{id}", isGuarded: true, handler: responses.delete),
      Route(method: .post, path: "/v1/responses/{id}/cancel", isGuarded: true, handler: responses.cancel),
      Route(method: .get, path: "/v1/responses/{id}/input_items", isGuarded: true, handler: responses.inputItems),
      Route(method: .post, path: "/v1/messages", isGuarded: true, handler: messages.create),
      Route(method: .post, path: "/v1/messages/count_tokens", isGuarded: true, handler: messages.countTokens),
      Route(method: .get, path: "/v1/models", isGuarded: true, handler: models.list),
      Route(method: .get, path: "/v1/models/**", isGuarded: true, handler: models.one),
    ] + pooling + ollama + llamaCpp + [
      Route(method: .post, path: "/tokenize", isGuarded: true, handler: tokens.tokenize),
      Route(method: .post, path: "/detokenize", isGuarded: true, handler: tokens.detokenize),
      Route(method: .get, path: "/tokenizer_info", isGuarded: true, handler: tokens.information),
      Route(method: .get, path: "/health", isGuarded: false, handler: status.health),
      Route(method: .get, path: "/ping", isGuarded: false, handler: status.health),
      Route(method: .post, path: "/ping", isGuarded: false, handler: status.health),
      Route(method: .get, path: "/version", isGuarded: false, handler: status.version),
      Route(method: .get, path: "/metrics", isGuarded: false, handler: status.metrics),
      Route(method: .get, path: "/openapi.json", isGuarded: false, handler: status.description),
      Route(method: .get, path: "/", isGuarded: false, handler: status.playground),
      Route(method: .get, path: "/page/:name", isGuarded: false, handler: status.part),
    ]
  }

  /// Embeddings and scores, under the paths that vLLM, Cohere, Jina and llama.cpp have them at.
  private var pooling: [Route] {
    let (embeddings, rerank) = (EmbeddingEndpoint(serving: serving), RerankEndpoint(serving: serving))
    let score = ScoreEndpoint(serving: serving)
    return [Route(method: .post, path: "/v1/embeddings", isGuarded: true, handler: embeddings.handle)]
      + ["/rerank", "/v1/rerank", "/v2/rerank"].map {
        Route(method: .post, path: $0, isGuarded: true, handler: rerank.handle)
      }
      + ["/score", "/v1/score"].map { Route(method: .post, path: $0, isGuarded: true, handler: score.handle) }
  }

  private var ollama: [Route] {
    let answers = OllamaEndpoints(serving: serving)
    let embeddings = OllamaEmbeddingEndpoints(serving: serving)
    let models = OllamaModelEndpoints(serving: serving)
    return [
      Route(method: .post, path: "/api/chat", isGuarded: true, handler: answers.chat),
      Route(method: .post, path: "/api/generate", isGuarded: true, handler: answers.generate),
      Route(method: .post, path: "/api/embed", isGuarded: true, handler: embeddings.embed),
      Route(method: .post, path: "/api/embeddings", isGuarded: true, handler: embeddings.embedOne),
      Route(method: .get, path: "/api/tags", isGuarded: true, handler: models.tags),
      Route(method: .get, path: "/api/ps", isGuarded: true, handler: models.running),
      Route(method: .post, path: "/api/show", isGuarded: true, handler: models.show),
      Route(method: .get, path: "/api/version", isGuarded: false, handler: models.version),
      Route(method: .delete, path: "/api/delete", isGuarded: true, handler: models.refuse),
    ]
      + ["/api/pull", "/api/push", "/api/create", "/api/copy", "/api/blobs/**"].map {
        Route(method: .post, path: $0, isGuarded: true, handler: models.refuse)
      }
  }

  private var llamaCpp: [Route] {
    let own = LlamaEndpoints(serving: serving)
    let models = ModelEndpoints(serving: serving)
    return [
      Route(method: .post, path: "/completion", isGuarded: true, handler: own.complete),
      Route(method: .post, path: "/completions", isGuarded: true, handler: own.complete),
      Route(method: .post, path: "/apply-template", isGuarded: true, handler: own.applyTemplate),
      Route(method: .get, path: "/props", isGuarded: true, handler: own.properties),
      Route(method: .get, path: "/slots", isGuarded: true, handler: own.slots),
      Route(method: .get, path: "/models", isGuarded: true, handler: models.list),
    ]
  }

  /// 405 with the methods that a path takes, for every other method; 404 is for paths that do not exist.
  private func refuseOtherMethods(of routes: [Route], _ router: Router<ServerRequestContext>) {
    let methods: [HTTPRequest.Method] = [.get, .head, .post, .put, .patch, .delete, .options, .trace, .connect]
    for (path, routes) in Dictionary(grouping: routes, by: \.path) {
      var taken = Set(routes.map(\.method))
      if taken.contains(.get) { taken.insert(.head) }
      let allow = methods.filter(taken.contains).map(\.rawValue).joined(separator: ", ")
      for method in methods where !taken.contains(method) {
        router.on(RouterPath(path), method: method) { request, _ -> Response in
          throw APIError(
            .methodNotAllowed, "\(path) does not take \(request.method.rawValue); expected \(allow)",
            kind: "invalid_request_error", allow: allow)
        }
      }
    }
  }
}
