import Foundation
import ModelFiles
import PJRT
import PJRTTransformer
import Synchronization
import Tensor
import TestSupport
import Testing
import Transformer

@Suite(.enabled(if: CPUPlugin.location != nil)) struct ProgramCacheTests {
  /// What a cache had to say.
  final class Reports: Sendable {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }
    func add(_ line: String) { lines.withLock { $0.append(line) } }
  }

  static let limits = RunnerLimits(rows: 8, logitRows: 8, positions: 32)

  /// A start with a cache in `folder`, or none: the logits of a prompt, and what became of the programs.
  func start(
    _ model: String, cache folder: String?, _ reports: Reports = Reports(), partitionCount: Int = 1
  ) throws -> (logits: [[Float]], programs: [CompiledProgram]) {
    var options = try CPUPlugin.options()
    options.partitionCount = partitionCount
    let session = try PJRTSession(options, cache: folder.map { ProgramCache(folder: $0) { reports.add($0) } })
    let configuration = try ModelConfiguration(directory: model)
    var programs: [CompiledProgram] = []
    try session.compile(configuration, limits: Self.limits) { program, _ in programs.append(program) }
    let runner = try PJRTModelRunner(
      session: session, checkpoint: try Checkpoint(directory: model), configuration: configuration,
      limits: Self.limits)
    var batch = Batch()
    batch.append([5, 99, 100, 7, 42], at: 0, blocks: [0, 1], logitCount: 5)
    let found = try runner.logits(of: batch)
    return ((0..<5).map { found.row($0) }, programs)
  }

  func model() throws -> TemporaryDirectory {
    let directory = try TemporaryDirectory()
    try RandomModel(seed: 7).write(to: directory)
    return directory
  }

  func files(in folder: String) throws -> [String] {
    let programs = folder + "/programs"
    return try FileManager.default.contentsOfDirectory(atPath: programs).sorted().map { programs + "/" + $0 }
  }

  @Test("programs of an earlier start are loaded, and give the same bits", arguments: [1, 2])
  func roundTrip(partitionCount: Int) throws {
    let (model, folder, reports) = (try model(), try TemporaryDirectory(), Reports())
    let plain = try start(model.path, cache: nil, partitionCount: partitionCount)
    #expect(plain.programs.map(\.name) == ["cache", "body", "head"] && plain.programs.allSatisfy { !$0.isKept })
    let first = try start(model.path, cache: folder.path, reports, partitionCount: partitionCount)
    #expect(first.programs.allSatisfy { !$0.wasKept && $0.isKept })
    let second = try start(model.path, cache: folder.path, reports, partitionCount: partitionCount)
    #expect(second.programs.allSatisfy { $0.wasKept && $0.isKept })
    #expect(first.logits == plain.logits && second.logits == plain.logits)
    #expect(try files(in: folder.path).count == 3 && reports.all.isEmpty)
  }

  @Test("a plugin with other devices has programs of its own")
  func keys() throws {
    let (model, folder) = (try model(), try TemporaryDirectory())
    _ = try start(model.path, cache: folder.path)
    #expect(try start(model.path, cache: folder.path, partitionCount: 2).programs.allSatisfy { !$0.wasKept })
    #expect(try files(in: folder.path).count == 6)
  }

  @Test("a damaged file is reported, and the program compiled anew")
  func damage() throws {
    let (model, folder, reports) = (try model(), try TemporaryDirectory(), Reports())
    let expected = try start(model.path, cache: folder.path).logits
    let paths = try files(in: folder.path)
    let wholes = try paths.map { try Data(contentsOf: URL(fileURLWithPath: $0)) }
    func flipped(_ place: Int) -> Data {
      var copy = wholes[0]
      copy[place] ^= 4
      return copy
    }
    let damaged = [
      Data(), wholes[0].prefix(40), wholes[0].prefix(72), wholes[0].dropLast(), flipped(3), flipped(20),
      flipped(wholes[0].count / 2), flipped(wholes[0].count - 1), wholes[1],
    ]
    for (index, bytes) in damaged.enumerated() {
      try bytes.write(to: URL(fileURLWithPath: paths[0]))
      let found = try start(model.path, cache: folder.path, reports)
      #expect(found.logits == expected)
      #expect(found.programs.filter(\.wasKept).count == 2 && found.programs.allSatisfy(\.isKept))
      #expect(reports.all.count == index + 1, "damage \(index) was not noticed")
      #expect(reports.all.allSatisfy { $0.contains(paths[0]) && $0.contains("compiled anew") })
    }
  }

  @Test("a whole file whose content the plugin refuses is reported, and the program compiled anew")
  func refused() throws {
    let (model, folder, reports) = (try model(), try TemporaryDirectory(), Reports())
    let expected = try start(model.path, cache: folder.path).logits
    let path = try files(in: folder.path)[0]
    let key = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
    let content = Data("not what a compiler makes".utf8)
    let digest = ContentDigest.digest(of: Array(key.utf8) + content)
    try (Data("FTPROG01".utf8) + Data(digest.utf8) + content).write(to: URL(fileURLWithPath: path))
    #expect(try start(model.path, cache: folder.path, reports).logits == expected)
    #expect(reports.all.count == 1 && reports.all[0].contains("load a compiled program"))
  }

  @Test("a folder that cannot be written costs the cache, not the program")
  func unwritable() throws {
    let (model, folder, reports) = (try model(), try TemporaryDirectory(), Reports())
    try folder.write(Data("a file".utf8), to: "programs")
    let found = try start(model.path, cache: folder.path, reports)
    #expect(try found.logits == start(model.path, cache: nil).logits)
    #expect(found.programs.allSatisfy { !$0.isKept })
    #expect(reports.all.count == 1 && reports.all[0].contains("not kept for the next start"))
  }
}
