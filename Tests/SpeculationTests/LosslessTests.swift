import Decoding
import Inference
import ModelFiles
import Speculation
import Tensor
import TestSupport
import Testing
import Tokenization
import Transformer

/// The promise: a request's tokens depend on weights, prompt, parameters and seed, and on nothing else.
@Suite struct LosslessTests {
  /// Greedy, sampled, penalised and biased requests over prompts of different lengths.
  static func requests(vocabularySize: Int, tokens: Int) -> [GenerationRequest] {
    var generator = SeededGenerator(seed: 9)
    return (0..<6).map { index in
      let length = [3, 17, 40, 70, 21, 90][index]
      var request = GenerationRequest(
        prompt: (0..<length).map { _ in Int32.random(in: 0..<Int32(vocabularySize), using: &generator) })
      request.stopping.maximumTokens = tokens
      request.sampling.seed = UInt64(index) * 77
      request.logprobCount = index % 2 == 0 ? 2 : nil
      if index % 3 != 0 { request.sampling.temperature = [0.7, 1.0, 1.6][index % 3] }
      if index == 2 { (request.sampling.topK, request.sampling.topP) = (40, 0.9) }
      if index == 3 {
        (request.sampling.repetitionPenalty, request.sampling.presencePenalty) = (1.2, 0.4)
        request.sampling.frequencyPenalty = 0.3
      }
      if index == 4 { (request.sampling.minP, request.sampling.logitBias) = (0.02, [5: 2.5, 7: -100]) }
      return request
    }
  }

  /// Prompts in the pair's own words, on which drafts are often right.
  static func chatRequests(_ tokenizer: Tokenizer, tokens: Int) -> [GenerationRequest] {
    let prompts = [
      "Write a JSON record for a person: Clara Weber, 34 years old, designer from Vienna.",
      "Count from 1 to 21.", "Write a story that begins at the old harbour with a stranger.",
    ]
    return prompts.enumerated().flatMap { index, prompt in
      [0.0, 0.8].map { temperature in
        let text = "<|im_start|>user\n\(prompt)<|im_end|>\n<|im_start|>assistant\n"
        var request = GenerationRequest(prompt: tokenizer.encode(text))
        request.sampling.temperature = temperature
        request.sampling.seed = UInt64(index)
        request.stopping.maximumTokens = tokens
        request.logprobCount = 1
        return request
      }
    }
  }

  static let proposers: [ProposerKind] =
    [.ngram(window: 1), .ngram(window: 4), .ngram(window: 8), .suffix(window: 6), .automatic(window: 8)]
    + (1...8).map { .draft(window: $0) } + [1, 3, 5, 8].map { .head(window: $0) } + [.automaticHead(window: 8)]
    + [1, 4, 8, 12].map { .block(window: $0) } + [.automaticBlock(window: 8)]
    + [1, 4, 9, 12].map { .correctingBlock(window: $0) } + [.automaticCorrectingBlock(window: 8)]

  @Test(
    "the reference pair writes the same tokens with any proposer and window",
    arguments: [Quantization.none, .int8, .int4])
  func referencePairIsLossless(quantization: Quantization) throws {
    let pair = try Pair.reference()
    let requests = Self.chatRequests(pair.tokenizer, tokens: 48)
    let plain = try pair.loop(quantization, proposer: .none).outcomes(of: requests).outcomes
    for kind in Self.proposers {
      let (outcomes, counts) = try pair.loop(quantization, proposer: kind).outcomes(of: requests)
      #expect(outcomes == plain, "\(kind)")
      switch kind {
      case .draft, .head: #expect(counts.acceptedTokens > 0, "a draft that is never right tests nothing")
      default: break
      }
    }
  }

  @Test("with a least number of tokens no proposer ends an answer before it, and all write the same")
  func minimumTokens() throws {
    let pair = try Pair.reference()
    var requests = Self.chatRequests(pair.tokenizer, tokens: 48)
    let free = try pair.loop(.none, proposer: .none).outcomes(of: requests).outcomes
    for (index, outcome) in free.enumerated() {
      // What the answer has anyway ends it: a token, and a stop string of two tokens.
      requests[index].stopping.tokens = Set(outcome.tokens.dropFirst(3).prefix(4))
      requests[index].stopping.strings = [pair.tokenizer.decode(Array(outcome.tokens[6...7]))]
      requests[index].stopping.minimumTokens = 17 + index
    }
    let plain = try pair.loop(.none, proposer: .none).outcomes(of: requests).outcomes
    #expect(plain != free)
    var stopped = 0
    for (request, outcome) in zip(requests, plain) {
      let least = request.stopping.minimumTokens
      #expect(
        outcome.tokens.count > least && !request.stopping.tokens.contains { outcome.tokens[..<least].contains($0) })
      if outcome.reason != .length { stopped += 1 }
    }
    #expect(stopped > 1, "nothing that stops afterwards tests little")
    for kind in Self.proposers {
      #expect(try pair.loop(.none, proposer: kind).outcomes(of: requests).outcomes == plain, "\(kind)")
    }
  }

  @Test("a conversation's turns are found in the cache whatever is proposed, and all of what can be")
  func prefixHits() throws {
    let pair = try Pair.reference()
    let questions = ["Count from 1 to 21.", "List the planets.", "Write a few lines about old houses."]
    var figures: [String: (queries: Int, hits: Int)] = [:]
    let kinds: [ProposerKind] = [
      .none, .ngram(window: 4), .suffix(window: 6), .draft(window: 5), .automatic(window: 8), .head(window: 5),
      .automaticHead(window: 8), .block(window: 5), .correctingBlock(window: 5),
    ]
    for kind in kinds {
      let loop = try pair.loop(.none, proposer: kind, sequences: 2, sharesPrefixes: true)
      for seed in 0..<2 {
        var text: [TokenID] = []
        for question in questions {
          text += pair.tokenizer.encode("<|im_start|>user\n\(question)<|im_end|>\n<|im_start|>assistant\n")
          var request = GenerationRequest(prompt: text)
          request.stopping.maximumTokens = 40
          request.stopping.endOfTextTokens = [8191, 8189]
          (request.sampling.temperature, request.sampling.seed) = (0.7, UInt64(seed))
          text += try loop.outcome(of: request).tokens
        }
      }
      figures["\(kind)"] = (loop.statistics.prefixQueries, loop.statistics.prefixHits)
    }
    let plain = try #require(figures["plain"])
    #expect(plain.hits > plain.queries / 3)
    for (kind, figure) in figures { #expect(figure == plain, "\(kind): \(figure), plain: \(plain)") }
  }

  @Test(
    "random models, whose drafts are nearly always wrong, write the same tokens",
    arguments: [Quantization.none, .int8, .int4])
  func randomModelsAreLossless(quantization: Quantization) throws {
    let pair = try Pair.random()
    let requests = Self.requests(vocabularySize: 193, tokens: 40)
    let plain = try pair.loop(quantization, proposer: .none).outcomes(of: requests).outcomes
    for kind in Self.proposers {
      let (outcomes, counts) = try pair.loop(quantization, proposer: kind).outcomes(of: requests)
      #expect(outcomes == plain, "\(kind)")
      if case .draft = kind { #expect(counts.acceptanceRate ?? 1 < 0.5) }
    }
  }

  @Test(
    "threads, chunks, batch mates and instruction sets do not change a token",
    arguments: [Quantization.none, .int8, .int4])
  func executionDoesNotMatter(quantization: Quantization) throws {
    let pair = try Pair.random()
    let requests = Self.requests(vocabularySize: 193, tokens: 32)
    let plain = try requests.map { try pair.loop(quantization, proposer: .none, threads: 1).outcome(of: $0) }
    let kinds: [ProposerKind] = [
      .none, .ngram(window: 3), .draft(window: 4), .automatic(window: 6), .head(window: 4), .automaticHead(window: 6),
      .block(window: 4), .automaticBlock(window: 6), .correctingBlock(window: 4),
      .automaticCorrectingBlock(window: 6), .mtp(window: 3),
    ]
    for kind in kinds {
      for (threads, rows, sequences, stagger) in [(1, 7, 1, 0), (2, 64, 3, 0), (3, 13, 6, 2), (2, 30, 6, 5)] {
        let loop = try pair.loop(quantization, proposer: kind, threads: threads, rows: rows, sequences: sequences)
        let outcomes = try loop.outcomes(of: requests, stagger: stagger).outcomes
        #expect(outcomes == plain, "\(kind), \(threads) threads, \(rows) rows, \(sequences) sequences")
      }
      for set in InstructionSet.available where set != .portable || quantization == .none {
        let loop = try pair.loop(quantization, proposer: kind, sequences: 2, instructionSet: set)
        #expect(try loop.outcomes(of: requests).outcomes == plain, "\(kind), \(set)")
      }
    }
  }

  @Test("running out of KV blocks preempts and recomputes without changing a token")
  func preemptionIsInvisible() throws {
    let pair = try Pair.random()
    let requests = Self.requests(vocabularySize: 193, tokens: 200)
    let plain = try requests.map { try pair.loop(.none, proposer: .none).outcome(of: $0) }
    for kind in [
      ProposerKind.none, .draft(window: 3), .automatic(window: 6), .head(window: 3), .block(window: 3),
      .correctingBlock(window: 3), .mtp(window: 3),
    ] {
      // Six sequences of up to 290 positions in memory for two of 320.
      let loop = try pair.loop(.none, proposer: kind, rows: 40, sequences: 6, blocksFor: 2)
      #expect(try loop.outcomes(of: requests).outcomes == plain, "\(kind)")
    }
  }

  @Test(
    "requests of mixed methods that come at any time, are preempted, and are called off leave one another's tokens alone",
    arguments: 1...8)
  func mixedTrafficIsInvisible(seed: UInt64) throws {
    let pair = try seed % 2 == 0 ? Pair.reference() : Pair.random()
    var generator = SeededGenerator(seed: seed)
    var requests =
      seed % 2 == 0
      ? Self.chatRequests(pair.tokenizer, tokens: 60) : Self.requests(vocabularySize: 193, tokens: 60)
    // Bytes round keys and values, but the same whatever the traffic.
    let cacheFormat: KVCacheFormat = seed > 4 ? .int8 : .float16
    let plain = try requests.map {
      try pair.loop(.none, proposer: .none, cacheFormat: cacheFormat).outcome(of: $0)
    }
    for index in requests.indices {
      let methods = [nil, [.eagle3, .draftModel, .dflash][Int(seed % 3)], .ngram, SpeculationMethod.suffix]
      requests[index].method = methods.randomElement(using: &generator) ?? nil
      requests[index].window = [nil, 0, 1, 5].randomElement(using: &generator) ?? nil
      requests[index].priority = Int.random(in: 0...1, using: &generator)
    }
    let loop = try pair.loop(
      .none, proposer: [.automaticHead(window: 6), .automatic(window: 6), .automaticBlock(window: 6)][Int(seed % 3)],
      rows: 30, sequences: 4, blocksFor: 2, sharesPrefixes: seed % 4 < 2, cacheFormat: cacheFormat)
    var waiting = Array(requests.indices).shuffled(using: &generator)
    var tokens: [RequestID: [Int32]] = [:]
    var called: Set<RequestID> = []
    while !loop.isIdle || !waiting.isEmpty {
      if loop.isIdle || Int.random(in: 0..<6, using: &generator) == 0, let next = waiting.popLast() {
        try loop.submit(requests[next], as: RequestID(next))
      }
      if called.count < 2, Int.random(in: 0..<20, using: &generator) == 0 {
        let victim = RequestID(Int.random(in: requests.indices, using: &generator))
        if loop.cancel(victim) != nil { called.insert(victim) }
      }
      for (id, event) in loop.step() {
        if case .token(let token) = event { tokens[id, default: []].append(token.id) }
      }
    }
    for (index, outcome) in plain.enumerated() {
      let written = tokens[RequestID(index)] ?? []
      #expect(outcome.tokens.starts(with: written), "request \(index)")
      #expect(called.contains(RequestID(index)) || outcome.tokens == written, "request \(index)")
    }
  }

  @Test("a prefix found in the cache changes no token, and speculation does not change what is found")
  func prefixCacheIsInvisible() throws {
    let pair = try Pair.random()
    var generator = SeededGenerator(seed: 4)
    let opening = (0..<70).map { _ in Int32.random(in: 0..<193, using: &generator) }
    // Conversations that begin alike, and go on with what the last answer was.
    func conversations(_ loop: DecodingLoop) throws -> [Outcome] {
      var outcomes: [Outcome] = []
      for index in 0..<3 {
        var prompt = opening
        for turn in 0..<4 {
          prompt += (0..<(5 + 13 * turn)).map { Int32(($0 * 7 + index * 31 + turn) % 193) }
          var request = GenerationRequest(prompt: prompt)
          request.stopping.maximumTokens = 20 + turn
          request.sampling.temperature = Double(index) * 0.6
          let outcome = try loop.outcome(of: request)
          outcomes.append(outcome)
          prompt += outcome.tokens
        }
      }
      return outcomes
    }
    let plain = try conversations(try pair.loop(.none, proposer: .none))
    var hits: Set<Int> = []
    for kind in [
      ProposerKind.none, .draft(window: 3), .automatic(window: 6), .ngram(window: 4), .block(window: 4),
      .head(window: 4), .correctingBlock(window: 4), .mtp(window: 3),
    ] {
      let loop = try pair.loop(.none, proposer: kind, rows: 32, sequences: 2, sharesPrefixes: true)
      #expect(try conversations(loop) == plain, "\(kind)")
      #expect(loop.statistics.prefixHits > loop.statistics.prefixQueries / 2)
      hits.insert(loop.statistics.prefixHits)
    }
    #expect(hits.count == 1)
    // At once, with too few blocks for all, so that shared ones are evicted and adopted while others run.
    let requests = Self.requests(vocabularySize: 193, tokens: 90)
      .map { request in
        var request = request
        request.prompt = opening + request.prompt.prefix(30)
        return request
      }
    let alone = try requests.map { try pair.loop(.none, proposer: .none).outcome(of: $0) }
    for kind in [ProposerKind.none, .automatic(window: 6)] {
      let loop = try pair.loop(
        .none, proposer: kind, rows: 40, sequences: 6, blocksFor: 2, sharesPrefixes: true)
      for round in 0..<3 {
        #expect(try loop.outcomes(of: requests, stagger: round * 3).outcomes == alone, "\(kind), round \(round)")
      }
    }
  }

  @Test("a request can switch speculation off or narrow its window")
  func windowPerRequest() throws {
    let pair = try Pair.reference()
    var requests = Self.chatRequests(pair.tokenizer, tokens: 24)
    let loop = try pair.loop(.none, proposer: .draft(window: 5))
    let normal = try loop.outcomes(of: requests)
    for index in requests.indices { requests[index].window = 0 }
    let plain = try loop.outcomes(of: requests)
    #expect(plain.outcomes == normal.outcomes)
    #expect(plain.speculation.drafts == 0 && normal.speculation.drafts > 0)
  }

  @Test("stop strings and stop tokens inside an accepted run end the answer there")
  func stopsWithinAcceptedRuns() throws {
    let pair = try Pair.reference()
    let request = Self.chatRequests(pair.tokenizer, tokens: 60)[0]
    let whole = try pair.loop(.none, proposer: .none).outcome(of: request)
    let cut = whole.text.count / 2
    let stop = String(whole.text.dropFirst(cut).prefix(5))
    var stopped = request
    stopped.stopping.strings = [stop]
    var ended = request
    ended.stopping.tokens = [whole.tokens[whole.tokens.count / 2]]
    for kind in [ProposerKind.none, .draft(window: 7)] {
      let byString = try pair.loop(.none, proposer: kind).outcome(of: stopped)
      #expect(byString.reason == .stopString(stop))
      #expect(byString.text == whole.text.components(before: stop), "\(kind)")
      let byToken = try pair.loop(.none, proposer: kind).outcome(of: ended)
      #expect(byToken.reason == ended.stopping.tokens.first.map { .stopToken($0) })
      #expect(byToken.tokens == Array(whole.tokens.prefix(byToken.tokens.count)))
      #expect(byToken.tokens.dropLast().contains(where: ended.stopping.tokens.contains) == false)
    }
  }
}

extension String {
  /// What stands before the first occurrence of `mark`.
  fileprivate func components(before mark: String) -> String {
    for start in indices where self[start...].hasPrefix(mark) { return String(self[..<start]) }
    return self
  }
}
