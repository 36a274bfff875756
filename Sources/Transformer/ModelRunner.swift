public import Tensor

/// A model on a device: it owns the weights and the K/V memory, and turns a `Batch` into logits.
///
/// This is the seam for other hardware. Nothing above it knows where weights or K/V live.
/// A runner is used from one thread at a time.
public protocol ModelRunner: AnyObject {
  /// Number of logits per row.
  var vocabularySize: Int { get }
  /// What one pass and the K/V memory can hold.
  var capacity: RunnerCapacity { get }
  /// Memory by owner.
  var memory: RunnerMemory { get }
  /// A name of the weights in their format by which to remember what their passes cost; `nil` where there is none.
  var cacheKey: String? { get }
  /// Runs the model over the rows of `batch`, writing their keys and values into the sequences' blocks.
  ///
  /// Row `i` of the result belongs to `batch.logitRows[i]`. The logits are the runner's own memory and hold until the
  /// next call. A row's logits depend on its own sequence only, bit for bit, whatever else is in the batch.
  ///
  /// - Throws: `RunnerError` when the batch exceeds `capacity` or names a token or block that does not exist.
  func forward(_ batch: Batch) throws(RunnerError) -> Activations
}

/// The bounds within which a `Batch` must stay.
public struct RunnerCapacity: Sendable, Equatable {
  /// Most rows in one pass.
  public var rows: Int
  /// Most rows of one pass that can ask for logits.
  public var logitRows: Int
  /// Number of KV blocks, shared by all sequences.
  public var blockCount: Int
  /// Positions per KV block.
  public var blockSize: Int
  /// Longest sequence, in positions.
  public var positions: Int

  /// Bounds by name.
  public init(rows: Int, logitRows: Int, blockCount: Int, blockSize: Int, positions: Int) {
    self.rows = rows
    self.logitRows = logitRows
    self.blockCount = blockCount
    self.blockSize = blockSize
    self.positions = positions
  }
}

/// A batch that a runner cannot run.
public struct RunnerError: Error, Sendable, CustomStringConvertible {
  /// One sentence: what was asked, and what the limit is.
  public let description: String

  /// An error with its sentence.
  public init(description: String) { self.description = description }
}

/// Memory that a runner holds, in bytes.
public struct RunnerMemory: Sendable, Equatable {
  /// The weights.
  public let packedWeights: Int
  /// The output head's part of them; 0 where it is not told apart.
  public let packedHead: Int
  /// K/V memory at full use; on a CPU, blocks never touched are not resident.
  public let keyValueCache: Int

  /// Memory by owner.
  public init(packedWeights: Int, packedHead: Int = 0, keyValueCache: Int) {
    (self.packedWeights, self.packedHead, self.keyValueCache) = (packedWeights, packedHead, keyValueCache)
  }
}

extension Batch {
  /// Checks every index of the batch against what a runner has.
  package func check(against capacity: RunnerCapacity, vocabularySize: Int) throws(RunnerError) {
    guard rowCount > 0, rowCount <= capacity.rows else {
      throw RunnerError(description: "a pass over \(rowCount) rows; this runner takes 1 to \(capacity.rows)")
    }
    guard logitRows.count <= capacity.logitRows else {
      throw RunnerError(
        description: "logits asked for \(logitRows.count) rows; this runner gives at most \(capacity.logitRows)")
    }
    for token in tokens where token < 0 || token >= vocabularySize {
      throw RunnerError(description: "token id \(token) is outside the vocabulary of \(vocabularySize)")
    }
    for slice in slices {
      let end = slice.firstPosition + slice.rowCount
      guard end <= capacity.positions, slice.blocks.count * capacity.blockSize >= end else {
        throw RunnerError(
          description:
            "a sequence reaches position \(end); its \(slice.blocks.count) blocks of \(capacity.blockSize) and the limit of \(capacity.positions) do not"
        )
      }
      for block in slice.blocks where block < 0 || block >= capacity.blockCount {
        throw RunnerError(description: "KV block \(block) does not exist; there are \(capacity.blockCount)")
      }
    }
  }
}
