internal import ChatTemplates
internal import Inference
internal import LoadTesting
internal import Tokenization

extension WorkloadRequest {
  /// The prompt as `model` reads it: a conversation, where it has a template for them.
  func tokens(for model: ModelSource) throws -> [TokenID] {
    switch prompt {
    case .tokens(let given): given
    case .text(let text): try Self.tokens(of: [ChatMessage(role: "user", content: text)], for: model)
    case .messages(let messages):
      try Self.tokens(of: messages.map { ChatMessage(role: $0.role, content: $0.content) }, for: model)
    }
  }

  private static func tokens(of messages: [ChatMessage], for model: ModelSource) throws -> [TokenID] {
    guard model.tokenizer.chatTemplate != nil else {
      return model.tokenizer.encode(messages.compactMap(\.content).joined(separator: "\n\n"), addsSpecialTokens: true)
    }
    return try model.tokens(for: messages)
  }
}
