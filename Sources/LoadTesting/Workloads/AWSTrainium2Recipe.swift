/// The prompts of AWS's measurement (April 2026, made with LLMPerf): each phrase is repeated until it fills 64 tokens.
enum AWSTrainium2Recipe {
  static let inputTokens = 64

  static let cases: [(name: String, phrase: String)] = [
    ("counting", "counting numbers from 1 "),
    // Shakespeare, sonnet 18 (1609), whose opening lines fill the input.
    (
      "sonnet",
      """
      Shall I compare thee to a summer's day?
      Thou art more lovely and more temperate:
      Rough winds do shake the darling buds of May,
      And summer's lease hath all too short a date:
      Sometime too hot the eye of heaven shines,
      And often is his gold complexion dimmed,
      And every fair from fair sometime declines,
      By chance, or nature's changing course untrimmed:

      """
    ),
    ("a", "a"),
    ("hello world", "hello world "),
    ("cat on the mat", "the cat sat on the mat. "),
    ("json", "Output valid JSON with fixed keys"),
    ("python", "Write a simple Python function skeleton"),
    ("list", "List numbers from one to twenty"),
  ]
}
