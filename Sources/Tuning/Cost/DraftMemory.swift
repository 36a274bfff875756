/// What a draft takes from the memory that would otherwise hold the target's keys and values.
package struct DraftMemory: Sendable, Codable, Equatable {
  /// The draft's name.
  package var draft: String
  /// The draft's packed weights, and its keys and values of one position.
  package var weightBytes, keyValueBytesPerToken: Int
  package var targetWeightBytes, targetKeyValueBytesPerToken: Int
  /// The memory to share out; `nil` when it is not known.
  package var budgetBytes: Int?

  package init(
    draft: String, weightBytes: Int, keyValueBytesPerToken: Int, targetWeightBytes: Int,
    targetKeyValueBytesPerToken: Int, budgetBytes: Int?
  ) {
    (self.draft, self.weightBytes, self.keyValueBytesPerToken) = (draft, weightBytes, keyValueBytesPerToken)
    (self.targetWeightBytes, self.targetKeyValueBytesPerToken) = (targetWeightBytes, targetKeyValueBytesPerToken)
    self.budgetBytes = budgetBytes
  }

  /// Positions of the target's KV cache that the draft's weights displace.
  package var tokensDisplacedByWeights: Int { weightBytes / max(targetKeyValueBytesPerToken, 1) }

  /// Share of the remaining positions that the draft's own keys and values displace, 0 to 1: it caches each as well.
  package var shareDisplacedByKeysAndValues: Double {
    let both = keyValueBytesPerToken + targetKeyValueBytesPerToken
    return both > 0 ? Double(keyValueBytesPerToken) / Double(both) : 0
  }

  /// Positions that fit `budgetBytes` without and with the draft; `nil` without a budget.
  package var capacity: (without: Int, with: Int)? {
    guard let budgetBytes else { return nil }
    let without = max(0, budgetBytes - targetWeightBytes) / max(targetKeyValueBytesPerToken, 1)
    let with =
      max(0, budgetBytes - targetWeightBytes - weightBytes)
      / max(targetKeyValueBytesPerToken + keyValueBytesPerToken, 1)
    return (without, with)
  }
}
