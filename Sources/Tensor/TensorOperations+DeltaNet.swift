internal import CForetokenKernels

extension TensorOperations {
  /// Rows of a gated delta net, from their projections to what its output matrix reads.
  ///
  /// The recurrence takes the rows of a sequence one by one, however many there are, so that a row's result is the same in
  /// a prompt's pass, in a verification and alone.
  ///
  /// - Parameters:
  ///   - projected: `[rows, queries | keys | values | output gates | strengths | decays]`.
  ///   - convolved: scratch, `[rows, queries | keys | values]`.
  ///   - gates: scratch, `[rows, decays | strengths]`.
  ///   - output: `[rows, values]`.
  package func deltaNet(
    _ projected: Activations, rowCount: Int, parameters: DeltaNetParameters, epsilon: Float, slices: [StateSlice],
    storage: StateStorage, layer: Int, convolved: Activations, gates: Activations, into output: Activations
  ) {
    let shape = storage.shape
    precondition(projected.columns == shape.inputs && convolved.columns == shape.channels)
    precondition(gates.columns == 2 * shape.valueHeadCount && output.columns == shape.valueWidth)
    precondition(slices.reduce(0) { $0 + $1.rowCount } == rowCount)
    for slice in slices {
      for row in slice.kept.map(\.row) { precondition(row >= 0 && row < slice.rowCount) }
    }
    let step = unsafe DeltaNetStep(
      set: set, shape: shape, storage: storage, layer: layer, slices: slices, parameters: parameters,
      projected: projected.shared(rows: rowCount), projectedStride: projected.stride,
      convolved: convolved.shared(rows: rowCount), convolvedStride: convolved.stride,
      gates: gates.shared(rows: rowCount), gatesStride: gates.stride,
      output: output.shared(rows: rowCount), outputStride: output.stride)
    // Queries and keys head by head, values likewise; then what says how much of a state stays.
    let partCount = 2 * shape.keyHeadCount + shape.valueHeadCount + 1
    forShares(of: partCount, work: rowCount * shape.inputs) { share in
      for part in share {
        if part + 1 < partCount { step.convolve(part) } else { step.decide() }
      }
    }
    let units = slices.count * shape.valueHeadCount * shape.strips
    if rowCount * shape.valueWidth * shape.keySize < 32_768 {
      step.recur(0..<units)
    } else {
      // Heads are told out whole where there are enough for all threads: what their strips share is in the cache then.
      let isMany = slices.count * shape.valueHeadCount >= 4 * pool.threadCount
      pool.run(claiming: units, inMultiplesOf: isMany ? shape.strips : 1) { step.recur($0) }
    }
    forShares(of: rowCount * shape.valueHeadCount, work: rowCount * shape.valueWidth) { share in
      step.normalise(share, epsilon: epsilon)
    }
  }

  /// Lets through of attention what its gates do: x *= sigmoid(gate).
  ///
  /// - Parameters:
  ///   - x: `[rows, heads · headSize]`.
  ///   - queries: rows begin with the heads' queries, each followed by its gate.
  package func gate(_ x: Activations, rowCount: Int, headSize: Int, by queries: Activations) {
    precondition(x.columns % headSize == 0 && 2 * x.columns <= queries.columns)
    let (set, heads, stride, queryStride) = (set, x.columns / headSize, x.stride, queries.stride)
    let (values, gates) = unsafe (x.shared(rows: rowCount), queries.shared(rows: rowCount))
    forShares(of: rowCount * heads, work: rowCount * x.columns) { share in
      for index in share {
        let (row, head) = index.quotientAndRemainder(dividingBy: heads)
        unsafe ft_gate(
          set, values.pointer.assumingMemoryBound(to: Float.self) + row * stride + head * headSize,
          gates.pointer.assumingMemoryBound(to: Float.self) + row * queryStride + (2 * head + 1) * headSize, headSize)
      }
    }
  }
}

/// One layer's part of a pass, as workers share it: they write disjoint parts of its memory.
@safe private struct DeltaNetStep: Sendable {
  let set: ft_instruction_set
  let shape: DeltaNetShape
  let storage: StateStorage
  let layer: Int
  let slices: [StateSlice]
  let parameters: DeltaNetParameters
  let projected: SharedAddress
  let projectedStride: Int
  let convolved: SharedAddress
  let convolvedStride: Int
  let gates: SharedAddress
  let gatesStride: Int
  let output: SharedAddress
  let outputStride: Int

  /// Added to a key's sum of squares before the root.
  private static let lengthEpsilon: Float = 1e-6

  private func input(_ row: Int) -> UnsafePointer<Float> {
    unsafe UnsafePointer(projected.pointer.assumingMemoryBound(to: Float.self)) + row * projectedStride
  }
  private func mixed(_ row: Int) -> UnsafeMutablePointer<Float> {
    unsafe convolved.pointer.assumingMemoryBound(to: Float.self) + row * convolvedStride
  }
  private func gate(_ row: Int) -> UnsafeMutablePointer<Float> {
    unsafe gates.pointer.assumingMemoryBound(to: Float.self) + row * gatesStride
  }
  private func result(_ row: Int) -> UnsafeMutablePointer<Float> {
    unsafe output.pointer.assumingMemoryBound(to: Float.self) + row * outputStride
  }

  /// Convolves the channels of one head, keeps the inputs that later rows need, and gives queries and keys their lengths.
  ///
  /// - Parameter part: the query heads first, then the key heads, then the value heads.
  func convolve(_ part: Int) {
    let keys = shape.keyHeadCount
    let (first, width) =
      part < 2 * keys
      ? (part * shape.keySize, shape.keySize)
      : (2 * shape.keyWidth + (part - 2 * keys) * shape.valueSize, shape.valueSize)
    let length = part < keys ? 1 / Float(shape.keySize).squareRoot() : 1
    let before = shape.kernelSize - 1
    unsafe withUnsafeTemporaryAllocation(of: UnsafePointer<Float>?.self, capacity: shape.kernelSize) { rows in
      for slice in slices {
        for row in 0..<slice.rowCount {
          for tap in 0...before { unsafe rows[tap] = source(row - before + tap, of: slice) + first }
          let place = unsafe mixed(slice.firstRow + row) + first
          unsafe parameters.convolution.withUnsafeBufferPointer { weights in
            guard let start = weights.baseAddress else { return }
            unsafe ft_convolve(
              set, rows.baseAddress, shape.kernelSize, start + first, shape.channelStride, width, place)
          }
          if part < 2 * keys { unsafe ft_normalise(set, place, width, Self.lengthEpsilon, length) }
        }
        for kept in slice.kept {
          let history = unsafe storage.history(kept.slot, layer: layer)
          for index in 0..<before {
            unsafe (history + index * shape.channelStride + first).update(
              from: source(kept.row + 1 - before + index, of: slice) + first, count: width)
          }
        }
      }
    }
  }

  /// The convolution's inputs of a row of a slice, or of one that a pass before it had.
  private func source(_ row: Int, of slice: StateSlice) -> UnsafePointer<Float> {
    guard row < 0 else { return unsafe input(slice.firstRow + row) }
    guard let start = slice.start else { return unsafe storage.zero }
    return unsafe UnsafePointer(storage.history(start, layer: layer))
      + (shape.kernelSize - 1 + row) * shape.channelStride
  }

  /// How much of each head's state stays, and how strongly it is changed, for every row.
  func decide() {
    let heads = shape.valueHeadCount
    for row in 0..<slices.reduce(0, { $0 + $1.rowCount }) {
      let strengths = unsafe input(row) + shape.channels + shape.valueWidth
      unsafe parameters.rates.withUnsafeBufferPointer { rates in
        unsafe parameters.biases.withUnsafeBufferPointer { biases in
          unsafe ft_delta_gates(
            set, strengths + heads, strengths, rates.baseAddress, biases.baseAddress, heads, gate(row),
            gate(row) + heads)
        }
      }
    }
  }

  /// Takes strips of states through their sequences' rows. Unit `u` is strip `u % strips` of a head of a slice.
  func recur(_ units: Range<Int>) {
    unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: shape.stripFloats) { scratch in
      guard let scratch = scratch.baseAddress else { return }
      for unit in units {
        let (index, strip) = unit.quotientAndRemainder(dividingBy: shape.strips)
        let (slice, head) = index.quotientAndRemainder(dividingBy: shape.valueHeadCount)
        unsafe recur(slices[slice], head: head, strip: strip, scratch: scratch)
      }
    }
  }

  private func recur(_ slice: StateSlice, head: Int, strip: Int, scratch: UnsafeMutablePointer<Float>) {
    let keyHead = shape.keyHead(of: head)
    let offset = (head * shape.strips + strip) * shape.stripFloats
    let first = strip * DeltaNetShape.stripWidth
    let value = head * shape.valueSize + first
    var before =
      unsafe slice.start.map { unsafe UnsafePointer(storage.matrices($0, layer: layer)) + offset } ?? storage.zero
    var kept = slice.kept[...]
    for row in 0..<slice.rowCount {
      let (source, decisions) = unsafe (mixed(slice.firstRow + row), gate(slice.firstRow + row))
      // A state that is kept after this row or a later one is computed where it is kept.
      let after = unsafe kept.first.map { unsafe storage.matrices($0.slot, layer: layer) + offset } ?? scratch
      var step = unsafe ft_delta_row(
        key: source + shape.keyWidth + keyHead * shape.keySize, query: source + keyHead * shape.keySize,
        value: source + 2 * shape.keyWidth + value, output: result(slice.firstRow + row) + value,
        key_size: shape.keySize, count: min(DeltaNetShape.stripWidth, shape.valueSize - first),
        decay: decisions[head], strength: decisions[shape.valueHeadCount + head])
      unsafe ft_delta_step(set, before, after, &step)
      unsafe before = UnsafePointer(after)
      while kept.first?.row == row { kept.removeFirst() }
    }
  }

  /// Normalises outputs by their heads, and lets through what their gates do. Unit `u` is head `u % heads` of a row.
  func normalise(_ units: Range<Int>, epsilon: Float) {
    unsafe parameters.norm.withUnsafeBufferPointer { norm in
      for unit in units {
        let (row, head) = unit.quotientAndRemainder(dividingBy: shape.valueHeadCount)
        let first = head * shape.valueSize
        unsafe ft_gated_norm(
          set, result(row) + first, input(row) + shape.channels + first, shape.valueSize, norm.baseAddress, epsilon)
      }
    }
  }
}
