import Foundation
import ModelFiles
import TestSupport
import Testing

/// MTP layers in the checkpoints of their targets: what is read, and what is refused.
@Suite struct CarriedHeadTests {
  /// A copy of `name` with its tensors' names, and what `config.json` says, changed.
  private func changed(
    _ name: String, _ rename: (String) -> String = { $0 }, _ config: [String: Any] = [:]
  ) throws -> String {
    let place = FileManager.default.temporaryDirectory.appendingPathComponent("carried-\(UUID().uuidString)").path
    try FileManager.default.copyItem(atPath: HeadCase.folder + "/" + name, toPath: place)
    let (weights, file) = (
      URL(fileURLWithPath: place + "/model.safetensors"), URL(fileURLWithPath: place + "/config.json")
    )
    let data = try Data(contentsOf: weights)
    let size = data.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
    let header = try #require(try JSONSerialization.jsonObject(with: data[8..<8 + size]) as? [String: Any])
    let renamed = Dictionary(uniqueKeysWithValues: header.map { (rename($0.key), $0.value) })
    let written = try JSONSerialization.data(withJSONObject: renamed)
    let length = Data((0..<8).map { UInt8(truncatingIfNeeded: written.count >> (8 * $0)) })
    try (length + written + data[(8 + size)...]).write(to: weights)
    var json = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
    json.merge(config) { $1 }
    try JSONSerialization.data(withJSONObject: json).write(to: file)
    return place
  }

  @Test("a model without such a layer carries none, and is none")
  func absence() throws {
    for place in [HeadCase.folder + "/target-qwen3", Places.target] {
      #expect(try openContainer(at: place).carriedHead() == nil)
    }
    // A model of more layers than its configuration asks for has no head in those left over.
    let shorter = try changed("target-qwen3", { $0 }, ["num_hidden_layers": 5])
    defer { try? FileManager.default.removeItem(atPath: shorter) }
    #expect(try openContainer(at: shorter).carriedHead() == nil)
  }

  @Test("each family's names, order and recycling are known")
  func families() throws {
    let expected = [
      "mtp-qwen": (false, true, false), "mtp-nextn": (false, false, false), "mtp-nextn-own-head": (false, false, true),
      "mtp-mimo": (true, true, false), "../recurrent/mtp": (false, true, false),
      "../recurrent/mtp/model.gguf": (false, true, false), "../recurrent/moe": (false, true, false),
      "../recurrent/moe/model.gguf": (false, true, false), "../recurrent/next": (false, true, false),
      "../recurrent/next/model.gguf": (false, true, false),
    ]
    for (name, (isHiddenFirst, recycles, hasOutput)) in expected {
      let container = try openContainer(at: HeadCase.folder + "/" + name)
      let head = try #require(try container.carriedHead())
      #expect(try container.head() == nil, "a model with a head is no head")
      let found = head.configuration
      let layers = try container.configuration().layerCount
      #expect(found.kind == .mtp && found.tappedLayers == [layers] && found.layers.layerCount == 1)
      #expect(
        found.putsHiddenFirst == isHiddenFirst && found.recyclesNormalised == recycles && head.hasOutput == hasOutput)
      try head.check(fits: try container.configuration())
    }
  }

  @Test(
    "what is wrong with a carried layer is named as the file names it",
    arguments: [
      ("mtp-qwen", "mtp.fc.weight", "mtp.fd.weight", "the tensor 'mtp.fc.weight' is missing"),
      ("mtp-qwen", "mtp.norm.weight", "other.weight", "the tensor 'mtp.norm.weight' is missing"),
      (
        "mtp-qwen", "mtp.layers.0.mlp.up_proj.weight", "mtp.layers.0.mlp.experts.0.up_proj.weight",
        "the tensor 'mtp.layers.0.mlp.up_proj.weight' is missing"
      ),
      (
        "mtp-qwen", "model.norm.weight", "mtp.layers.1.input_layernorm.weight",
        "'mtp.layers.1.input_layernorm.weight', of an MTP head of several layers"
      ),
      (
        "mtp-nextn", "model.layers.3.eh_proj.weight", "x.weight",
        "the tensor 'model.layers.3.eh_proj.weight' is missing"
      ),
      (
        "mtp-nextn", "model.layers.3.shared_head.norm.weight", "model.layers.3.shared_head.odd.weight",
        "the tensor 'model.layers.3.shared_head.norm.weight' is missing"
      ),
      (
        "mtp-nextn-own-head", "model.layers.3.shared_head.head.weight", "model.layers.3.shared_head.odd.weight",
        "unsupported: the tensor 'model.layers.3.shared_head.odd.weight'"
      ),
      (
        "mtp-mimo", "model.mtp_layers.0.input_proj.weight", "model.mtp_layers.0.final_layernorm.bias",
        "'model.mtp_layers.0.input_proj.weight' is missing"
      ),
    ])
  func errors(name: String, tensor: String, other: String, message: String) throws {
    let place = try changed(name) { $0 == tensor ? other : $0 }
    defer { try? FileManager.default.removeItem(atPath: place) }
    let error = #expect(throws: ModelFileError.self) { try openContainer(at: place).carriedHead() }
    #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
  }

  @Test("a layer of another shape than the model's is refused")
  func shapes() throws {
    let place = try changed("mtp-qwen", { $0 }, ["intermediate_size": 24])
    defer { try? FileManager.default.removeItem(atPath: place) }
    let error = #expect(throws: ModelFileError.self) { try openContainer(at: place).carriedHead() }
    #expect(error?.description.contains("'mtp.layers.0.mlp.") == true, "\(error?.description ?? "")")
  }
}
