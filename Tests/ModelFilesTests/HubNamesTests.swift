import Foundation
import ModelFiles
import Testing

@Suite struct HubNamesTests {
  @Test(
    "a model is called by its name on the hub wherever its files lie in a cache",
    arguments: [
      ("models--org--name/snapshots/abc", "org/name"), ("models--Qwen--Qwen3-0.6B/snapshots/abc", "Qwen/Qwen3-0.6B"),
      ("models--a-b--c--d/snapshots/abc", "a-b/c--d"), ("models--org--name/snapshots/abc/x.gguf", "org/name"),
      ("plain/Model-7B", "Model-7B"), ("models--none/x", "x"),
    ])
  func names(path: String, name: String) throws {
    let root = FileManager.default.temporaryDirectory.appendingPathComponent("names-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: root) }
    let place = root.appendingPathComponent(path)
    try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
    #expect(HubCache.modelName(of: place.path) == name)
    // A link from elsewhere leads there too.
    let link = root.appendingPathComponent("link")
    try FileManager.default.createSymbolicLink(at: link, withDestinationURL: place)
    #expect(HubCache.modelName(of: link.path) == (name.contains("/") ? name : "link"))
    #expect(HubCache.modelName(of: "org/name") == "org/name")
  }

  @Test("nothing is asked of the hub when that is forbidden", arguments: ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
  func offline(variable: String) async throws {
    let home = FileManager.default.temporaryDirectory.appendingPathComponent("offline-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: home) }
    // An address that nobody answers at.
    let client = HubClient(
      environment: ["HF_HOME": home.path, "HF_ENDPOINT": "http://127.0.0.1:1", variable: "1"], pausesSeconds: [])
    let error = await #expect(throws: HubError.self) { try await client.pull("org/tiny") }
    #expect(error?.description.contains("HF_HUB_OFFLINE") == true)
    let snapshot = home.appendingPathComponent("hub/models--org--tiny/snapshots/c")
    try FileManager.default.createDirectory(at: snapshot, withIntermediateDirectories: true)
    let refs = home.appendingPathComponent("hub/models--org--tiny/refs")
    try FileManager.default.createDirectory(at: refs, withIntermediateDirectories: true)
    try Data("c".utf8).write(to: refs.appendingPathComponent("main"))
    #expect(try await client.pull("org/tiny") == snapshot.path)
  }
}
