import Decoding
import Foundation
import JSON
import TestSupport
import Testing

import Deployment

/// The chart, rendered here by the two things that its templates use: `toJson` of a value, and conditions around a file.
/// `Tests/Client/test_deploy.py` has Helm itself render it.
struct HelmChartTests {
  /// Helm's part, as far as these templates go.
  private func render(_ template: String, _ values: JSONValue, namespace: String) throws -> String {
    var text = template
    if let condition = text.firstMatch(of: /^\{\{- if (and )?([^}]*) \}\}\n/) {
      let names = condition.2.split(separator: " ")
      guard try names.allSatisfy({ try value(String($0), values, namespace).bool == true }) else { return "" }
      text = String(text[condition.range.upperBound...].replacing("{{- end }}\n", with: ""))
    }
    text = text.replacing("{{ .Release.Namespace }}", with: namespace)
    // Of a Job's name the part that is a hash of its values is not computed here.
    text = text.replacing(/\{\{ toJson \(printf "%s-%s" "([^"]*)" \(list [^)]*\)\) \}\}/) { "\($0.1)-00000000" }
    text = try text.replacing(/\{\{ toJson (\(concat \(list ([^)]*)\) )?([.A-Za-z]+)\)? \}\}/) { match in
      let found = try value(String(match.3), values, namespace)
      guard let prefix = match.2 else { return found.serialized() }
      let names = prefix.split(separator: " ").map { JSONValue.string(String($0).replacing("\"", with: "")) }
      return JSONValue.array(names + found.elements).serialized()
    }
    return text.replacing("{{ \"{{\" }}", with: "{{")
  }

  private func value(_ name: String, _ values: JSONValue, _ namespace: String) throws -> JSONValue {
    if name == ".Release.Namespace" { return .string(namespace) }
    var found: JSONValue? = values
    for part in name.split(separator: ".").dropFirst() { found = found?[String(part)] }
    return try #require(found, "no value \(name)")
  }

  /// `values.yaml` with every part switched on.
  private func everything(_ value: JSONValue) -> JSONValue {
    guard case .object(let members) = value else { return value }
    return .object(JSONObject(members.pairs.map { ($0.key, $0.key == "enabled" ? true : everything($0.value)) }))
  }

  /// Every third one, which meets every engine, method, storage and allocation.
  @Test(arguments: Combination.all.enumerated().filter { $0.offset % 3 == 0 }.map(\.element))
  func `the chart with its own values gives the objects of the tree`(combination: Combination) throws {
    let plan = try combination.plan()
    let files = try Bundle(plan, format: .helm).files
    let text = try #require(files.first { $0.path == "values.yaml" }).text
    let values = everything(try #require(ManifestReader.documents(text: text, shown: "values.yaml").first).value)
    let templates = files.filter { $0.path.hasPrefix("templates/") }
    let rendered = try templates.map { try render($0.text, values, namespace: plan.request.namespace) }
    #expect(rendered.allSatisfy { !$0.isEmpty })
    let chart = try ManifestReader.documents(text: YAMLText.join(rendered), shown: "chart").map(\.value.text)
    let stream = try Bundle.stream(try combination.manifests())
      .replacing(/(?m)^(  name: [-a-z0-9]+-(compile|benchmark)-)[0-9a-f]{8}$/) { "\($0.1)00000000" }
    let tree = try ManifestReader.documents(text: stream, shown: "tree").map(\.value)
      .filter { $0["kind"]?.string != "Namespace" }.map(\.text)
    #expect(chart == tree)
  }

  @Test func `values change what they name and nothing else`() throws {
    let plan = try Combination(engine: .vllmNeuron, method: .draftModel, storage: .s3, allocation: .dra).plan()
    let files = try Bundle(plan, format: .helm).files
    let text = try #require(files.first { $0.path == "values.yaml" }).text
    var values = try #require(ManifestReader.documents(text: text, shown: "values.yaml").first).value
    if case .object(var members) = values {
      members["image"] = "registry.example/vllm:1.2.3"
      values = .object(members)
    }
    let template = try #require(files.first { $0.path == "templates/servers-speculative-deployment.yaml" }).text
    let rendered = try render(template, values, namespace: "elsewhere")
    let object = try #require(ManifestReader.documents(text: rendered, shown: "x").first).value
    #expect(object["metadata", "namespace"]?.string == "elsewhere")
    let container = try #require(object["spec", "template", "spec", "containers"]?.elements.first)
    #expect(container["image"]?.string == "registry.example/vllm:1.2.3")
    #expect(container["args"]?.elements.contains(.string("--speculative-config")) == true)
  }
}

extension JSONValue {
  /// What says the same whatever the order of keys.
  var text: String { serialized(JSONStyle(sortsKeys: true)) }
}
