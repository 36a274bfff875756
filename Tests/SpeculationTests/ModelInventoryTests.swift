import Foundation
import Inference
import ModelFiles
import TestSupport
import Testing
import Transformer

/// What is on a machine, and what goes together.
@Suite struct ModelInventoryTests {
  private func inventory(_ folders: [String], home: TemporaryDirectory) -> ModelInventory {
    ModelInventory(
      cache: HubCache(environment: ["HF_HOME": home.path]), folders: folders,
      weights: WeightCache(folder: home.path + "/kept")
    ) { _, _ in }
  }

  @Test("the shipped target goes with the shipped draft and head, and nothing goes with those")
  func shipped() throws {
    let home = try TemporaryDirectory()
    let found = inventory([Places.root.appendingPathComponent("Models").path], home: home)
    #expect(found.models.map(\.path) == [Places.draft, Places.head, Places.experts, Places.target, Places.smolHead])
    #expect(found.models.allSatisfy { $0.runs })
    #expect(found.models.last?.kind == "eagle3")
    #expect(Set(found.fits.map(\.target)) == [Places.target, Places.experts])
    let fit = try #require(found.fits.first { $0.target == Places.target })
    #expect(fit.draft_models == [Places.draft] && fit.heads == [Places.head] && !fit.carries_mtp)
  }

  @Test("a draft of another vocabulary, and a head of other sizes, do not go with a target")
  func strangers() throws {
    let (home, other, head) = (try TemporaryDirectory(), try TemporaryDirectory(), try TemporaryDirectory())
    try RandomModel(seed: 1).write(to: other)
    for name in ["tokenizer.json", "tokenizer_config.json"] {
      let text = try String(contentsOfFile: Places.draft + "/" + name, encoding: .utf8)
      // Two letters change places.
      try other.write(
        Data(text.replacing("\"a\": ", with: "\"§\": ").replacing("\"b\": ", with: "\"a\": ").utf8), to: name)
    }
    try RandomModel(seed: 2).writeHead(to: head)
    let found = inventory([Places.target, other.path, head.path], home: home)
    #expect(found.models.map(\.path) == [Places.target, other.path, head.path])
    #expect(found.fits.filter { $0.target == Places.target }.isEmpty)
  }

  @Test("a model that cannot be opened is listed with the reason, and what is no model is not")
  func broken() throws {
    let (home, folder) = (try TemporaryDirectory(), try TemporaryDirectory())
    for name in ["broken", "notes"] {
      try FileManager.default.createDirectory(atPath: folder.path + "/" + name, withIntermediateDirectories: true)
    }
    try folder.write(Data("{".utf8), to: "broken/config.json")
    try folder.write(Data("x".utf8), to: "notes/readme.txt")
    try folder.write(Data("GGUF".utf8), to: "cut.gguf")
    let found = inventory([folder.path], home: home)
    #expect(found.models.map(\.name) == [folder.path + "/cut.gguf", folder.path + "/broken"])
    #expect(found.models.allSatisfy { $0.problems.count == 1 && $0.bytes > 0 } && found.fits.isEmpty)
  }

  @Test("what is kept for quick starts is counted")
  func kept() throws {
    let home = try TemporaryDirectory()
    try FileManager.default.createDirectory(atPath: home.path + "/kept/packed", withIntermediateDirectories: true)
    try home.write(Data(count: 1000), to: "kept/packed/a.weights")
    try home.write(Data(count: 500), to: "kept/packed/b.weights")
    let kept = inventory([], home: home).kept
    #expect(kept.count == 1 && kept[0].files == 2 && kept[0].bytes == 1500)
  }
}
