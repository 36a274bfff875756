import ChatTemplates
import Foundation
import JSON
import Testing

@Suite struct `Chat templates` {
  @Test func `render every reference conversation as transformers does, and fail where it fails`() throws {
    let golden = try TemplateReferences.json("renderings.json")
    let cases = try #require(golden["cases"]?.array)
    let variants = try #require(golden["variants"]?.array)
    #expect(cases.count >= 60)
    var templates: [String: ChatTemplate] = [:]
    for entry in cases {
      let name = try #require(entry["template"]?.string)
      let conversation = try #require(entry["conversation"]?.string)
      guard case .integer(let number)? = entry["variant"] else { continue }
      let template = try templates[name] ?? ChatTemplate(source: TemplateReferences.source(name))
      templates[name] = template
      var context = try TemplateReferences.variables(variants[number])
      var tools: [JSONValue]?
      var addGenerationPrompt = true
      if case .bool(let given)? = context.removeValue(forKey: "add_generation_prompt") { addGenerationPrompt = given }
      if case .array(let given)? = context.removeValue(forKey: "tools") { tools = given }
      context["bos_token"] = "<s>"
      context["eos_token"] = "</s>"
      let messages = try #require(golden["conversations"]?[conversation]?.array).map { try ChatMessage(json: $0) }
      let variables = ChatTemplate.variables(
        messages: messages, tools: tools, addGenerationPrompt: addGenerationPrompt, context)
      let output = try? template.render(
        variables: variables, now: TemplateReferences.now, timeZone: TemplateReferences.utc)
      let expected = entry["output"]?.string
      #expect(
        output?.utf8.elementsEqual(expected?.utf8 ?? "".utf8) ?? (expected == nil),
        "\(name), \(conversation), variant \(number):\n\(output ?? "error")\nexpected\n\(expected ?? "error")")
    }
  }

  @Test func `evaluate every reference snippet as jinja2 does, and fail where it fails`() throws {
    let golden = try TemplateReferences.json("snippets.json")
    let variables = try TemplateReferences.variables(golden["variables"])
    let snippets = try #require(golden["snippets"]?.array)
    #expect(snippets.count >= 200)
    for snippet in snippets {
      let source = try #require(snippet["source"]?.string)
      let expected = snippet["output"]?.string
      do {
        let output = try ChatTemplate(source: source)
          .render(variables: variables, now: TemplateReferences.now, timeZone: TemplateReferences.utc)
        #expect(expected.map(output.hasSameScalars) ?? false, "\(source)\n\(output)\nexpected\n\(expected ?? "error")")
      } catch {
        #expect(expected == nil, "\(source)\nfailed: \(error)\nexpected\n\(expected ?? "error")")
      }
    }
  }

  @Test(arguments: ["18446744073709551616", "-9223372036854775809", "123456789012345678901234567890"])
  func `keep every digit of integers beyond 64 bits`(digits: String) throws {
    let value = JSONValue.bigInteger(digits)
    let template = try ChatTemplate(
      source: "{{ x }} {{ x | tojson }} {{ x ~ '' }} {{ x == y }} {{ x is integer }} {{ '%d' % x }} {{ x == 1 }}")
    let text = try template.render(messages: [], context: ["x": value, "y": value])
    #expect(text == "\(digits) \(digits) \(digits) True True \(digits) False")
    #expect(throws: ChatTemplateError.self) {
      try ChatTemplate(source: "{{ x + 1 }}").render(messages: [], context: ["x": value])
    }
  }
}
