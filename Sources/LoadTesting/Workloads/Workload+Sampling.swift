package import Tokenization

extension Workload {
  /// How many of `total` go to the one at `place` among `count` equals; the first ones get what is left over.
  static func share(of total: Int, at place: Int, among count: Int) -> Int {
    total / count + (place < total % count ? 1 : 0)
  }

  /// `count` of a dataset's requests: in an order that the seed fixes unless `shuffles` is off, and from the start again
  /// when the dataset has fewer. Categories keep their order of first mention.
  ///
  /// - Parameters:
  ///   - outputTokens: for every answer, over the dataset's own.
  ///   - category: only these, if given.
  package init(
    name: String, sampling requests: [WorkloadRequest], count: Int, seed: UInt64, shuffles: Bool = true,
    outputTokens: Int? = nil, category: String? = nil
  ) {
    var pool = category.map { wanted in requests.filter { $0.category == wanted } } ?? requests
    if shuffles {
      var random = SeededRandom(seed: seed)
      pool.shuffle(using: &random)
    }
    let chosen = (0..<(pool.isEmpty ? 0 : count)).map { index in
      var request = pool[index % pool.count]
      request.outputTokens = outputTokens ?? request.outputTokens
      return request
    }
    self.init(name: name, requests: chosen)
  }

  /// Prompts of random ordinary tokens.
  package static func random(
    _ prompts: RandomPrompts, count: Int, seed: UInt64, tokenizer: Tokenizer
  ) -> Workload {
    var random = SeededRandom(seed: seed)
    let ordinary = (0..<TokenID(tokenizer.vocabularySize)).filter {
      !tokenizer.isSpecial($0) && tokenizer.bytes(of: $0)?.isEmpty == false
    }
    guard !ordinary.isEmpty else { return Workload(name: "random", requests: []) }
    func tokens(_ count: Int) -> [TokenID] {
      (0..<count).map { _ in ordinary[Int.random(in: ordinary.indices, using: &random)] }
    }
    let prefix = tokens(prompts.prefixTokens)
    let requests = (0..<count).map { _ in
      let prompt = prefix + tokens(prompts.length(about: prompts.inputTokens, using: &random))
      return WorkloadRequest(
        category: "random", prompt: .tokens(prompt),
        outputTokens: prompts.length(about: prompts.outputTokens, using: &random), inputTokens: prompt.count)
    }
    return Workload(name: "random", requests: requests)
  }

  /// The workload with prompts of tokens as text, which chats need; `tokenizer` made the tokens.
  package func withTexts(from tokenizer: Tokenizer) -> Workload {
    Workload(
      name: name,
      requests: requests.map { request in
        guard case .tokens(let tokens) = request.prompt else { return request }
        return WorkloadRequest(
          category: request.category, prompt: .text(tokenizer.decode(tokens)), outputTokens: request.outputTokens,
          ignoresEndOfText: request.ignoresEndOfText)
      })
  }
}
