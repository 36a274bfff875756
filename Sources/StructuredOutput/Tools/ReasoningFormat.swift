/// How a family of models sets thoughts apart from the answer.
package enum ReasoningFormat: String, Sendable, Hashable, CaseIterable {
  /// `<think>…</think>` before the answer (Qwen, DeepSeek).
  case think
  /// `[THINK]…[/THINK]` before the answer (Mistral).
  case brackets
  /// Messages in channels (gpt-oss): thoughts in `analysis`, the answer in `final`.
  case harmony

  /// The format that a chat template shows; `nil` when it shows none of these.
  package init?(chatTemplate: String) {
    if chatTemplate.contains(HarmonyTag.channel), chatTemplate.contains(HarmonyTag.message) {
      self = .harmony
    } else if let tagged = [Self.think, .brackets].first(where: { chatTemplate.contains($0.opening) }) {
      self = tagged
    } else {
      return nil
    }
  }

  /// What opens a thought.
  package var opening: String {
    switch self {
    case .think: "<think>"
    case .brackets: "[THINK]"
    case .harmony: HarmonyTag.channel + "analysis" + HarmonyTag.message
    }
  }

  /// What stands between thoughts and the answer.
  package var closing: String {
    switch self {
    case .think: "</think>"
    case .brackets: "[/THINK]"
    case .harmony: HarmonyTag.channel + "final" + HarmonyTag.message
    }
  }

  /// Tags that answers are read by.
  package var tags: [String] {
    switch self {
    case .think, .brackets: [opening, closing]
    case .harmony: HarmonyTag.all
    }
  }
}
