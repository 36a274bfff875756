internal import ModelFiles
internal import Tensor

/// The recurrent layers' steps of a pass, and the memory that they go through.
final class RecurrentSteps {
  let storage: StateStorage
  private let epsilon: Float
  /// `[rows, channels | gates | strengths | decays]`.
  private let projected: Activations
  /// `[rows, channels]`.
  private let convolved: Activations
  /// `[rows, 2 · value heads]`.
  private let gates: Activations
  /// `[rows, value heads · value size]`.
  private let output: Activations
  /// The sequences' shares of the pass's rows.
  private var slices: [StateSlice] = []

  init(_ configuration: RecurrenceConfiguration, rows: Int, slots: Int, epsilon: Float) throws {
    let shape = configuration.shape
    self.epsilon = epsilon
    storage = try StateStorage(shape, layerCount: configuration.layerCount, slotCount: slots)
    projected = try Activations(rowCapacity: rows, columns: shape.inputs)
    convolved = try Activations(rowCapacity: rows, columns: shape.channels)
    gates = try Activations(rowCapacity: rows, columns: 2 * shape.valueHeadCount)
    output = try Activations(rowCapacity: rows, columns: shape.valueWidth)
  }

  /// Begins a pass over `batch`, whose state plans were checked.
  func begin(_ batch: Batch) {
    slices = batch.slices.map { slice in
      StateSlice(
        firstRow: slice.firstRow, rowCount: slice.rowCount, start: slice.states?.start,
        kept: slice.states?.kept.map { ($0.row, $0.slot) } ?? [])
    }
  }

  /// What the output matrix of recurrent layer `layer` reads, until the next call; states go where the pass wants them.
  func recur(
    _ weights: DeltaNetWeights, layer: Int, of input: Activations, rowCount: Int, with operations: TensorOperations,
    _ stopwatch: PassStopwatch?
  ) -> Activations {
    operations.linear(input, rowCount: rowCount, weights: weights.inputs, into: projected, next: weights.output)
    stopwatch?.lap(.queryKeyValue)
    operations.deltaNet(
      projected, rowCount: rowCount, parameters: weights.parameters, epsilon: epsilon, slices: slices, storage: storage,
      layer: layer, convolved: convolved, gates: gates, into: output)
    stopwatch?.lap(.recurrence)
    return output
  }
}
