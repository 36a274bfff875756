import Foundation
import ModelFiles
import TestSupport
import Testing

/// Which files of a repository are downloaded, and how models are named that have several.
@Suite struct QuantizationChoiceTests {
  private static let many = [
    ("README.md", 10), ("config.json", 20), ("mmproj-F16.gguf", 900_000), ("Qwen3-8B-Q4_K_M.gguf", 5_030_000_000),
    ("Qwen3-8B-Q8_0.gguf", 8_710_000_000), ("Qwen3-8B-Q6_K.gguf", 6_730_000_000),
    ("Qwen3-8B-Q6_K_L.gguf", 7_000_000_000),
    ("UD-Q2_K_XL/Qwen3-8B-UD-Q2_K_XL-00001-of-00002.gguf", 2_000_000_000),
    ("UD-Q2_K_XL/Qwen3-8B-UD-Q2_K_XL-00002-of-00002.gguf", 1_000_000_000), ("Qwen3-8B-F16.gguf", 16_000_000_000),
  ].map { (name: $0.0, bytes: Int?.some($0.1)) }

  private func choose(_ selection: FileSelection, from files: [(name: String, bytes: Int?)]) throws -> [String] {
    try selection.choose(from: files, of: "'org/many' at 'main'")
  }

  private func refusal(_ selection: FileSelection, _ files: [(name: String, bytes: Int?)]) -> String {
    let error = #expect(throws: HubError.self) { try choose(selection, from: files) }
    return error?.description ?? ""
  }

  @Test(
    "a quantization is the file that is named so, in all its parts",
    arguments: [
      ("Q4_K_M", ["Qwen3-8B-Q4_K_M.gguf"]), ("q4_k_m", ["Qwen3-8B-Q4_K_M.gguf"]), ("Q6_K", ["Qwen3-8B-Q6_K.gguf"]),
      ("Q6_K_L", ["Qwen3-8B-Q6_K_L.gguf"]), ("F16", ["Qwen3-8B-F16.gguf"]),
      (
        "Q2_K_XL",
        [
          "UD-Q2_K_XL/Qwen3-8B-UD-Q2_K_XL-00001-of-00002.gguf", "UD-Q2_K_XL/Qwen3-8B-UD-Q2_K_XL-00002-of-00002.gguf",
        ]
      ),
    ])
  func exact(quantization: String, files: [String]) throws {
    #expect(try choose(FileSelection(quantization: quantization), from: Self.many) == files)
  }

  @Test("patterns add files to a quantization, and take some away")
  func patterns() throws {
    let selection = FileSelection(included: ["*.json"], excluded: ["*-00002-*"], quantization: "UD-Q2_K_XL")
    #expect(
      try choose(selection, from: Self.many)
        == ["config.json", "UD-Q2_K_XL/Qwen3-8B-UD-Q2_K_XL-00001-of-00002.gguf"])
  }

  @Test("a quantization that there is not is answered with those that there are, parts added up, smallest first")
  func offer() {
    let reason = refusal(FileSelection(quantization: "Q5_K_M"), Self.many)
    #expect(reason.contains("'org/many' at 'main' has no GGUF files with 'Q5_K_M' in their names"))
    #expect(
      reason.hasSuffix(
        "UD-Q2_K_XL (3.0 GB), Q4_K_M (5.0 GB), Q6_K (6.7 GB), Q6_K_L (7.0 GB), Q8_0 (8.7 GB), F16 (16.0 GB)"))
    // Without one named, and with nothing else to run, it is the same question.
    #expect(refusal(FileSelection(), Self.many).contains("choose with --gguf: UD-Q2_K_XL (3.0 GB), "))
    let plain = refusal(FileSelection(quantization: "Q4_0"), [("model.safetensors", 5), ("config.json", 1)])
    #expect(plain.contains("no GGUF files at all"))
  }

  @Test("a repository with one GGUF file and no other weights gives that file; one with both gives safetensors")
  func single() throws {
    let one = [(name: "config.json", bytes: Int?.some(2)), (name: "model-Q4_0.gguf", bytes: 5)]
    #expect(try choose(FileSelection(), from: one) == ["model-Q4_0.gguf"])
    #expect(
      try choose(FileSelection(), from: one + [("model.safetensors", 9)]) == ["config.json", "model.safetensors"])
    #expect(refusal(FileSelection(included: ["*.bin"]), one).contains("it has config.json, model-Q4_0.gguf"))
  }

  @Test("sizes that cannot be added up do no harm")
  func absurd() {
    let files = [(name: "a-Q4_0.gguf", bytes: Int?.some(.max)), (name: "b-Q4_0.gguf", bytes: .max)]
    #expect(refusal(FileSelection(quantization: "Q8_0"), files).contains("Q4_0 ("))
  }

  @Test("parts are pulled together, listed in the cache, and found by their quantization")
  func pulled() async throws {
    var fault = LocalHub.Fault()
    let part = Data(repeating: 7, count: 5000)
    fault.files = [
      "Q4_K_M/tiny-Q4_K_M-00001-of-00002.gguf": part, "Q4_K_M/tiny-Q4_K_M-00002-of-00002.gguf": part + part,
      "tiny-Q8_0.gguf": part,
    ]
    let (hub, home) = (LocalHub(fault), try TemporaryDirectory())
    let cache = HubCache(environment: ["HF_HOME": home.path])
    try await hub.serve { address in
      let client = HubClientTests.client(address, home)
      let snapshot = try await client.pull("org/tiny", selection: FileSelection(quantization: "Q4_K_M"))
      #expect(try FileManager.default.contentsOfDirectory(atPath: snapshot) == ["Q4_K_M"])
      let first = snapshot + "/Q4_K_M/tiny-Q4_K_M-00001-of-00002.gguf"
      #expect(try cache.locate("org/tiny") == first)
      #expect(HubCache.references(to: "org/tiny", in: snapshot) == ["org/tiny"])
      _ = try await client.pull("org/tiny", selection: FileSelection(quantization: "Q8_0"))
      #expect(try cache.locate("org/tiny:Q4_K_M") == first)
      #expect(HubCache.references(to: "org/tiny", in: snapshot) == ["org/tiny:Q8_0", "org/tiny:Q4_K_M"])
      let model = try #require(cache.contents().first)
      #expect(model.name == "org/tiny")
      #expect(model.revisions.map(\.name) == ["main"] && model.revisions[0].path == snapshot)
      // Blobs with one content are one file: the first part and the file of eight bits.
      #expect(model.bytes == 15_000 && model.incompleteBytes == 0)
      try Data(count: 99).write(to: URL(fileURLWithPath: model.folder + "/blobs/x.incomplete"))
      #expect(cache.contents().first?.incompleteBytes == 99)
    }
  }

  @Test("a name that stands for nothing is answered with the one that was meant")
  func likeness() throws {
    let home = try TemporaryDirectory()
    let commit = String(repeating: "a", count: 40)
    for path in ["snapshots/\(commit)", "refs"] {
      try FileManager.default.createDirectory(
        atPath: home.path + "/hub/models--Qwen--Qwen3-0.6B/" + path, withIntermediateDirectories: true)
    }
    try home.write(Data(commit.utf8), to: "hub/models--Qwen--Qwen3-0.6B/refs/main")
    let cache = HubCache(environment: ["HF_HOME": home.path])
    func reason(_ name: String) -> String {
      let error = #expect(throws: ModelFileError.self) { try cache.locate(name) }
      return error?.reason ?? ""
    }
    for near in ["Qwen/Qwen3-0.6b", "qwen/qwen3-0.6B", "Qwen/Qwen3-06B", "Qwen3-0.6B", "Qwn/Qwen3-0.6B"] {
      #expect(reason(near).contains("did you mean 'Qwen/Qwen3-0.6B'?"), "\(near)")
    }
    #expect(!reason("meta-llama/Llama-3.2-1B").contains("did you mean"))
    #expect(reason("meta-llama/Llama-3.2-1B").contains("'foretoken pull meta-llama/Llama-3.2-1B' downloads it"))
    #expect(reason(Places.target + "s").contains("did you mean '\(Places.target)'?"))
    #expect(reason("nothing").contains("'foretoken models' lists what is here"))
  }
}
