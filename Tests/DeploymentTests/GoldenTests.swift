import Foundation
import TestSupport
import Testing

import Deployment

/// What was rendered when a person last read it.
///
/// Of each engine there is one combination in full (`ENGINE.yaml`), and of every other what differs from it, line by line
/// (`ENGINE.differences.txt`). After a change that is meant, `FORETOKEN_GOLDEN=write` writes them anew; read the diff.
@Suite(.serialized)
struct GoldenTests {
  private static let folder = Places.root.appendingPathComponent("Tests/DeploymentTests/Golden")
  private static let writes = ProcessInfo.processInfo.environment["FORETOKEN_GOLDEN"] == "write"

  private func expect(_ text: String, equals file: String) throws {
    let url = Self.folder.appendingPathComponent(file)
    if Self.writes { try Data(text.utf8).write(to: url) }
    let golden = try String(contentsOf: url, encoding: .utf8)
    guard text != golden else { return }
    let (new, old) = (text.split(separator: "\n"), golden.split(separator: "\n"))
    let first = zip(new, old).first { $0 != $1 }
    Issue.record(
      "\(file): the first difference: now '\(first?.0 ?? "(nothing)")', before '\(first?.1 ?? "(nothing)")'; \(new.count) lines, before \(old.count)"
    )
  }

  /// Objects without what is tested elsewhere and long: the scripts and the dashboard.
  private func stream(_ combination: Combination) throws -> String {
    let kept = try combination.manifests().filter { $0.object.kind != "ConfigMap" }
    return try Bundle.stream(kept)
  }

  /// `Deployment/name spec.replicas: 1`, one line for each value.
  private func lines(_ combination: Combination) throws -> [String] {
    let documents = try ManifestReader.documents(text: try stream(combination), shown: "")
    return documents.flatMap { document in
      flat(document.value).map { "\(document.kind)/\(document.name) \($0)" }
    }
  }

  private func flat(_ value: Value, _ path: String = "") -> [String] {
    switch value {
    case .object(let members) where !members.isEmpty:
      members.sorted { $0.key < $1.key }.flatMap { flat($0.value, path.isEmpty ? $0.key : "\(path).\($0.key)") }
    case .array(let values) where !values.isEmpty:
      // By name where elements have one, so that a new element does not move the others.
      values.enumerated().flatMap { index, element in
        let isText = element.text != nil
        return flat(element, "\(path)[\(isText ? "" : element["name"]?.text ?? "\(index)")]")
      }
    case .string(let text): ["\(path): \(text)"]
    default: ["\(path): \(value.shown)"]
    }
  }

  @Test(arguments: ServingEngine.allCases)
  func `rendering is as it was read`(engine: ServingEngine) throws {
    let combinations = Combination.all.filter { $0.engine == engine }
    let base = try #require(combinations.first)
    try expect("# \(base)\n" + (try stream(base)), equals: "\(engine.rawValue).yaml")
    let baseLines = try lines(base)
    let known = Set(baseLines)
    var text = "# What differs from \(base).\n"
    for combination in combinations.dropFirst() {
      let own = try lines(combination)
      let present = Set(own)
      text += "\n== \(combination)\n"
      text += objects(baseLines, own)
      text += shared(baseLines, own).filter { !present.contains($0) }.map { "- \($0)\n" }.joined()
      text += shared(own, baseLines).filter { !known.contains($0) }.map { "+ \($0)\n" }.joined()
    }
    try expect(text, equals: "\(engine.rawValue).differences.txt")
  }

  private func object(_ line: String) -> Substring { line.prefix { $0 != " " } }

  /// Whole objects that are gone or new, by name.
  private func objects(_ base: [String], _ own: [String]) -> String {
    let (before, after) = (Set(base.map(object)), Set(own.map(object)))
    return before.subtracting(after).sorted().map { "- \($0)\n" }.joined()
      + after.subtracting(before).sorted().map { "+ \($0)\n" }.joined()
  }

  /// Lines of `a` about objects that `b` has too; and all lines of objects that have no fellow in the base.
  private func shared(_ a: [String], _ b: [String]) -> [String] {
    let there = Set(b.map(object))
    return a.filter { there.contains(object($0)) }
  }

  @Test(arguments: [("g6e.12xlarge", "cuda"), ("trn2.3xlarge", "neuron")])
  func `foretoken on accelerators is as it was read`(instance: String, plugin: String) throws {
    var request = DeploymentRequest(engine: .foretoken, target: "Qwen/Qwen3-8B")
    (request.draft, request.instanceType, request.storage) = ("Qwen/Qwen3-0.6B", instance, .pvc)
    let kept = try ManifestBuilder(try DeploymentPlan(request)).manifests().filter { $0.object.kind != "ConfigMap" }
    try expect(try Bundle.stream(kept), equals: "foretoken-\(plugin).yaml")
  }
}
