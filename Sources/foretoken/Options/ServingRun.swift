internal import ArgumentParser
internal import LoadTesting
internal import Presentation
internal import Tokenization

/// Sends requests to servers until all are answered, or until Ctrl-C leaves what was measured by then.
struct ServingRun {
  /// Most requests at one time; `nil` for any number.
  let concurrency: Int?
  let endpoint: ServingEndpointOptions
  let tokenizer: Tokenizer?
  /// The servers, for messages.
  let servers: String

  /// What `measure` finds.
  ///
  /// - Throws: `ExitCode` after saying why no server answered; 130 if Ctrl-C came before the first request.
  func result<Result: Sendable>(
    of measure: @escaping @Sendable (ServingClient, LoadGenerator) async throws -> Result
  ) async throws -> Result {
    let sockets = OpenFiles.raiseLimit()
    if (concurrency ?? 0) + 64 > sockets {
      note("This process may open \(sockets) files at a time: raise the limit (ulimit -n) for so many requests.")
    }
    let client = ServingClient(
      connections: concurrency ?? 65536, patience: endpoint.patience, verifiesCertificates: !endpoint.insecure)
    let generator = LoadGenerator(client: client, tokenizer: tokenizer)
    let interrupt = InterruptWatch()
    let work = Task { try await measure(client, generator) }
    interrupt.onFirstInterrupt {
      if generator.hasBegun { generator.stop() } else { work.cancel() }
    }
    let outcome = await work.result
    interrupt.onInterrupt(nil)
    await client.shutDown()
    switch outcome {
    case .success(let result): return result
    case .failure(let failure as RequestFailure):
      note("foretoken: \(servers): \(failure)")
      throw ExitCode.failure
    case .failure(is CancellationError): throw ExitCode(130)
    case .failure(let error): throw error
    }
  }
}
