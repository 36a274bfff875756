import Foundation
import TestSupport
import Testing

import Deployment

/// What was rendered when a person last read it.
///
/// `Golden/hashes.txt` has a hash of every combination, and a few are there in full. `Scripts/deploy-difference` shows in
/// full what a change does to all of them; after a change that is meant, `FORETOKEN_GOLDEN=write` writes both anew.
@Suite(.serialized)
struct GoldenTests {
  private static let folder = Places.root.appendingPathComponent("Tests/DeploymentTests/Golden")
  private static let mode = ProcessInfo.processInfo.environment["FORETOKEN_GOLDEN"]

  /// Objects without what is tested elsewhere and long: the scripts and the dashboard.
  private static func rendering(_ plan: DeploymentPlan) throws -> String {
    try Bundle.stream(try ManifestBuilder(plan).manifests().filter { $0.object.kind != "ConfigMap" })
  }

  /// Every rendering by its name.
  private static func renderings() throws -> [(name: String, text: String)] {
    try Combination.all.map { ($0.description, try rendering(try $0.plan())) }
      + [("g6e.12xlarge", "cuda"), ("trn2.3xlarge", "neuron")].map { instance, plugin in
        var request = DeploymentRequest(engine: .foretoken, target: "Qwen/Qwen3-8B")
        (request.draft, request.instanceType, request.storage) = ("Qwen/Qwen3-0.6B", instance, .pvc)
        request.image = "\(Combination.ownImage)-\(plugin)"
        return ("foretoken on \(plugin)", try rendering(try DeploymentPlan(request)))
      }
  }

  /// Those that are kept whole, by their file.
  private static let whole = [
    "vllm-neuron draft_model pvc dra": "vllm-neuron-fused.yaml",
    "vllm-neuron eagle3 s3 device-plugin": "vllm-neuron-plugin.yaml",
    "foretoken auto efs device-plugin": "foretoken.yaml",
  ]

  private static func expect(_ text: String, equals file: String) throws {
    let url = folder.appendingPathComponent(file)
    if mode == "write" { try Data(text.utf8).write(to: url) }
    let (new, old) = (text.split(separator: "\n"), try String(contentsOf: url, encoding: .utf8).split(separator: "\n"))
    let changed = new.filter { !old.contains($0) }
    guard new != old else { return }
    Issue.record(
      """
      \(file): \(new.count) lines, before \(old.count); new are \(changed.prefix(5)). \
      Scripts/deploy-difference shows it in full; if it is meant: FORETOKEN_GOLDEN=write
      """)
  }

  @Test func `rendering is as it was read`() throws {
    let renderings = try Self.renderings()
    // For Scripts/deploy-difference: each under a name that a file can have.
    if let mode = Self.mode, mode.hasPrefix("/") {
      for (name, text) in renderings {
        let file = mode + "/" + name.replacing(" ", with: "-") + ".yaml"
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
      }
      return
    }
    #expect(Set(renderings.map(\.name)).count == renderings.count)
    let hashes = renderings.map { "\(digest($0.text.utf8)) \($0.name)\n" }.joined()
    try Self.expect(hashes, equals: "hashes.txt")
    for (name, file) in Self.whole {
      let text = try #require(renderings.first { $0.name == name }).text
      try Self.expect("# \(name)\n" + text, equals: file)
    }
  }
}
