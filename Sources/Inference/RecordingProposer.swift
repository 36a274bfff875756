internal import Decoding
internal import Foundation
internal import ModelFiles
internal import Tensor
internal import Synchronization
internal import Tokenization

/// Which residual streams of a target are kept, and where: what heads are trained on.
///
/// Files are `taps-00000.safetensors` and so on, written as sequences end, each with the rows of whole sequences one after
/// the other: `tokens`, `next` (the token after each, -1 where it is not known), `positions` (0 where a sequence begins)
/// and `is_answer` (1 where `next` is the answer's), all `I32 [rows]`, and for each layer `taps.L`, the stream that enters
/// it, `BF16 [rows, hidden]`. The last token of an answer has no row: nothing was computed of it.
public final class StreamRecording: Sendable {
  /// Layers, ascending: the stream as it enters each; the number of layers for what the last norm reads.
  public let layers: [Int]
  /// Where the files go.
  public let folder: String
  /// Rows of a file, more or less: sequences are not split.
  static let rowsPerFile = 16_384

  private let failure = Mutex<(any Error)?>(nil)

  /// Streams that enter `layers`, into `folder`.
  public init(layers: [Int], folder: String) { (self.layers, self.folder) = (layers, folder) }

  /// Makes sure that the streams of all requests that have ended are on disk.
  ///
  /// - Throws: what went wrong there.
  public func check() throws { if let failure = failure.withLock(\.self) { throw failure } }

  fileprivate func fail(_ error: any Error) { failure.withLock { $0 = $0 ?? error } }
}

/// Passes everything on to another proposer, and keeps what the target computes.
final class RecordingProposer: Proposer {
  private struct Rows {
    var tokens: [TokenID] = []
    var next: [TokenID] = []
    var answers: [Bool] = []
    /// By layer, row by row.
    var streams: [[Float]]
  }

  private let inner: any Proposer
  private let recording: StreamRecording
  private let hidden: Int
  private var active: [RequestID: Rows] = [:]
  private var ended: [Rows] = []
  private var fileCount = 0

  init(_ inner: any Proposer, _ recording: StreamRecording, of target: ModelSource) throws {
    let most = target.configuration.layerCount
    let layers = recording.layers
    guard !layers.isEmpty, zip(layers, layers.dropFirst()).allSatisfy(<), layers.allSatisfy((0...most).contains) else {
      throw EngineConfigurationError(
        description: "layers to tap are \(layers); expected numbers from 0 to \(most), each above the one before")
    }
    (self.inner, self.recording) = (inner, recording)
    hidden = target.configuration.hiddenSize
    try FileManager.default.createDirectory(atPath: recording.folder, withIntermediateDirectories: true)
    let present = try FileManager.default.contentsOfDirectory(atPath: recording.folder)
    if let old = present.filter({ $0.hasPrefix("taps-") }).min() {
      throw EngineConfigurationError(
        description:
          "'\(recording.folder)' has '\(old)' already; streams of two runs in one folder would be taken for one's")
    }
  }

  var taps: [Int] { Set(inner.taps + recording.layers).sorted() }

  func process(_ pass: TargetPass) throws {
    try recording.check()
    try inner.process(pass)
    let streams = pass.taps(recording.layers)
    for share in pass.shares {
      var rows = active[share.request] ?? Rows(streams: recording.layers.map { _ in [] })
      // A request that was preempted is read again.
      guard share.firstPosition <= rows.tokens.count else { continue }
      let known = rows.tokens.count - share.firstPosition
      for offset in known..<max(share.kept, known) {
        rows.tokens.append(share.tokens[offset])
        let following = offset + 1 < share.kept ? share.tokens[offset + 1] : share.next
        rows.next.append(following ?? -1)
        rows.answers.append(share.firstPosition + offset + 1 >= share.promptCount)
        for (index, stream) in streams.enumerated() {
          rows.streams[index] += stream.row(share.rows.lowerBound + offset)
        }
      }
      active[share.request] = rows
    }
  }

  func propose(for contexts: [ProposalContext], in pass: PassOutline) throws -> [Proposal] {
    try inner.propose(for: contexts, in: pass)
  }

  func observe(_ verdicts: [Verdict]) { inner.observe(verdicts) }

  func forget(_ request: RequestID) {
    inner.forget(request)
    guard let rows = active.removeValue(forKey: request), !rows.tokens.isEmpty else { return }
    ended.append(rows)
    if active.isEmpty || ended.reduce(0, { $0 + $1.tokens.count }) >= StreamRecording.rowsPerFile { write() }
  }

  var passSeconds: Double { inner.passSeconds }

  func explanation(for request: RequestID) -> SpeculationDecision? { inner.explanation(for: request) }

  private func write() {
    let name = String(format: "taps-%05d.safetensors", fileCount)
    do { try write(to: recording.folder + "/" + name) } catch { recording.fail(error) }
    fileCount += 1
    ended = []
  }

  private func write(to path: String) throws {
    let count = ended.reduce(0) { $0 + $1.tokens.count }
    typealias Entry = SafetensorsWriter.Entry
    let numbers: [(Entry, [Int32])] = [
      (Entry("tokens", [count], as: .int32), ended.flatMap(\.tokens)),
      (Entry("next", [count], as: .int32), ended.flatMap(\.next)),
      (Entry("positions", [count], as: .int32), ended.flatMap { $0.tokens.indices.map { Int32($0) } }),
      (Entry("is_answer", [count], as: .int32), ended.flatMap { $0.answers.map { $0 ? 1 : 0 } }),
    ]
    let layers = recording.layers.map { Entry("taps.\($0)", [count, hidden], as: .bfloat16) }
    var writer = try SafetensorsWriter(path: path, entries: numbers.map(\.0) + layers)
    for (entry, values) in numbers { try writer.write(entry, values) }
    for (index, entry) in layers.enumerated() {
      var (sequence, first) = (0, 0)
      try writer.write(entry) { row, values in
        if row - first == ended[sequence].tokens.count { (sequence, first) = (sequence + 1, row) }
        values = Array(ended[sequence].streams[index][(row - first) * hidden..<(row - first + 1) * hidden])
      }
    }
    try writer.finish()
  }
}
