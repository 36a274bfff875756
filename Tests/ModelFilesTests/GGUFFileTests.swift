import Foundation
import ModelFiles
import Tensor
import TestSupport
import Testing

@Suite struct GGUFFileTests {
  /// A small file with keys of every sort and two tensors.
  static func sample() -> GGUFWriter {
    var writer = GGUFWriter()
    writer.add("general.architecture", .string("qwen3"))
    writer.add("a.number", .uint32(7))
    writer.add("a.fraction", .float32(0.5))
    writer.add("a.flag", .boolean(true))
    writer.add("a.words", .strings(["one", "", "drei"]))
    writer.add("a.list", .int32s([-1, 2]))
    writer.add("first", [2, 3], [1, 2, 3, 4, 5, 6], as: .float32)
    writer.add("second", [2], [7, 8], as: .float16)
    return writer
  }

  func open(_ data: Data) throws -> GGUFFile {
    let directory = try TemporaryDirectory()
    try directory.write(data, to: "m.gguf")
    return try GGUFFile(path: directory.path + "/m.gguf")
  }

  func reason(_ data: Data) throws -> String {
    let error = #expect(throws: ModelFileError.self) { try open(data) }
    #expect(error?.path.hasSuffix("/m.gguf") == true)
    return error?.reason ?? "no error"
  }

  @Test("keys and tensors are read in both versions, at any alignment", arguments: [2, 3] as [UInt32], [8, 32, 4096])
  func reading(version: UInt32, alignment: Int) throws {
    var writer = Self.sample()
    writer.version = version
    // The alignment holds from the first tensor on.
    var aligned = GGUFWriter()
    aligned.version = version
    aligned.alignment = alignment
    aligned.add("a.words", .strings(["one", "", "drei"]))
    aligned.add("first", [2, 3], [1, 2, 3, 4, 5, 6], as: .float32)
    aligned.add("second", [2], [7, 8], as: .float16)
    for file in [try open(aligned.data), try open(writer.data)] {
      #expect(try file.metadata.strings("a.words") == [Array("one".utf8), [], Array("drei".utf8)])
      #expect(file.tensorNames == ["first", "second"])
      #expect(try file.tensor("first").shape == [2, 3])
      #expect(try file.tensor("first").floats() == [1, 2, 3, 4, 5, 6])
      #expect(try file.tensor("second").floats() == [7, 8])
    }
    let metadata = try open(writer.data).metadata
    #expect(try metadata.token("a.number") == 7)
    #expect(try metadata.boolean("a.flag") == true)
    #expect(try metadata.integers("a.list") == [-1, 2])
    #expect(try metadata.string("nothing") == nil)
    let error = #expect(throws: ModelFileError.self) { try metadata.token("general.architecture") }
    #expect(error?.reason.contains("general.architecture is qwen3; expected a whole number") == true)
    #expect(throws: ModelFileError.self) { try metadata.strings("a.list") }
    #expect(throws: ModelFileError.self) { try metadata.integers("a.words") }
  }

  /// The sample with bytes replaced.
  static func damaged(at place: Int, _ bytes: [UInt8]) -> Data {
    var data = sample().data
    data.replaceSubrange(place..<place + bytes.count, with: bytes)
    return data
  }

  static func with(_ change: (inout GGUFWriter) -> Void) -> Data {
    var writer = sample()
    change(&writer)
    return writer.data
  }

  static let faults: [(what: String, data: Data, says: String)] = [
    ("nothing", Data(), "ends within the four bytes"),
    ("another format", Data("PK34rest".utf8), "expected 'GGUF'"),
    ("version 1", damaged(at: 4, [1, 0, 0, 0]), "version 1; supported are 2 and 3"),
    ("big-endian", damaged(at: 4, [0, 0, 0, 3]), "big-endian"),
    ("a trillion tensors", damaged(at: 8, [0, 0, 0, 0, 1, 0, 0, 0]), "the number of tensors is 4294967296"),
    ("endless keys", damaged(at: 16, [UInt8](repeating: 255, count: 8)), "the number of keys is 18446744073709551615"),
    ("a key without end", damaged(at: 24, [255, 255, 255, 255, 255, 255, 255, 127]), "key 0 has"),
    ("a value of type 77", damaged(at: 24 + 8 + 20, [77]), "'general.architecture' has the unknown type 77"),
    ("a key that stands twice", with { $0.add("a.flag", .boolean(false)) }, "'a.flag' stands twice"),
    ("a tensor that stands twice", with { $0.add("first", [1], [1], as: .float32) }, "'first' stands twice"),
    ("an odd alignment", with { $0.add("general.alignment", .uint32(24)) }, "general.alignment is 24"),
    ("an unknown format", with { $0.add("x", [1], type: 77, data: Data(count: 4)) }, "'x' has the unknown type 77"),
    (
      "half a block", with { $0.add("x", [2, 16], type: 2, data: Data(count: 18)) }, "impossible shape [2, 16] for Q4_0"
    ),
    ("five extents", with { $0.add("x", [1, 1, 1, 1, 1], [1], as: .float32) }, "has 5 extents"),
    (
      "a size that is no number", with { $0.add("x", [1 << 40, 1 << 40], type: 0, data: Data(count: 4)) },
      "impossible shape"
    ),
    ("data cut off", sample().data.dropLast(1), "the file is truncated"),
  ]

  @Test("a damaged file is named with what is wrong", arguments: faults.indices)
  func damage(index: Int) throws {
    let found = try reason(Self.faults[index].data)
    #expect(found.contains(Self.faults[index].says), "\(Self.faults[index].what): \(found)")
  }

  @Test("lengths that are overwritten after the head was read are looked at again")
  func overwritten() throws {
    let directory = try TemporaryDirectory()
    let data = Self.sample().data
    try directory.write(data, to: "m.gguf")
    let file = try GGUFFile(path: directory.path + "/m.gguf")
    let word = try #require(data.range(of: Data("drei".utf8)))
    let handle = try FileHandle(forUpdating: URL(fileURLWithPath: directory.path + "/m.gguf"))
    for length in [UInt64.max, 1 << 63, 1 << 62, UInt64(data.count)] {
      try handle.seek(toOffset: UInt64(word.lowerBound - 8))
      try handle.write(contentsOf: Data((0..<8).map { UInt8(truncatingIfNeeded: length >> UInt64(8 * $0)) }))
      #expect(throws: ModelFileError.self) { try file.metadata.strings("a.words") }
    }
  }

  @Test("lists of lists are refused")
  func nesting() throws {
    var data = Data("GGUF".utf8)
    for number in [3, 0, 0, 1, 0, 1, 0] as [UInt8] { data += Data([number, 0, 0, 0]) }
    data += Data("k".utf8)
    for number in [9, 9, 1, 0, 4, 1, 0] as [UInt8] { data += Data([number, 0, 0, 0]) }
    #expect(try reason(data).contains("'k' is a list of lists"))
  }

  @Test("thousands of truncations and random changes crash nothing, and errors name the file")
  func fuzz() throws {
    var generator = SeededGenerator(seed: 21)
    let directory = try TemporaryDirectory()
    let path = directory.path + "/m.gguf"
    let golden = Places.golden.appendingPathComponent("gguf/llama-biases.gguf")
    let model = try Data(contentsOf: golden)
    // Keys and the table of tensors, and a little of what follows.
    let head = 3_000
    var outcomes = (accepted: 0, refused: 0)
    for round in 0..<2_000 {
      var data = round % 2 == 0 ? Self.sample().data : model
      for _ in 0..<Int.random(in: 1...3, using: &generator) where !data.isEmpty {
        let place = Int.random(in: 0..<min(head, data.count), using: &generator)
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: data[place] = UInt8.random(in: 0...255, using: &generator)
        case 1: data[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 2: data.remove(at: place)
        case 3: data = data.prefix(max(place, 1))
        case 4: data.replaceSubrange(place..<min(place + 8, data.count), with: [UInt8](repeating: 255, count: 8))
        default:
          data.replaceSubrange(place..<min(place + 8, data.count), with: [255, 255, 255, 255, 255, 255, 255, 127])
        }
      }
      try data.write(to: URL(fileURLWithPath: path))
      do {
        let file = try GGUFFile(path: path)
        for key in file.metadata.keys {
          _ = file.metadata[key]?.description
          _ = try? file.metadata.strings(key)
          _ = try? file.metadata.integers(key)
        }
        for name in file.tensorNames { _ = try? file.tensor(name).floats() }
        _ = try file.generation()
        let checkpoint = try file.checkpoint()
        for name in checkpoint.tensorNames {
          _ = try checkpoint.tensor(name, shape: checkpoint.shape(of: name) ?? []).floats()
        }
        outcomes.accepted += 1
      } catch {
        #expect(error.path == path)
        outcomes.refused += 1
      }
    }
    #expect(outcomes.refused > 1_000 && outcomes.accepted > 0, "\(outcomes)")
  }

  // MARK: Several files

  static func part(_ index: Int, of count: Int, total: Int, tensor: String) -> Data {
    var writer = GGUFWriter()
    writer.add("split.no", .uint32(UInt32(index)))
    writer.add("split.count", .uint32(UInt32(count)))
    writer.add("split.tensors.count", .uint32(UInt32(total)))
    writer.add(tensor, [2], [Float(index), 1], as: .float32)
    return writer.data
  }

  @Test("a model in several files is opened by its first")
  func parts() throws {
    let directory = try TemporaryDirectory()
    func name(_ index: Int) -> String { "m-0000\(index + 1)-of-00003.gguf" }
    for (index, tensor) in ["x", "y", "z"].enumerated() {
      try directory.write(Self.part(index, of: 3, total: 3, tensor: tensor), to: name(index))
    }
    let first = directory.path + "/" + name(0)
    let file = try GGUFFile(path: first)
    #expect(file.tensorNames == ["x", "y", "z"])
    #expect(try file.tensor("z").floats() == [2, 1])
    func reason(_ path: String) -> String {
      #expect(throws: ModelFileError.self) { try GGUFFile(path: path) }?.description ?? ""
    }
    #expect(reason(directory.path + "/" + name(1)).contains("is part 2 of 3; name the first"))
    try directory.write(Self.part(1, of: 3, total: 3, tensor: "x"), to: name(2))
    #expect(reason(first).contains("says that it is part 2 of 3; expected 3 of 3"))
    try directory.write(Self.part(2, of: 3, total: 3, tensor: "x"), to: name(2))
    #expect(reason(first).contains("'x' stands twice"))
    try directory.write(Self.part(0, of: 3, total: 3, tensor: "x"), to: "other.gguf")
    #expect(reason(directory.path + "/other.gguf").contains("'-00001-of-00003.gguf'"))
    try FileManager.default.removeItem(atPath: directory.path + "/" + name(2))
    #expect(reason(first).contains(name(2)))
  }

  // MARK: Where models are found

  @Test("a directory of GGUF files stands for its only one; of several one is named")
  func choice() throws {
    let home = try TemporaryDirectory()
    let snapshot = home.path + "/hub/models--Org--Model/snapshots/" + String(repeating: "a", count: 40)
    try FileManager.default.createDirectory(atPath: snapshot, withIntermediateDirectories: true)
    let reference = home.path + "/hub/models--Org--Model/refs"
    try FileManager.default.createDirectory(atPath: reference, withIntermediateDirectories: true)
    try Data(String(repeating: "a", count: 40).utf8).write(to: URL(fileURLWithPath: reference + "/main"))
    let cache = HubCache(environment: ["HF_HOME": home.path])
    func add(_ name: String) throws { try Data().write(to: URL(fileURLWithPath: snapshot + "/" + name)) }
    #expect(try cache.locate("Org/Model") == snapshot)
    try add("model-q8_0.gguf")
    try add("mmproj-f16.gguf")
    #expect(try cache.locate("Org/Model") == snapshot + "/model-q8_0.gguf")
    #expect(try cache.locate(snapshot) == snapshot + "/model-q8_0.gguf")
    #expect(try cache.locate(snapshot + "/model-q8_0.gguf") == snapshot + "/model-q8_0.gguf")
    try add("model-Q4_K_M-00001-of-00002.gguf")
    try add("model-Q4_K_M-00002-of-00002.gguf")
    #expect(try cache.locate("Org/Model:Q4_K_M") == snapshot + "/model-Q4_K_M-00001-of-00002.gguf")
    #expect(try cache.locate("Org/Model:Q8_0") == snapshot + "/model-q8_0.gguf")
    func reason(_ model: String) -> String {
      #expect(throws: ModelFileError.self) { try cache.locate(model) }?.reason ?? ""
    }
    #expect(
      reason("Org/Model").contains("several GGUF files; name one of: model-Q4_K_M-00001-of-00002.gguf, model-q8_0.gguf")
    )
    #expect(reason("Org/Model:Q2_K").contains("0 GGUF files with 'Q2_K'"))
    #expect(reason("Org/Other:Q2_K").contains("'foretoken pull Org/Other:Q2_K'"))
    try add("notes.txt")
    #expect(reason(snapshot + "/notes.txt").contains("is a file"))
    // What many repositories of GGUF files have beside them does not make them a directory of safetensors.
    try add("config.json")
    #expect(reason("Org/Model").contains("several GGUF files"))
    try add("model.safetensors")
    #expect(try cache.locate("Org/Model") == snapshot)
    #expect(try cache.locate("Org/Model:Q8_0") == snapshot + "/model-q8_0.gguf")
    try add("model-Q8_0_L.gguf")
    #expect(try cache.locate("Org/Model:Q8_0") == snapshot + "/model-q8_0.gguf", "the one that is named so")
    #expect(
      HubCache.references(to: "Org/Model", in: snapshot)
        == ["Org/Model", "Org/Model:Q4_K_M", "Org/Model:Q8_0_L", "Org/Model:Q8_0"])
    // Of embedding models: how hidden states are pooled.
    let files = [
      "model.safetensors", "modules.json", "1_Pooling/config.json", "onnx/config.json", "a/1_Pooling/config.json",
    ]
    #expect(
      try FileSelection().choose(from: files.map { ($0, nil) }, of: "Org/Model")
        == ["model.safetensors", "modules.json", "1_Pooling/config.json"])
  }
}
