import JSON
import StructuredOutput
import Testing

/// Calls of tools as other families than Qwen's and Llama's write them.
@Suite struct ToolCallFormatTests {
  @Test(
    "calls in Mistral's formats are found however the text is cut",
    arguments: [
      (#"Hello [there] and [TOOL_ too"#, ToolCallTests.Answer(#"Hello [there] and [TOOL_ too"#)),
      (#"[TOOL_CALLS][{"name": "f", "arguments": {"a": "]"}}]"#, ToolCallTests.Answer("", [("f", #"{"a": "]"}"#)])),
      (
        #"Sure. [TOOL_CALLS] [{"name": "f", "arguments": {}, "id": "abcdefghi"}, {"name": "g", "arguments": {"b": [1]}}]"#,
        ToolCallTests.Answer("Sure.", [("f", "{}"), ("g", #"{"b": [1]}"#)])
      ),
      (#"[TOOL_CALLS]f[ARGS]{"a": {"b": "}"}}"#, ToolCallTests.Answer("", [("f", #"{"a": {"b": "}"}}"#)])),
      (
        #"[TOOL_CALLS]f[CALL_ID]abcdefghi[ARGS]{}[TOOL_CALLS]g[ARGS]{"é": "😀"} and so"#,
        ToolCallTests.Answer(" and so", [("f", "{}"), ("g", #"{"é": "😀"}"#)])
      ),
      (#"[TOOL_CALLS]f{"a": 1}"#, ToolCallTests.Answer("", [("f", #"{"a": 1}"#)])),
      (#"[TOOL_CALLS][TOOL_CALLS]f[ARGS]{}"#, ToolCallTests.Answer("[TOOL_CALLS]", [("f", "{}")])),
      // Broken: content, or arguments that break off.
      (#"[TOOL_CALLS]h[ARGS]{"a": 1} x"#, ToolCallTests.Answer(#"[TOOL_CALLS]h[ARGS]{"a": 1} x"#)),
      (
        #"[TOOL_CALLS][{"name": "h", "arguments": {}}]"#,
        ToolCallTests.Answer(#"[TOOL_CALLS][{"name": "h", "arguments": {}}]"#)
      ),
      ("[TOOL_CALLS]", ToolCallTests.Answer("[TOOL_CALLS]")),
      ("[TOOL_CALLS][]", ToolCallTests.Answer("[TOOL_CALLS][]")),
      ("[TOOL_CALLS]f\n[ARGS]{}", ToolCallTests.Answer("[TOOL_CALLS]f\n[ARGS]{}")),
      (#"[TOOL_CALLS]f[ARGS]{"a": "unfin"#, ToolCallTests.Answer("", [("f", #"{"a": "unfin"#)])),
    ])
  func mistral(text: String, expected: ToolCallTests.Answer) {
    for format in [ToolCallFormat.mistral, .mistralNamed] {
      for pieces in [1, 2, 3, 7, 1_000] {
        #expect(ToolCallTests.parse(text, format, names: ["f", "g"], pieces: pieces) == expected, "\(pieces)")
      }
    }
  }

  @Test(
    "calls in Qwen3-Coder's format are found however the text is cut, their arguments as the schemas say",
    arguments: [
      ("Hello <tool", ToolCallTests.Answer("Hello <tool")),
      (
        "Look:\n<tool_call>\n<function=f>\n<parameter=s>\n12\n</parameter>\n<parameter=n>\n12\n</parameter>\n</function>\n</tool_call>",
        ToolCallTests.Answer("Look:", [("f", #"{"s": "12", "n": 12}"#)])
      ),
      (
        "<tool_call>\n<function=f>\n<parameter=s>\na \"b\"\n</p>\n\n</parameter>\n<parameter=o>\n{\"x\": [1]}\n</parameter>\n</function>\n</tool_call>\n<tool_call>\n<function=g>\n</function>\n</tool_call>",
        ToolCallTests.Answer("", [("f", #"{"s": "a \"b\"\n</p>\n", "o": {"x": [1]}}"#), ("g", "{}")])
      ),
      (
        "<tool_call><function=f><parameter=b>True</parameter><parameter=m>null</parameter><parameter=u>1e3</parameter><parameter=v>No</parameter></function></tool_call>",
        ToolCallTests.Answer("", [("f", #"{"b": true, "m": null, "u": 1e3, "v": "No"}"#)])
      ),
      // The end of an argument is forgotten.
      (
        "<tool_call>\n<function=f>\n<parameter=s>\nx\n<parameter=n>\n1\n</function>\n</tool_call>",
        ToolCallTests.Answer("", [("f", #"{"s": "x", "n": 1}"#)])
      ),
      ("<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>", ToolCallTests.Answer("", [("f", "{}")])),
      (
        "<tool_call>\n<function=h>\n</function>\n</tool_call>",
        ToolCallTests.Answer("<tool_call>\n<function=h>\n</function>\n</tool_call>")
      ),
      ("<tool_call>\nfunction=f", ToolCallTests.Answer("<tool_call>\nfunction=f")),
      ("<tool_call>\n<function=f>\n<parameter=s>\nx", ToolCallTests.Answer("", [("f", "")])),
    ])
  func qwenCoder(text: String, expected: ToolCallTests.Answer) throws {
    let schema: JSONValue = [
      "type": "object",
      "properties": [
        "s": ["type": "string"], "n": ["type": "integer"], "o": ["type": "object"], "b": ["type": "boolean"],
        "m": ["anyOf": [["type": "string"], ["type": "null"]]],
      ],
    ]
    for size in [1, 2, 7, 1_000] {
      var parser = ToolCallParser(format: .qwenCoder, names: ["f", "g"], schemas: ["f": schema]) { "id\($0)" }
      var answer = ToolCallTests.Answer()
      var rest = Array(text)[...]
      while !rest.isEmpty {
        answer.add(parser.append(String(rest.prefix(size))))
        rest = rest.dropFirst(size)
      }
      answer.add(parser.finish())
      #expect(answer == expected, "\(size)")
    }
  }

  @Test("ids of calls are as the family's templates take them", arguments: ToolCallFormat.allCases)
  func identifiers(format: ToolCallFormat) {
    let isShort = format == .mistral || format == .mistralNamed
    let id = format.randomID()
    #expect(id.count == (isShort ? 9 : 29) && id.hasPrefix("call_") != isShort && id != format.randomID())
  }
}
