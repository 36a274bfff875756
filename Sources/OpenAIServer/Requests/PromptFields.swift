internal import JSON
internal import Tokenization

extension ServingContext {
  /// A list of texts or token ids: a text, token ids, or an array of either.
  ///
  /// - Parameters:
  ///   - key: the field.
  ///   - limit: most of them.
  func prompts(
    _ fields: JSONFields, _ key: String, limit: Int, mostTokens: Int, budget: WorkBudget
  ) throws(APIError) -> [[TokenID]] {
    let expected = "a string, an array of strings, an array of token ids or an array of such arrays"
    guard let value = fields.value(key) else { throw fields.missing(key, expected) }
    let addsSpecialTokens = try fields.bool("add_special_tokens") ?? true
    let parsesSpecialTokens = try parsesSpecialTokens(fields)
    func encode(_ text: String) throws(APIError) -> [TokenID] {
      try tokens(
        of: text, parsesSpecialTokens: parsesSpecialTokens, addsSpecialTokens: addsSpecialTokens,
        mostTokens: mostTokens, budget: budget)
    }
    switch value {
    case .string(let text): return [try encode(text)]
    case .array(let values):
      guard !values.isEmpty else { throw fields.wrong(key, value, expected + "; not an empty one") }
      guard values.count <= limit || values.first?.string == nil && values.first?.array == nil else {
        throw fields.wrong(key, value, "at most \(limit) prompts")
      }
      if let tokens = JSONFields.tokens(values) { return [tokens] }
      var prompts: [[TokenID]] = []
      for value in values {
        if let text = value.string {
          prompts.append(try encode(text))
        } else if let values = value.array, let tokens = JSONFields.tokens(values) {
          prompts.append(tokens)
        } else {
          throw fields.wrong(key, value, expected)
        }
      }
      return prompts
    default: throw fields.wrong(key, value, expected)
    }
  }
}
