import Foundation
import ModelFiles
import Synchronization
import Tensor
import TestSupport
import Testing
import Transformer

@Suite struct WeightCacheTests {
  /// What a cache had to say.
  final class Reports: Sendable {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }
    func add(_ line: String) { lines.withLock { $0.append(line) } }
  }

  /// Logits of a prompt, by a runner that loads its weights through `cache`.
  func logits(_ directory: String, quantization: Quantization = .int4, cache: WeightCache?) throws -> [[Float]] {
    let runner = try CPUModelRunner(
      checkpoint: Checkpoint(directory: directory), configuration: ModelConfiguration(directory: directory),
      quantization: quantization, limits: RunnerLimits(rows: 8, logitRows: 8, positions: 16),
      pool: WorkerPool(threadCount: 2),
      cache: cache)
    var batch = Batch()
    batch.append([5, 99, 1000, 7, 42], at: 0, blocks: [0], logitCount: 5)
    let result = try runner.logits(of: batch)
    return (0..<5).map { result.row($0) }
  }

  func cache(in folder: String, _ reports: Reports) -> WeightCache {
    var cache = WeightCache(folder: folder) { reports.add($0) }
    cache.leastBytes = 0
    return cache
  }

  func files(in folder: String) throws -> [String] {
    let packed = folder + "/packed"
    return try FileManager.default.contentsOfDirectory(atPath: packed).sorted().map { packed + "/" + $0 }
  }

  @Test("weights from the cache give the same bits", arguments: [Quantization.none, .int8, .int4])
  func roundTrip(quantization: Quantization) throws {
    let (folder, reports) = (try TemporaryDirectory(), Reports())
    let expected = try logits(Places.draft, quantization: quantization, cache: nil)
    for _ in 0..<2 {
      #expect(try logits(Places.draft, quantization: quantization, cache: cache(in: folder.path, reports)) == expected)
    }
    #expect(try files(in: folder.path).count == 1 && reports.all.isEmpty)
  }

  @Test("what channels were scaled by is kept with the weights", arguments: [Quantization.int8, .int4])
  func scaledChannels(quantization: Quantization) throws {
    let (folder, model, reports) = (try TemporaryDirectory(), try TemporaryDirectory(), Reports())
    try OutlierTwin(OutlierTwin.Place.allCases, exponent: 8).write(of: Places.target, to: model)
    let expected = try logits(model.path, quantization: quantization, cache: nil)
    for _ in 0..<2 {
      #expect(try logits(model.path, quantization: quantization, cache: cache(in: folder.path, reports)) == expected)
    }
    #expect(try files(in: folder.path).count == 1 && reports.all.isEmpty)
  }

  @Test("models and formats do not mix")
  func keys() throws {
    let (folder, reports) = (try TemporaryDirectory(), Reports())
    let cache = cache(in: folder.path, reports)
    _ = try logits(Places.draft, cache: cache)
    _ = try logits(Places.draft, quantization: .int8, cache: cache)
    #expect(try files(in: folder.path).count == 2)
    // The same content in another place is the same model; one changed weight makes another.
    let copy = try TemporaryDirectory()
    for name in ["config.json", "model.safetensors"] {
      try copy.write(try Data(contentsOf: URL(fileURLWithPath: Places.draft + "/" + name)), to: name)
    }
    _ = try logits(copy.path, cache: cache)
    #expect(try files(in: folder.path).count == 2)
    var weights = try Data(contentsOf: URL(fileURLWithPath: copy.path + "/model.safetensors"))
    weights[weights.count - 1_000] ^= 1
    try copy.write(weights, to: "model.safetensors")
    #expect(try logits(copy.path, cache: cache) == logits(copy.path, cache: nil))
    #expect(try files(in: folder.path).count == 3 && reports.all.isEmpty)
  }

  @Test("a damaged file is reported, and made anew")
  func damage() throws {
    let (folder, reports) = (try TemporaryDirectory(), Reports())
    let cache = cache(in: folder.path, reports)
    let expected = try logits(Places.draft, cache: cache)
    let path = try #require(try files(in: folder.path).first)
    let whole = try Data(contentsOf: URL(fileURLWithPath: path))
    var random = SeededGenerator(seed: 11)
    var damaged: [Data] = [Data(), whole.prefix(10), whole.prefix(whole.count - 1), whole.prefix(whole.count / 2)]
    for place in [0, 9, 17, 30] + (0..<8).map({ _ in Int.random(in: whole.count / 4..<whole.count, using: &random) }) {
      var copy = whole
      copy[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      damaged.append(copy)
    }
    for (index, bytes) in damaged.enumerated() {
      try bytes.write(to: URL(fileURLWithPath: path))
      #expect(try logits(Places.draft, cache: cache) == expected)
      #expect(reports.all.count == index + 1, "damage \(index) was not noticed")
      #expect(reports.all.allSatisfy { $0.contains(path) })
      #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == whole)
    }
  }

  @Test("a model whose file is written to while it is packed is refused, and what was packed is not kept")
  func changedMeanwhile() throws {
    let (folder, model, reports) = (try TemporaryDirectory(), try TemporaryDirectory(), Reports())
    for name in ["config.json", "model.safetensors"] {
      try model.write(try Data(contentsOf: URL(fileURLWithPath: Places.draft + "/" + name)), to: name)
    }
    let checkpoint = try Checkpoint(directory: model.path)
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSinceNow: -3600)], ofItemAtPath: model.path + "/model.safetensors")
    let error = #expect(throws: ModelFileError.self) {
      try CPUModelRunner(
        checkpoint: checkpoint, configuration: ModelConfiguration(directory: model.path), quantization: .int8,
        limits: RunnerLimits(rows: 8, logitRows: 8, positions: 16), pool: WorkerPool(threadCount: 2),
        cache: cache(in: folder.path, reports))
    }
    #expect(error?.path == model.path + "/model.safetensors" && error?.reason.contains("was changed") == true)
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/packed"))
  }

  @Test("what dead processes left half written is cleared, and what living ones write is not")
  func partialFiles() throws {
    let (folder, reports) = (try TemporaryDirectory(), Reports())
    let cache = cache(in: folder.path, reports)
    try FileManager.default.createDirectory(atPath: folder.path + "/packed", withIntermediateDirectories: true)
    // No process has the largest number; this one is alive.
    let (dead, alive) = (Int32.max, ProcessInfo.processInfo.processIdentifier)
    let names = ["a.w.partial-\(dead)", "b.w.partial-\(alive)", "c.partial-x", "d.w.partial-\(dead)"]
    for name in names { try folder.write(Data(count: 10), to: "packed/" + name) }
    for name in names.prefix(3) {
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSinceNow: -3600)], ofItemAtPath: folder.path + "/packed/" + name)
    }
    _ = try logits(Places.draft, cache: cache)
    let left = try files(in: folder.path).map { ($0 as NSString).lastPathComponent }
    #expect(left.filter { $0.contains(".partial-") } == [names[1], names[2], names[3]], "the last one is too young")
  }

  @Test("packed weights are the process's own once they are read: the file may be cut short or overwritten")
  func privateCopy() throws {
    let (folder, reports) = (try TemporaryDirectory(), Reports())
    let cache = cache(in: folder.path, reports)
    _ = try logits(Places.draft, cache: cache)
    let runner = try CPUModelRunner(
      checkpoint: Checkpoint(directory: Places.draft), configuration: ModelConfiguration(directory: Places.draft),
      quantization: .int4, limits: RunnerLimits(rows: 8, logitRows: 8, positions: 16), pool: WorkerPool(threadCount: 2),
      cache: cache)
    func pass() throws -> [Float] {
      var batch = Batch()
      batch.append([5, 99], at: 0, blocks: [0], logitCount: 1)
      return try runner.logits(of: batch).row(0)
    }
    let expected = try pass()
    let path = try #require(try files(in: folder.path).first)
    let size = try Data(contentsOf: URL(fileURLWithPath: path)).count
    try Data(count: size).write(to: URL(fileURLWithPath: path))
    #expect(try pass() == expected)
    try Data().write(to: URL(fileURLWithPath: path))
    #expect(try pass() == expected)
  }

  @Test("a model's file that is cut short or overwritten in place while it is in use ends passes with an error")
  func changedCheckpoint() throws {
    let weights = try Data(contentsOf: URL(fileURLWithPath: Places.draft + "/model.safetensors"))
    var overwritten = weights
    for place in weights.count / 2..<weights.count { overwritten[place] = 0 }
    for damage in [Data(), weights.prefix(weights.count / 2), overwritten] {
      let copy = try TemporaryDirectory()
      try copy.write(try Data(contentsOf: URL(fileURLWithPath: Places.draft + "/config.json")), to: "config.json")
      try copy.write(weights, to: "model.safetensors")
      let runner = try CPUModelRunner(
        checkpoint: Checkpoint(directory: copy.path), configuration: ModelConfiguration(directory: copy.path),
        quantization: .int8, limits: RunnerLimits(rows: 8, logitRows: 8, positions: 16),
        pool: WorkerPool(threadCount: 2),
        cache: nil)
      var batch = Batch()
      batch.append([5, 99], at: 0, blocks: [0], logitCount: 1)
      _ = try runner.logits(of: batch)
      try copy.write(damage, to: "model.safetensors")
      let error = try #require(throws: RunnerError.self) { try runner.logits(of: batch) }
      #expect(error.description.contains(copy.path))
    }
  }

  @Test("a folder that cannot be written costs the cache, not the model")
  func unwritable() throws {
    let (folder, reports) = (try TemporaryDirectory(), Reports())
    try folder.write(Data("a file".utf8), to: "packed")
    let found = try logits(Places.draft, cache: cache(in: folder.path, reports))
    #expect(try found == logits(Places.draft, cache: nil))
    #expect(reports.all.count == 1 && reports.all[0].contains("not kept for the next start"))
  }
}
