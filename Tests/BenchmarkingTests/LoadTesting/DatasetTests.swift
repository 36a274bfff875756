import Foundation
import LoadTesting
import TestSupport
import Testing
import Tokenization

@Suite struct DatasetTests {
  private func read(_ dataset: Dataset, _ text: String, tokenizer: Tokenizer? = nil) throws -> [WorkloadRequest] {
    let folder = try TemporaryDirectory()
    try folder.write(Data(text.utf8), to: "prompts")
    return try dataset.requests(path: folder.path + "/prompts", tokenizer: tokenizer)
  }

  @Test("ShareGPT's first turn asks, and the second one's length is asked for")
  func shareGPT() throws {
    let text = """
      [{"id": "1", "conversations": [{"from": "human", "value": "Hello?"}, {"from": "gpt", "value": "Hello, who are you?"}]},
       {"id": "2", "conversations": [{"from": "human", "value": "alone"}]}]
      """
    let plain = try read(.sharegpt, text)
    #expect(plain.map(\.prompt) == [.text("Hello?")] && plain[0].outputTokens == nil)
    let tokenizer = try Tokenizer(directory: Places.target)
    let counted = try read(.sharegpt, text, tokenizer: tokenizer)
    #expect(counted[0].outputTokens == tokenizer.encode("Hello, who are you?").count)
  }

  @Test("Spec-Bench's lines give their category and first turn")
  func specBench() throws {
    let found = try read(
      .specBench,
      """
      {"question_id": 81, "category": "writing", "turns": ["Compose a post.", "Rewrite it."]}

      {"question_id": 82, "category": "math", "turns": ["1+1?"]}
      """)
    #expect(found.map(\.category) == ["writing", "math"])
    #expect(found.map(\.prompt) == [.text("Compose a post."), .text("1+1?")])
  }

  @Test("lines of our own have a prompt or messages, and may name category and length")
  func custom() throws {
    let found = try read(
      .custom,
      """
      {"prompt": "a"}
      {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}], "category": "c", "output_tokens": 9}
      """)
    #expect(found[0] == WorkloadRequest(category: "custom", prompt: .text("a")))
    #expect(
      found[1]
        == WorkloadRequest(
          category: "c",
          prompt: .messages([.init(role: "system", content: "s"), .init(role: "user", content: "u")]), outputTokens: 9))
  }

  @Test(
    "an error names the line, what was found and what was expected",
    arguments: [
      (.custom, "{\"prompt\": \"a\"}\n{\"prompt\": 7}", 2, "'prompt' that is a number", "a string"),
      (.custom, "{\"prompt\": \"a\"}\n\n[1]", 3, "an array", "a JSON object"),
      (.custom, "{\"prompt\": ", 1, "{\"prompt\": ", "a JSON object"),
      (.custom, "{\"text\": \"a\"}", 1, "neither 'prompt' nor 'messages'", "one of them"),
      (.custom, "{\"prompt\": \"\"}", 1, "an empty 'prompt'", "a string"),
      (.custom, "{\"prompt\": \"a\", \"output_tokens\": -1}", 1, "'output_tokens' -1", "above 0"),
      (.custom, "{\"messages\": [{\"role\": \"user\"}]}", 1, "a message", "role and content"),
      (.custom, "\n\n", nil, "no prompts", "at least one"),
      (.specBench, "{\"category\": \"a\"}", 1, "no 'turns'", "an array"),
      (.specBench, "{\"turns\": [3]}", 1, "first is a number", "a string"),
      (.specBench, "{\"turns\": []}", 1, "first is missing", "a string"),
      (.specBench, "{\"turns\": \"a\"}", 1, "'turns' that is a string", "an array"),
      (.sharegpt, "{}", nil, "an object", "a JSON array"),
      (.sharegpt, "[{}]", nil, "conversation 0", "an array of turns"),
      (.sharegpt, "[{\"conversations\": [{\"from\": \"human\"}, {}]}]", nil, "conversation 0", "value"),
      (.sharegpt, "[\n{", 2, "", "a JSON array"),
    ] as [(Dataset, String, Int?, String, String)])
  func errors(dataset: Dataset, text: String, line: Int?, found: String, expected: String) {
    #expect {
      try read(dataset, text)
    } throws: { error in
      guard let error = error as? DatasetError else { return false }
      return error.line == line && (found.isEmpty || error.found.contains(found)) && error.expected.contains(expected)
        && error.description.contains("prompts")
    }
  }

  @Test("a file that is not there is named")
  func missing() {
    #expect {
      try Dataset.custom.requests(path: "/nowhere/at/all.jsonl", tokenizer: nil)
    } throws: { "\($0)".contains("/nowhere/at/all.jsonl") }
  }

  @Test("any bytes are read or refused", arguments: 0..<150)
  func fuzz(seed: UInt64) throws {
    var random = Random(seed)
    var text = Array(
      "{\"category\": \"a\", \"turns\": [\"x\"], \"prompt\": \"y\", \"messages\": [{\"role\": \"r\", \"content\": \"c\"}]}\n"
        .utf8)
    for _ in 0..<Int.random(in: 1...8, using: &random) {
      let place = Int.random(in: text.indices, using: &random)
      switch Int.random(in: 0..<3, using: &random) {
      case 0: text[place] = UInt8.random(in: 0...255, using: &random)
      case 1: text.remove(at: place)
      default: text.insert(contentsOf: text[place...].prefix(5), at: place)
      }
    }
    let folder = try TemporaryDirectory()
    try folder.write(Data(text), to: "prompts")
    for dataset in Dataset.allCases {
      do {
        #expect(try !dataset.requests(path: folder.path + "/prompts", tokenizer: nil).isEmpty)
      } catch {
        #expect(!error.expected.isEmpty)
      }
    }
  }

  @Test("a sample is fixed by its seed, and begins anew when the dataset is used up")
  func sampling() {
    let pool = (0..<5).map { WorkloadRequest(category: $0 < 2 ? "a" : "b", prompt: .text("\($0)")) }
    let first = Workload(name: "x", sampling: pool, count: 12, seed: 4, outputTokens: 7)
    #expect(first == Workload(name: "x", sampling: pool, count: 12, seed: 4, outputTokens: 7))
    #expect(first.requests.prefix(5).map(\.text) == first.requests[5..<10].map(\.text))
    #expect(Set(first.requests.map(\.text)).count == 5 && first.requests.allSatisfy { $0.outputTokens == 7 })
    let plain = Workload(name: "x", sampling: pool, count: 3, seed: 4, shuffles: false, category: "b")
    #expect(plain.requests.map(\.text) == ["2", "3", "4"])
    #expect(Workload(name: "x", sampling: pool, count: 3, seed: 4, category: "z").requests.isEmpty)
  }

  @Test("built-in workloads have distinct prompts, and counts spread evenly", arguments: BuiltInWorkload.allCases)
  func builtIn(kind: BuiltInWorkload) {
    for (category, prompts) in kind.prompts {
      #expect(Set(prompts).count == prompts.count && !category.isEmpty)
    }
    let usual = kind.workload()
    #expect(usual.requests.count == 8 * kind.prompts.count)
    let some = kind.workload(count: kind.prompts.count * 2 + 1, outputTokens: 5)
    #expect(some.requests.count == kind.prompts.count * 2 + 1 && some.requests.allSatisfy { $0.outputTokens == 5 })
    #expect(some.categories == kind.prompts.map(\.category))
  }

  @Test("AWS's phrases are repeated to 64 tokens")
  func recipe() async throws {
    let tokenizer = try Tokenizer(directory: Places.target)
    let filled = await BuiltInWorkload.awsTrainium2.workload().filled(by: TokenMeasure(tokenizer))
    #expect(filled.categories.count == 8 && filled.requests.count == 64)
    for request in filled.requests {
      #expect(abs(tokenizer.encode(request.text).count - 64) <= 2)
      #expect(request.outputTokens == 600 && request.ignoresEndOfText)
    }
  }

  @Test("random prompts have their length, and a seed fixes them")
  func random() throws {
    let tokenizer = try Tokenizer(directory: Places.target)
    let found = Workload.random(
      RandomPrompts(inputTokens: 20, outputTokens: 4), count: 3, seed: 1, tokenizer: tokenizer)
    #expect(
      found
        == Workload.random(
          RandomPrompts(inputTokens: 20, outputTokens: 4), count: 3, seed: 1, tokenizer: tokenizer))
    for request in found.requests {
      guard case .tokens(let tokens) = request.prompt else {
        Issue.record("not tokens")
        continue
      }
      #expect(tokens.count == 20 && !tokens.contains { tokenizer.isSpecial($0) })
    }
    let varied = Workload.random(
      RandomPrompts(inputTokens: 20, outputTokens: 8, rangeRatio: 0.5, prefixTokens: 3), count: 200, seed: 1,
      tokenizer: tokenizer)
    let prompts = varied.requests.map { request -> [TokenID] in
      if case .tokens(let tokens) = request.prompt { tokens } else { [] }
    }
    #expect(Set(prompts.map { Array($0.prefix(3)) }).count == 1)
    #expect(Set(prompts.map(\.count)) == Set(13...33))
    #expect(Set(varied.requests.map(\.outputTokens)) == Set(4...12))
    #expect(found.withTexts(from: tokenizer).requests.allSatisfy { !$0.text.isEmpty })
  }
}
