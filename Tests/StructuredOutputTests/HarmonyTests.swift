import Foundation
import JSON
import StructuredOutput
import TestSupport
import Testing
import Tokenization

/// gpt-oss's chat format, against `openai-harmony`.
@Suite struct HarmonyTests {
  static func parse(
    _ text: String, prompt: String = "<|start|>assistant", names: Set<String>? = nil, pieces: Int
  ) -> (reasoning: String, answer: ToolCallTests.Answer) {
    var parser = HarmonyParser(prompt: prompt, names: names) { "id\($0)" }
    var (reasoning, answer) = ("", ToolCallTests.Answer())
    func add(_ events: [HarmonyParser.Event]) {
      for event in events {
        switch event {
        case .reasoning(let text): reasoning += text
        case .answer(let event): answer.add([event])
        }
      }
    }
    var rest = Array(text)[...]
    while !rest.isEmpty {
      add(parser.append(String(rest.prefix(pieces))))
      rest = rest.dropFirst(pieces)
    }
    add(parser.finish())
    return (reasoning, answer)
  }

  @Test func `answers are read as openai-harmony reads them, however they are cut`() throws {
    let file = Places.golden.appendingPathComponent("harmony/answers.json")
    let rows = try #require(try JSONValue(parsing: [UInt8](Data(contentsOf: file))).array)
    #expect(rows.count > 50)
    for row in rows {
      let text = try #require(row["text"]?.string)
      let calls = try #require(row["calls"]?.array).map { ($0.array?[0].string ?? "", $0.array?[1].string ?? "") }
      let expected = ToolCallTests.Answer(try #require(row["content"]?.string), calls)
      for pieces in [1, 2, 7, 1_000] {
        let found = Self.parse(text, names: ["get_weather", "clock"], pieces: pieces)
        #expect(found.reasoning == row["reasoning"]?.string && found.answer == expected, "\(pieces) \(text)")
      }
    }
  }

  @Test(arguments: [
    // No message: the answer as it is.
    ("Hello", "", "Hello"), ("  to be", "", "  to be"), (" \n", "", " \n"), ("<b>", "", "<b>"),
    // What breaks off in a header is nothing.
    ("<|channel|>fin", "", ""), ("<|chan", "", ""), (" to=functions.f", "", ""),
    ("<|channel|>analysis<|message|>Hm<|e", "Hm<|e", ""),
    ("<|channel|>analysis<|message|>Hm<|end|><|start|>assi", "Hm", ""),
    // The end of a message is forgotten.
    ("<|channel|>analysis<|message|>Hm<|channel|>final<|message|>Yes", "Hm", "Yes"),
    ("<|channel|>analysis<|message|>Hm<|start|>assistant<|channel|>final<|message|>Yes", "Hm", "Yes"),
    ("<|channel|>analysis<|message|>Hm<|end|>Yes", "Hm", "Yes"),
    // Functions that there are not, and tools that models know by themselves.
    ("<|channel|>commentary to=functions.g<|message|>{}<|call|>", "", "{}"),
    ("<|channel|>analysis to=python<|message|>1+1<|call|>", "1+1", ""),
  ]) func `what keeps to no rule loses nothing that was written`(text: String, reasoning: String, content: String) {
    for pieces in [1, 2, 100] {
      let found = Self.parse(text, names: ["f"], pieces: pieces)
      #expect(found.reasoning == reasoning && found.answer == ToolCallTests.Answer(content), "\(pieces)")
    }
  }

  @Test(
    arguments: [
      ("a<|start|>assistant", .header, "<|channel|>final<|message|>x", "", "x"),
      ("<|start|>assistant<|channel|>final<|message|>One, ", .content, "two", "", "two"),
      ("<|start|>assistant<|channel|>analysis<|message|>Hm", .reasoning, ".<|end|>", ".", ""),
      ("no message", .header, "x", "", "x"),
    ] as [(String, HarmonyParser.Place, String, String, String)]) func `an answer goes on where the prompt ends`(
      prompt: String, place: HarmonyParser.Place, text: String, reasoning: String, content: String
    )
  {
    #expect(HarmonyParser(prompt: prompt).place == place)
    let found = Self.parse(text, prompt: prompt, pieces: 3)
    #expect(found.reasoning == reasoning && found.answer == ToolCallTests.Answer(content))
  }

  @Test func `a form holds in the final channel alone, after thoughts`() throws {
    let compiler = try RandomWriter().compiler
    let thought = "<|channel|>analysis<|message|>I {wonder}, <|message|> or not<|end|><|start|>assistant"
    let final = "<|channel|>final<|message|>"
    func accepts(_ text: String, after reasoning: ReasoningPrefix) throws -> Bool {
      var constraint = try #require(try compiler.constraint(for: .jsonObject, reasoning: reasoning))
      return constraint.advance(byText: text) && constraint.isComplete
    }
    for text in [final + "{}", thought + final + "{}", thought + thought + final + "{}"] {
      #expect(try accepts(text, after: .allowed(.harmony)), "\(text)")
    }
    for text in ["{}", thought + "{}", final + "[]", "<|channel|>commentary<|message|>{}<|end|>" + final + "{}"] {
      #expect(try !accepts(text, after: .allowed(.harmony)), "\(text)")
    }
    #expect(try accepts("Hm.<|end|><|start|>assistant" + final + "{}", after: .open(.harmony)))
    #expect(try accepts("{}", after: .none))
  }

  @Test func `a call that must be made comes after thoughts, and nothing after it`() throws {
    let compiler = try RandomWriter().compiler
    let tools = [ToolDefinition(name: "now")]
    let constraint = try compiler.toolCalls(tools, format: .harmony, reasoning: .allowed(.harmony))
    let call = "<|channel|>commentary to=functions.now <|constrain|>json<|message|>{}"
    for (text, isWhole) in [
      (call, true), ("<|channel|>analysis<|message|>Hm<|end|><|start|>assistant" + call, true), (call + call, false),
      ("<|channel|>final<|message|>No", false),
    ] {
      var state = constraint
      let isAllowed = state.advance(byText: text)
      #expect((isAllowed && state.isComplete) == isWhole, "\(text)")
    }
    let form = ResponseFormat.choice(["yes"], path: "")
    var either = try compiler.toolCalls(
      tools, orElse: form, format: .harmony, reasoning: .allowed(.harmony))
    var other = either
    let answers = either.advance(byText: "<|channel|>final<|message|>yes")
    #expect(answers && either.isComplete)
    let calls = other.advance(byText: call)
    #expect(calls && other.isComplete)
  }

  @Test(
    arguments: [
      ("{{ '<|channel|>' }}{{ '<|message|>' }}", ReasoningFormat.harmony, ToolCallFormat.harmony),
      ("<think> <tool_call>", .think, .qwen), ("<tool_call> <parameter=", nil, .qwenCoder),
      ("[THINK] [TOOL_CALLS] [ARGS]", .brackets, .mistralNamed),
      ("[TOOL_CALLS][", nil, .mistral), ("plain", nil, nil),
    ] as [(String, ReasoningFormat?, ToolCallFormat?)]) func `templates show their formats`(
      source: String, reasoning: ReasoningFormat?, calls: ToolCallFormat?
    )
  {
    #expect(ReasoningFormat(chatTemplate: source) == reasoning && ToolCallFormat(chatTemplate: source) == calls)
  }
}
