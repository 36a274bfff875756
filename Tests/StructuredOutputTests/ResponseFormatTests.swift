import JSON
import StructuredOutput
import Testing

/// What requests ask for, by OpenAI's and vLLM's keys.
@Suite struct ResponseFormatTests {
  private func format(_ body: String) throws -> ResponseFormat {
    try ResponseFormat(request: JSONValue(parsing: body))
  }

  @Test("each way to ask for a form is understood")
  func forms() throws {
    #expect(try format("{}") == .text)
    #expect(try format(#"{"response_format": {"type": "text"}}"#) == .text)
    #expect(try format(#"{"response_format": null, "guided_json": null}"#) == .text)
    #expect(try format(#"{"response_format": {"type": "json_object"}}"#) == .jsonObject)
    #expect(
      try format(
        #"{"response_format": {"type": "json_schema", "json_schema": {"name": "x", "strict": true, "schema": {"type": "null"}}}}"#
      )
        == .jsonSchema(["type": "null"], path: "/response_format/json_schema/schema"))
    #expect(
      try format(#"{"structured_outputs": {"json": "{\"type\": \"null\"}"}}"#)
        == .jsonSchema(["type": "null"], path: "/structured_outputs/json"))
    #expect(try format(#"{"structured_outputs": {"json_object": true}}"#) == .jsonObject)
    #expect(try format(#"{"guided_json": {"type": "null"}}"#) == .jsonSchema(["type": "null"], path: "/guided_json"))
    #expect(
      try format(#"{"response_format": {"type": "json_object", "schema": {"type": "null"}}}"#)
        == .jsonSchema(["type": "null"], path: "/response_format/schema"))
    #expect(try format(#"{"json_schema": {"type": "null"}}"#) == .jsonSchema(["type": "null"], path: "/json_schema"))
    #expect(try format(#"{"structured_outputs": {"regex": "a", "disable_any_whitespace": false}}"#) != .text)
    #expect(try format(#"{"guided_choice": ["a", "b"]}"#) == .choice(["a", "b"], path: "/guided_choice"))
    #expect(try format(#"{"structured_outputs": {"regex": "a+"}}"#) == .regex("a+", path: "/structured_outputs/regex"))
  }

  @Test(
    "what is malformed is refused with its path",
    arguments: [
      (#"{"response_format": {"type": "xml"}}"#, "/response_format/type"),
      (#"{"response_format": {"type": "json_schema"}}"#, "/response_format/json_schema"),
      (
        #"{"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}"#,
        "/response_format/json_schema/schema"
      ),
      (#"{"response_format": {"type": "json_object"}, "guided_regex": "a"}"#, "/guided_regex"),
      (
        #"{"structured_outputs": {"regex": "a", "disable_any_whitespace": true}}"#,
        "/structured_outputs/disable_any_whitespace"
      ),
      (#"{"guided_whitespace_pattern": " "}"#, "/guided_whitespace_pattern"), (#"{"grammar": "x"}"#, "/grammar"),
      (#"{"guided_grammar": "root ::= x"}"#, "/guided_grammar"), (#"{"guided_choice": "a"}"#, "/guided_choice"),
    ])
  func malformed(body: String, path: String) throws {
    let error = #expect(throws: ConstraintError.self) { try format(body) }
    #expect(error?.path == path)
  }

  @Test("choices, expressions and thoughts before the answer are kept to")
  func otherForms() throws {
    let compiler = try RandomWriter().compiler
    func accepts(_ constraint: GrammarConstraint?, _ text: String) -> Bool {
      guard var constraint else { return false }
      return constraint.advance(byText: text) && constraint.isComplete
    }
    let choice = try compiler.constraint(for: .choice(["yes", "yesterday"], path: ""))
    #expect(accepts(choice, "yes") && accepts(choice, "yesterday") && !accepts(choice, "yest"))
    let regex = try compiler.constraint(for: .regex("[a-c]+\\d?", path: ""))
    #expect(accepts(regex, "abc1") && !accepts(regex, "xabc1"))
    let thinking = try compiler.constraint(for: .jsonObject, reasoning: .allowed(.think))
    #expect(accepts(thinking, "{}") && accepts(thinking, "<think>\nI {wonder}</think>\n\n{}"))
    #expect(!accepts(thinking, "I wonder{}"))
    let inside = try compiler.constraint(for: .jsonObject, reasoning: .open(.think))
    #expect(accepts(inside, "hm</think>{}") && !accepts(inside, "{}"))
  }
}
