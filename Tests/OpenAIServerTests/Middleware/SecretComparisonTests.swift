import OpenAIServer
import Testing

@Suite struct SecretComparisonTests {
  @Test(
    "only a whole key matches",
    arguments: [
      ("key", true), ("other", true), ("ke", false), ("keys", false), ("keykey", false), ("", false), ("KEY", false),
    ])
  func matches(given: String, isKey: Bool) {
    #expect(SecretComparison.matches(Array(given.utf8), anyOf: [Array("key".utf8), Array("other".utf8)]) == isKey)
  }

  @Test("without keys nothing matches, not even nothing")
  func none() {
    #expect(!SecretComparison.matches([UInt8](), anyOf: []))
  }
}
