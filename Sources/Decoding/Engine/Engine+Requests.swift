extension Engine {
  /// The version of this package, as `--version` and the server give it.
  public static let version = "0.1.0"

  /// Generates for all `requests`, at most `limit` of them at a time.
  ///
  /// - Parameters:
  ///   - collect: reads the stream of the request of this number.
  ///   - receive: takes what each came to, in the order in which they end.
  /// - Throws: `RequestError` for a request that does not fit the model; whatever `collect` and `receive` throw.
  package func generate<Answer: Sendable>(
    _ requests: [GenerationRequest], atATime limit: Int,
    collect: @escaping @Sendable (Int, AsyncStream<GenerationEvent>) async throws -> Answer,
    receive: (Answer) throws -> Void
  ) async throws {
    try await withThrowingTaskGroup(of: Answer.self) { group in
      var next = 0
      func submit() throws {
        guard next < requests.count else { return }
        let (index, stream) = (next, try generate(requests[next]))
        next += 1
        group.addTask { try await collect(index, stream) }
      }
      for _ in 0..<limit { try submit() }
      while let answer = try await group.next() {
        try receive(answer)
        try submit()
      }
    }
  }
}
