package import Tokenization

/// One request of a workload, before it is written for an endpoint.
package struct WorkloadRequest: Sendable, Equatable {
  package struct Message: Sendable, Equatable {
    package let role, content: String

    package init(role: String, content: String) {
      self.role = role
      self.content = content
    }
  }

  package enum Prompt: Sendable, Equatable {
    case text(String)
    case messages([Message])
    case tokens([TokenID])
  }

  /// A kind of prompt; figures are given for each.
  package let category: String
  package let prompt: Prompt
  /// Tokens to ask for; `nil` leaves it to the command line.
  package var outputTokens: Int?
  /// Tokens of the prompt, where the workload knows them.
  package var inputTokens: Int?
  /// Whether the answer goes on past the end of the text, so that all are of one length.
  package var ignoresEndOfText: Bool

  package init(
    category: String, prompt: Prompt, outputTokens: Int? = nil, inputTokens: Int? = nil, ignoresEndOfText: Bool = false
  ) {
    self.category = category
    self.prompt = prompt
    self.outputTokens = outputTokens
    self.inputTokens = inputTokens
    self.ignoresEndOfText = ignoresEndOfText
  }

  /// The prompt as one text, for showing.
  package var text: String {
    switch prompt {
    case .text(let text): text
    case .messages(let messages): messages.map(\.content).joined(separator: "\n")
    case .tokens(let tokens): "\(tokens.count) tokens"
    }
  }

  /// Tokens of the prompt's text, without what a chat template adds.
  func count(with tokenizer: Tokenizer) -> Int {
    switch prompt {
    case .text(let text): tokenizer.encode(text).count
    case .messages(let messages): messages.reduce(0) { $0 + tokenizer.encode($1.content).count }
    case .tokens(let tokens): tokens.count
    }
  }
}

/// Prompts to send, by category.
package struct Workload: Sendable, Equatable {
  /// For the result: the dataset's name or the built-in workload's.
  package let name: String
  package let requests: [WorkloadRequest]

  package init(name: String, requests: [WorkloadRequest]) {
    self.name = name
    self.requests = requests
  }

  /// Categories in the order of their first request.
  package var categories: [String] {
    var seen: Set<String> = []
    return requests.map(\.category).filter { seen.insert($0).inserted }
  }
}
