import Decoding
import Foundation
import Inference
import ModelFiles
import PJRT
import PJRTTransformer
import Speculation
import Tensor
import TestSupport
import Testing
import Tokenization
import Transformer

/// `Tests/FaultPlugin`, beside the tests, where the package manager puts it; not on every system.
@safe struct FaultPlugin {
  static let path: String? = {
    let folder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    let path = folder.appendingPathComponent("libFaultPlugin.so").path
    return FileManager.default.fileExists(atPath: path) ? path : nil
  }()

  @unsafe private let standBefore: @convention(c) (UnsafePointer<CChar>?, Int32, Int32) -> Void
  @unsafe private let failFrom: @convention(c) (Int32, Int32) -> Void

  init?() {
    guard let path = Self.path, let library = unsafe dlopen(path, RTLD_NOW),
      let before = unsafe dlsym(library, "fault_plugin_stand_before"),
      let fail = unsafe dlsym(library, "fault_plugin_fail")
    else { return nil }
    unsafe standBefore = unsafeBitCast(before, to: (@convention(c) (UnsafePointer<CChar>?, Int32, Int32) -> Void).self)
    unsafe failFrom = unsafeBitCast(fail, to: (@convention(c) (Int32, Int32) -> Void).self)
  }

  /// Makes the next session one on the CPU plugin behind this one.
  func standBefore(major: Int? = nil, entries: Int? = nil) throws {
    // Read by GetPjrtApi later on: never freed.
    let path = unsafe strdup(try #require(CPUPlugin.location).path)
    unsafe standBefore(path, Int32(major ?? -1), Int32(entries ?? -1))
  }

  /// Makes the `call`-th call of `function` from now, and all after it, fail.
  func fail(_ function: Function, call: Int = 1) { unsafe failFrom(Int32(function.rawValue), Int32(call)) }
}

/// Places in the table of functions.
enum Function: Int, CaseIterable {
  case awaitEvent = 8
  case createClient = 10
  case compile = 20
  case upload = 22
  case save = 49
  case run = 55
  case download = 70
}

/// Devices that fail, by `Tests/FaultPlugin`, which stands between us and the CPU plugin.
@Suite(.serialized, .enabled(if: CPUPlugin.location != nil && FaultPlugin.path != nil))
struct DeviceFaultTests {
  let plugin = FaultPlugin()

  /// A session of which the `call`-th call of `function` is the first that fails.
  func session(
    _ function: Function? = nil, call: Int = 1, major: Int? = nil, entries: Int? = nil, cache: ProgramCache? = nil
  ) throws -> PJRTSession {
    let plugin = try #require(plugin)
    try plugin.standBefore(major: major, entries: entries)
    if let function { plugin.fail(function, call: call) }
    var options = PJRTOptions(plugin: try #require(FaultPlugin.path))
    options.rowBuckets = [16]
    return try PJRTSession(options, cache: cache)
  }

  func model(_ seed: UInt64 = 1) throws -> TemporaryDirectory {
    let directory = try TemporaryDirectory()
    try RandomModel(seed: seed).write(to: directory)
    return directory
  }

  func runner(_ session: PJRTSession, _ directory: TemporaryDirectory) throws -> PJRTModelRunner {
    try PJRTModelRunner(
      session: session, checkpoint: try Checkpoint(directory: directory.path),
      configuration: try ModelConfiguration(directory: directory.path),
      limits: RunnerLimits(rows: 16, logitRows: 16, sequences: 2, positions: 64))
  }

  @Test("another major version, and a table that ends too early, are refused by name")
  func versions() throws {
    let version = #expect(throws: PJRTError.self) { try session(major: 7) }
    #expect(version?.description.contains("version 7.") == true)
    let empty = #expect(throws: PJRTError.self) { try session(entries: 0) }
    #expect(empty?.description.contains("lacks the function") == true)
    let old = #expect(throws: PJRTError.self) {
      _ = try runner(try session(entries: 20), try model())
    }
    #expect(old?.description.contains("lacks the function 'copy to the device'") == true)
  }

  @Test("devices that cannot be opened, filled or programmed end the start with their words")
  func start() throws {
    let opened = #expect(throws: PJRTError.self) { try session(.createClient) }
    #expect(opened?.description.contains("injected: the device is gone") == true)
    for (function, call) in [(Function.upload, 1), (.upload, 9), (.compile, 1), (.compile, 2), (.run, 1)] {
      let error = #expect(throws: PJRTError.self) { _ = try runner(try session(function, call: call), try model()) }
      #expect(error?.description.contains("injected: the device is gone") == true, "\(function) \(call)")
    }
  }

  @Test("a K/V memory that no device has is refused before anything is allocated on the host")
  func outOfMemory() throws {
    var model = RandomModel(seed: 1)
    (model.kvHeadCount, model.headCount, model.headSize) = (8, 8, 128)
    let directory = try TemporaryDirectory()
    try model.write(to: directory)
    func start(sequences: Int) throws {
      _ = try PJRTModelRunner(
        session: try session(), checkpoint: try Checkpoint(directory: directory.path),
        configuration: try ModelConfiguration(directory: directory.path),
        limits: RunnerLimits(rows: 16, logitRows: 16, sequences: sequences, positions: 512))
    }
    // Eight terabytes of keys, then more positions than there are numbers for.
    #expect(throws: PJRTError.self) { try start(sequences: 4_000_000) }
    #expect(throws: RunnerError.self) { try start(sequences: 5_000_000) }
  }

  @Test("a plugin that cannot save programs is told of once, and serves all the same")
  func noSaving() throws {
    let (folder, reports) = (try TemporaryDirectory(), ProgramCacheTests.Reports())
    let session = try session(.save, cache: ProgramCache(folder: folder.path) { reports.add($0) })
    var batch = Batch()
    batch.append([1, 2, 3], at: 0, blocks: [0], logitCount: 1)
    #expect(try runner(session, try model()).logits(of: batch).row(0).contains { $0 != 0 })
    #expect(reports.all.count == 1 && reports.all[0].contains("not kept for the next start"))
  }

  @Test(
    "what fails while requests run ends each of them with an error, and those that come later",
    arguments: [false, true])
  func midRequest(fused: Bool) throws {
    for (function, call) in [(Function.run, 12), (.awaitEvent, 60), (.download, fused ? 8 : 14), (.upload, 40)] {
      let (session, model) = (try session(), try model())
      let (target, draft) = (try runner(session, model), try runner(session, model))
      let proposer = DraftModelProposer(runner: draft, vocabularySize: target.vocabularySize)
      let fusedDraft =
        fused
        ? FusedDraftModel(
          try PJRTSpeculator(target: target, draft: .model(draft), window: 3), target: target, proposer: proposer) : nil
      let decoder: any ModelRunner = if let fusedDraft { fusedDraft } else { target }
      let guesser: any Proposer = if let fusedDraft { fusedDraft } else { proposer }
      let loop = DecodingLoop(
        runner: decoder, tokenizer: try Tokenizer(directory: Places.target), proposer: guesser,
        verifier: CoupledVerifier(), window: 3, sequences: 2, rows: 16)
      var request = GenerationRequest(prompt: [5, 6, 7])
      request.stopping.maximumTokens = 40
      try #require(plugin).fail(function, call: call)
      let (together, counts) = try loop.outcomes(of: [request, request])
      #expect(loop.isIdle && counts.acceptedTokens > 0, "\(function): failed before it began")
      for outcome in try together + [loop.outcome(of: request)] {
        guard case .failed(let text) = outcome.reason else {
          Issue.record("\(function): a request ended with \(String(describing: outcome.reason))")
          continue
        }
        #expect(text.contains("injected") || text.contains("start anew"), "\(function): \(text)")
      }
    }
  }
}
