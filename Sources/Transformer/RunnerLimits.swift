/// Sizes that a runner reserves memory for.
package struct RunnerLimits: Sendable, Equatable {
  /// Most rows in one pass.
  package var rows: Int
  /// Most rows of one pass that can ask for logits.
  package var logitRows: Int
  /// Sequences that can be in the K/V memory at full length at one time.
  package var sequences: Int
  /// Longest sequence, in positions.
  package var positions: Int
  /// KV blocks; room for all sequences at full length when `nil`.
  package var blocks: Int?
  /// KV blocks of layers with a window; those of all layers when `nil`, or where no layer has one.
  package var windowBlocks: Int?
  /// Slots for recurrent states, of models that have them; `nil` for as many as sequences need that verify `logitRows`.
  package var stateSlots: Int?

  /// Limits with a chunk of 256 rows, room for 32 rows of logits and one sequence.
  package init(rows: Int = 256, logitRows: Int = 32, sequences: Int = 1, positions: Int, blocks: Int? = nil) {
    self.rows = rows
    self.logitRows = logitRows
    self.sequences = sequences
    self.positions = positions
    self.blocks = blocks
  }

  /// Slots for recurrent states, of models that have them: three for each sequence and one for each row of logits at least.
  package var stateSlotCount: Int { stateSlots ?? 3 * sequences + logitRows }

  /// KV blocks of `size` positions.
  package func blockCount(ofSize size: Int) -> Int { blocks ?? (positions + size - 1) / size * sequences }
}
