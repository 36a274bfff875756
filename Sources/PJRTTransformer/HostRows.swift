internal import PJRT
internal import Tensor

/// Rows on their way from the devices.
struct HostRows {
  /// What came last.
  private var floats: [Float] = []

  /// Copies rows of a result `[rows, columns]` to where they are wanted, whose columns it has.
  mutating func read(
    _ results: borrowing PJRTBuffers, _ index: Int, of wanted: [StaticPass.Wanted], rows: Int,
    into destination: Activations
  ) throws(PJRTError) {
    let columns = destination.columns
    if floats.count != rows * columns { floats = [Float](repeating: 0, count: rows * columns) }
    try results.read(index, into: &floats)
    for row in wanted { destination.setRow(row.place, to: floats[row.row * columns..<(row.row + 1) * columns]) }
  }
}
