/// What a draft takes from the memory that would otherwise hold the target's keys and values.
public struct DraftMemory: Sendable, Codable, Equatable {
  /// The draft's name.
  public var draft: String
  /// Its packed weights, in bytes.
  public var weightBytes: Int
  /// Its keys and values of one position, in bytes.
  public var keyValueBytesPerToken: Int
  /// The target's keys and values of one position, in bytes.
  public var targetKeyValueBytesPerToken: Int
  /// The memory to share out, in bytes; `nil` when it is not known.
  public var budgetBytes: Int?
  /// The target's packed weights, in bytes.
  public var targetWeightBytes: Int

  /// Of a draft beside a target.
  public init(
    draft: String, weightBytes: Int, keyValueBytesPerToken: Int, targetWeightBytes: Int,
    targetKeyValueBytesPerToken: Int, budgetBytes: Int?
  ) {
    self.draft = draft
    self.weightBytes = weightBytes
    self.keyValueBytesPerToken = keyValueBytesPerToken
    self.targetWeightBytes = targetWeightBytes
    self.targetKeyValueBytesPerToken = targetKeyValueBytesPerToken
    self.budgetBytes = budgetBytes
  }

  /// Positions of the target's KV cache that the draft's weights displace.
  public var tokensDisplacedByWeights: Int { weightBytes / max(targetKeyValueBytesPerToken, 1) }

  /// Share of the remaining positions that the draft's own keys and values displace, 0 to 1: it caches each as well.
  public var shareDisplacedByKeysAndValues: Double {
    let both = keyValueBytesPerToken + targetKeyValueBytesPerToken
    return both > 0 ? Double(keyValueBytesPerToken) / Double(both) : 0
  }

  /// Positions that fit `budgetBytes` without and with the draft; `nil` without a budget.
  public var capacity: (without: Int, with: Int)? {
    guard let budgetBytes else { return nil }
    let without = max(0, budgetBytes - targetWeightBytes) / max(targetKeyValueBytesPerToken, 1)
    let with =
      max(0, budgetBytes - targetWeightBytes - weightBytes)
      / max(targetKeyValueBytesPerToken + keyValueBytesPerToken, 1)
    return (without, with)
  }
}
