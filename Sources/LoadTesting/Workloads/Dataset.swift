internal import Foundation
internal import JSON
package import Tokenization

/// Files of prompts, by vLLM's names.
package enum Dataset: String, Sendable, CaseIterable {
  /// A JSON array of conversations, `[{"conversations": [{"from", "value"}, …]}, …]`: the first turn asks, the second
  /// one's length is asked for.
  case sharegpt
  /// Spec-Bench's `question.jsonl`: `{"category", "turns": […]}` a line; the first turn is asked.
  case specBench = "spec_bench"
  /// `{"prompt": "…"}` or `{"messages": […]}` a line, with `category` and `output_tokens` if wished.
  case custom

  /// What a file of this kind is, for people.
  private var form: String {
    switch self {
    case .sharegpt: "a JSON array of conversations, as ShareGPT's"
    case .specBench: "Spec-Bench's question.jsonl"
    case .custom: "JSON lines with prompt or messages"
    }
  }

  /// The file's requests, in its order.
  ///
  /// - Parameter tokenizer: measures the second turns of ShareGPT's conversations; without it, the command line's length
  ///   is asked for.
  /// - Throws: `DatasetError` naming the file, the line, what was found and what was expected.
  package func requests(path: String, tokenizer: Tokenizer?) throws(DatasetError) -> [WorkloadRequest] {
    let data: Data
    do {
      data = try Data(contentsOf: URL(fileURLWithPath: path))
    } catch {
      throw DatasetError(
        file: path, line: nil, found: "no file that can be read (\(error.localizedDescription))",
        expected: form)
    }
    return try requests(Array(data), file: path, tokenizer: tokenizer)
  }

  /// The requests in a file's bytes.
  func requests(_ bytes: [UInt8], file: String, tokenizer: Tokenizer?) throws(DatasetError) -> [WorkloadRequest] {
    let requests =
      switch self {
      case .sharegpt: try ShareGPTReader(file: file, tokenizer: tokenizer).requests(bytes)
      case .specBench: try JSONLines(file: file, bytes: bytes).map(SpecBenchReader.request)
      case .custom: try JSONLines(file: file, bytes: bytes).map(CustomReader.request)
      }
    guard !requests.isEmpty else {
      throw DatasetError(file: file, line: nil, found: "no prompts", expected: "at least one")
    }
    return requests
  }
}

/// A file with a JSON object on every line; blank lines are skipped.
struct JSONLines {
  /// A line's object, and how to say that something in it is wrong.
  struct Entry {
    let object: JSONValue
    let file: String
    let line: Int

    func failure(_ found: String, expected: String) -> DatasetError {
      DatasetError(file: file, line: line, found: found, expected: expected)
    }

    /// The string under `key`.
    func string(_ key: String) throws(DatasetError) -> String? {
      guard let value = object[key], value != .null else { return nil }
      guard let text = value.string else {
        throw failure("'\(key)' that is \(value.typeName)", expected: "a string")
      }
      return text
    }
  }

  let file: String
  let bytes: [UInt8]

  func map(_ body: (Entry) throws(DatasetError) -> WorkloadRequest) throws(DatasetError) -> [WorkloadRequest] {
    var requests: [WorkloadRequest] = []
    var number = 0
    for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      number += 1
      guard line.contains(where: { $0 > UInt8(ascii: " ") }) else { continue }
      let value: JSONValue
      do {
        value = try JSONValue(parsing: Array(line))
      } catch {
        throw DatasetError(
          file: file, line: number, found: "\(AnswerEvent.excerpt(Array(line))) (\(error.message))",
          expected: "a JSON object")
      }
      guard case .object = value else {
        throw DatasetError(file: file, line: number, found: value.typeName, expected: "a JSON object")
      }
      requests.append(try body(Entry(object: value, file: file, line: number)))
    }
    return requests
  }
}

/// A line of Spec-Bench.
enum SpecBenchReader {
  static func request(_ entry: JSONLines.Entry) throws(DatasetError) -> WorkloadRequest {
    guard let turns = entry.object["turns"]?.array else {
      throw entry.failure(
        entry.object["turns"].map { "'turns' that is \($0.typeName)" } ?? "no 'turns'", expected: "an array of strings")
    }
    guard let first = turns.first?.string, !first.isEmpty else {
      throw entry.failure(
        "'turns' whose first is \(turns.first?.typeName ?? "missing")", expected: "a string that is not empty")
    }
    return WorkloadRequest(category: try entry.string("category") ?? "spec_bench", prompt: .text(first))
  }
}

/// A line of our own.
enum CustomReader {
  static func request(_ entry: JSONLines.Entry) throws(DatasetError) -> WorkloadRequest {
    var outputTokens: Int?
    if let value = entry.object["output_tokens"], value != .null {
      guard let count = AnswerEvent.count(value), count > 0 else {
        throw entry.failure("'output_tokens' \(value.serialized())", expected: "a whole number above 0")
      }
      outputTokens = count
    }
    return WorkloadRequest(
      category: try entry.string("category") ?? "custom", prompt: try prompt(entry), outputTokens: outputTokens)
  }

  private static func prompt(_ entry: JSONLines.Entry) throws(DatasetError) -> WorkloadRequest.Prompt {
    if let text = try entry.string("prompt") {
      guard !text.isEmpty else { throw entry.failure("an empty 'prompt'", expected: "a string that is not empty") }
      return .text(text)
    }
    guard let list = entry.object["messages"]?.array, !list.isEmpty else {
      throw entry.failure("neither 'prompt' nor 'messages'", expected: "one of them")
    }
    var messages: [WorkloadRequest.Message] = []
    for value in list {
      guard let role = value["role"]?.string, let content = value["content"]?.string else {
        throw entry.failure(
          "a message \(AnswerEvent.excerpt(Array(value.serialized().utf8)))",
          expected: "an object with role and content as strings")
      }
      messages.append(.init(role: role, content: content))
    }
    return .messages(messages)
  }
}

/// ShareGPT's array of conversations.
struct ShareGPTReader {
  let file: String
  let tokenizer: Tokenizer?

  func requests(_ bytes: [UInt8]) throws(DatasetError) -> [WorkloadRequest] {
    let value: JSONValue
    do {
      value = try JSONValue(parsing: bytes)
    } catch {
      throw DatasetError(file: file, line: error.line, found: error.message, expected: "a JSON array of conversations")
    }
    guard let entries = value.array else {
      throw DatasetError(file: file, line: nil, found: value.typeName, expected: "a JSON array of conversations")
    }
    var requests: [WorkloadRequest] = []
    for (index, entry) in entries.enumerated() {
      guard let turns = entry["conversations"]?.array else {
        throw failure(index, "no 'conversations'", "an array of turns")
      }
      // Conversations that nobody answered are part of the published file.
      guard turns.count >= 2 else { continue }
      guard let question = turns[0]["value"]?.string, let answer = turns[1]["value"]?.string else {
        throw failure(index, "a turn without the text 'value'", "{\"from\": …, \"value\": …}")
      }
      let output = tokenizer.map { $0.encode(answer, parsesSpecialTokens: false).count }
      guard !question.isEmpty, output.map({ $0 >= 4 }) ?? true else { continue }
      requests.append(WorkloadRequest(category: "sharegpt", prompt: .text(question), outputTokens: output))
    }
    return requests
  }

  private func failure(_ index: Int, _ found: String, _ expected: String) -> DatasetError {
    DatasetError(file: file, line: nil, found: "\(found) in conversation \(index)", expected: expected)
  }
}
