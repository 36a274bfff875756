internal import CForetokenKernels
internal import Foundation

/// The steps of a forward pass. One runner owns it and uses it from one thread at a time.
///
/// Every output row depends on its own input row alone, bit for bit: the number of rows, the number of threads and the
/// instruction set change the speed only.
package final class TensorOperations {
  let pool: WorkerPool
  let set: ft_instruction_set
  let prepared: PreparedRows
  private let attentionScratch: AlignedMemory
  /// Queries that one worker takes through the keys and values together.
  private static let queriesTogether = 24
  private static let largestHeadSize = Int(FT_LARGEST_HEAD)
  private static let scratchFloats = queriesTogether * (largestHeadSize + 16)

  /// Operations on the threads of `pool`.
  ///
  /// - Parameters:
  ///   - instructionSet: which kernels to use; the best that the machine has when `nil`.
  ///   - rowCapacity: most rows of any input.
  ///   - columnCapacity: most columns of any input of a matrix product.
  /// - Throws: `MemoryError` when there is no memory for scratch.
  package init(
    pool: WorkerPool, instructionSet: InstructionSet? = nil, rowCapacity: Int, columnCapacity: Int
  ) throws(MemoryError) {
    let instructionSet = instructionSet ?? .best
    precondition(InstructionSet.available.contains(instructionSet))
    self.pool = pool
    set = instructionSet.kernelValue
    prepared = try PreparedRows(rows: rowCapacity, columns: columnCapacity)
    attentionScratch = try AlignedMemory(
      byteCount: pool.threadCount * Self.scratchFloats * MemoryLayout<Float>.size, for: "attention")
  }

  // MARK: Rows

  /// Reads row `tokens[i]` of `table` into row `i`.
  package func gatherRows(of table: TensorView, tokens: [Int32], into output: Activations) {
    let width = table.shape[1]
    precondition(width == output.columns)
    for (row, token) in tokens.enumerated() {
      let buffer = unsafe UnsafeMutableBufferPointer(start: output.pointer(row: row), count: width)
      unsafe table.copyFloats(in: Int(token) * width..<(Int(token) + 1) * width, to: buffer)
    }
  }

  /// Copies `rows[i]` of `input` into row `i`.
  ///
  /// - Parameter firstColumn: where in the output's rows the copies begin.
  package func copyRows(_ rows: [Int], of input: Activations, into output: Activations, firstColumn: Int = 0) {
    precondition(firstColumn >= 0 && firstColumn + input.columns <= output.columns)
    for (index, row) in rows.enumerated() {
      unsafe (output.pointer(row: index) + firstColumn).update(from: input.pointer(row: row), count: input.columns)
    }
  }

  /// Copies row `i` of `input` into row `rows[i]`.
  package func scatterRows(_ input: Activations, into output: Activations, rows: [Int]) {
    precondition(input.columns == output.columns)
    for (index, row) in rows.enumerated() {
      unsafe output.pointer(row: row).update(from: input.pointer(row: index), count: input.columns)
    }
  }

  /// Copies column `i` of the first rows of `input` into column `columns[i]`; the others stay as they are.
  package func scatterColumns(_ input: Activations, rowCount: Int, into output: Activations, columns: [Int32]) {
    precondition(input.columns == columns.count)
    for row in 0..<rowCount {
      let (from, to) = (unsafe input.pointer(row: row), unsafe output.pointer(row: row))
      for (index, column) in columns.enumerated() {
        precondition(column >= 0 && Int(column) < output.columns)
        unsafe to[Int(column)] = unsafe from[index]
      }
    }
  }

  /// output = x / rms(x) · weight.
  ///
  /// - Parameter firstColumn: where in the output's rows the result begins.
  package func rmsNorm(
    _ x: Activations, rowCount: Int, weight: [Float], epsilon: Float, into output: Activations, firstColumn: Int = 0
  ) {
    precondition(firstColumn >= 0 && firstColumn + x.columns <= output.columns && weight.count == x.columns)
    let (set, columns, stride, outputStride) = (set, x.columns, x.stride, output.stride)
    let (input, result) = unsafe (x.shared(rows: rowCount), output.shared(rows: rowCount))
    forRows(rowCount, columns: columns) { rows in
      for row in rows {
        unsafe ft_rms_norm(
          set, input.pointer.assumingMemoryBound(to: Float.self) + row * stride, columns, weight, epsilon,
          result.pointer.assumingMemoryBound(to: Float.self) + row * outputStride + firstColumn)
      }
    }
  }

  /// Cosines and sines of the rotary angles, `[positions, headSize / 2]` each, times `scale`.
  package func rotaryAngles(
    positions: [Int32], inverseFrequencies: [Float], scale: Float, into cosines: Activations, sin sines: Activations
  ) {
    precondition(cosines.columns == inverseFrequencies.count && sines.columns == inverseFrequencies.count)
    for (row, position) in positions.enumerated() {
      let (cosineRow, sineRow) = (unsafe cosines.pointer(row: row), unsafe sines.pointer(row: row))
      for (index, frequency) in inverseFrequencies.enumerated() {
        // The product is rounded to single precision, as the reference does it.
        let angle = Double(Float(position) * frequency)
        unsafe cosineRow[index] = Float(cos(angle)) * scale
        unsafe sineRow[index] = Float(sin(angle)) * scale
      }
    }
  }

  // MARK: Matrix products

  // `next` is the matrix of the product after this one: its first weights are fetched while threads wait.

  /// output = weight · x + bias.
  package func linear(
    _ x: Activations, rowCount: Int, weight: PackedMatrix, bias: [Float]? = nil, into output: Activations,
    next: PackedMatrix? = nil
  ) {
    linear(x, rowCount: rowCount, weights: [weight], bias: bias, into: output, next: next)
  }

  /// As above for matrices one below the other, whose outputs lie side by side.
  package func linear(
    _ x: Activations, rowCount: Int, weights: [PackedMatrix], bias: [Float]? = nil, into output: Activations,
    next: PackedMatrix? = nil
  ) {
    precondition(output.columns == weights.reduce(0) { $0 + $1.rows })
    var first = 0
    for (index, weight) in weights.enumerated() {
      let upcoming = index + 1 < weights.count ? weights[index + 1] : next
      product(x, rowCount, weight, bias, nil, output, FT_STORE, upcoming, firstColumn: first)
      first += weight.rows
    }
  }

  /// residual += weight · x + bias.
  package func linearAdding(
    _ x: Activations, rowCount: Int, weight: PackedMatrix, bias: [Float]? = nil, to residual: Activations,
    next: PackedMatrix? = nil
  ) {
    product(x, rowCount, weight, bias, nil, residual, FT_ADD, next)
  }

  /// output = activation(gate · x) · (up · x), for a matrix packed as a pair of gate and up.
  package func gatedLinear(
    _ x: Activations, rowCount: Int, weight: PackedMatrix, bias: (gate: [Float], up: [Float])? = nil,
    activation: GateActivation = .silu, into output: Activations, next: PackedMatrix? = nil
  ) {
    product(
      x, rowCount, weight, bias?.gate, bias?.up, output, activation.epilogue, next, bounds: activation.bounds)
  }

  private func product(
    _ x: Activations, _ rowCount: Int, _ weight: PackedMatrix, _ bias: [Float]?, _ upBias: [Float]?,
    _ output: Activations, _ epilogue: ft_epilogue, _ next: PackedMatrix?, firstColumn: Int = 0,
    bounds: (slope: Float, limit: Float) = (0, 0)
  ) {
    guard rowCount > 0 else { return }
    precondition(x.columns == weight.columns && output.columns >= firstColumn + weight.rows)
    precondition(weight.isGatePair == ft_is_gated(epilogue))
    precondition(bias.map { $0.count == output.columns } ?? true && upBias.map { $0.count == output.columns } ?? true)
    let result = unsafe output.shared(rows: rowCount)
    let inputs = unsafe prepare(x, rowCount: rowCount, for: weight.format)
    let (resultStride, columns, set) = (output.stride, x.columns, set)
    let units = weight.unitCount
    pool.run(claiming: units, inMultiplesOf: weight.claimUnit, upcoming: next?.upcoming) { share in
      unsafe bias.withPointer { biasPointer in
        unsafe upBias.withPointer { upPointer in
          var task = unsafe ft_linear_task(
            format: weight.format.kernelValue, epilogue: epilogue,
            panels: UnsafePointer(weight.panels), columns: columns,
            outputs: weight.rows, x: inputs.kernelValue, rows: rowCount,
            bias: biasPointer.map { unsafe $0 + firstColumn },
            up_bias: upPointer, output: result.pointer.assumingMemoryBound(to: Float.self) + firstColumn,
            output_stride: resultStride, slope: bounds.slope, limit: bounds.limit)
          unsafe ft_linear(set, &task, share.lowerBound, share.count)
        }
      }
    }
  }

  /// Brings input rows into the form that products with weights of `format` read.
  @unsafe private func prepare(_ x: Activations, rowCount: Int, for format: WeightFormat) -> PreparedRows.SharedRows {
    let (set, stride, columns, format) = (set, x.stride, x.columns, format.kernelValue)
    let input = unsafe x.shared(rows: rowCount)
    let output = unsafe prepared.shared(columns: columns)
    let work = { @Sendable (rows: Range<Int>) in
      var values = unsafe output.kernelValue
      unsafe ft_prepare_rows(
        set, format, input.pointer.assumingMemoryBound(to: Float.self), stride, columns, rowCount, rows.lowerBound,
        rows.count, &values)
    }
    forRows(rowCount, columns: columns, work)
    return unsafe output
  }

  /// Calls `work` with parts of the rows: on all threads when it is worth waking them.
  func forRows(_ rowCount: Int, columns: Int, _ work: @Sendable (Range<Int>) -> Void) {
    forShares(of: rowCount, work: rowCount * columns, work)
  }

  /// Calls `body` with shares of `0..<count`: on all threads when `work`, in numbers to go through, is worth waking them.
  func forShares(of count: Int, work: Int, _ body: @Sendable (Range<Int>) -> Void) {
    // A few microseconds of work are done before another thread has heard of it.
    if work < 32_768 { body(0..<count) } else { pool.run(over: count, body) }
  }

  // MARK: Attention

  /// Normalises and rotates queries in place, and writes keys (normalised and rotated) and values to the KV blocks.
  ///
  /// Rows of `qkv` are `[query heads | key heads | value heads] · headSize`. Rotation pairs channel `i` with
  /// `i + rotated / 2`, where the first `rotated` channels of a head are rotated: as many as there are angles, twice.
  ///
  /// - Parameter hasGates: whether each query head is followed by its gate, of as many channels.
  package func normRotateStore(
    _ qkv: Activations, rowCount: Int, headCount: Int, hasGates: Bool = false, kvHeadCount: Int, headSize: Int,
    queryNorm: [Float]?, keyNorm: [Float]?, epsilon: Float, cos cosines: Activations, sin sines: Activations,
    slices: [AttentionSlice], storage: KVStorage, layer: Int
  ) {
    let queryWidth = hasGates ? 2 * headSize : headSize
    precondition(qkv.columns == headCount * queryWidth + 2 * kvHeadCount * headSize && storage.headSize == headSize)
    let rotated = 2 * cosines.columns
    precondition(rotated <= headSize && sines.columns == cosines.columns)
    // Where each row's keys and values go: the block's first byte, and the position in it.
    var found: [(start: Int, slot: Int)] = []
    for slice in slices {
      precondition(slice.firstRow == found.count)
      for row in 0..<slice.rowCount {
        let (block, slot) = (slice.firstPosition + row).quotientAndRemainder(dividingBy: KVStorage.blockSize)
        found.append((checkedBlock(slice, block, storage) * storage.blockStride, slot))
      }
    }
    let places = found
    precondition(places.count == rowCount)
    let (set, stride, angleStride, headBytes) = (set, qkv.stride, cosines.stride, storage.headBytes)
    let format = storage.format.kernelValue
    let rows = unsafe qkv.shared(rows: rowCount)
    let (cosines, sines) = unsafe (cosines.shared(rows: rowCount), sines.shared(rows: rowCount))
    let cache = unsafe SharedAddress(storage.start(layer: layer))
    // By heads and not by rows: keys of neighbouring positions lie in the same lines of memory.
    let heads = headCount + kvHeadCount
    forShares(of: heads, work: rowCount * heads * headSize) { share in
      for row in 0..<rowCount {
        let values = unsafe rows.pointer.assumingMemoryBound(to: Float.self) + row * stride
        let cosineRow = unsafe cosines.pointer.assumingMemoryBound(to: Float.self) + row * angleStride
        let sineRow = unsafe sines.pointer.assumingMemoryBound(to: Float.self) + row * angleStride
        unsafe queryNorm.withPointer { norm in
          for head in share.clamped(to: 0..<headCount) {
            unsafe Self.normRotate(
              set, values + head * queryWidth, headSize, rotated, norm, epsilon, cosineRow, sineRow)
          }
        }
        unsafe keyNorm.withPointer { norm in
          for index in share.clamped(to: headCount..<heads) {
            let head = index - headCount
            let key = unsafe values + headCount * queryWidth + head * headSize
            unsafe Self.normRotate(set, key, headSize, rotated, norm, epsilon, cosineRow, sineRow)
            let keys = unsafe cache.pointer.assumingMemoryBound(to: UInt8.self) + places[row].start
            unsafe ft_store_key_value(
              set, format, keys + 2 * head * headBytes, keys + (2 * head + 1) * headBytes, places[row].slot, key,
              key + kvHeadCount * headSize, headSize)
          }
        }
      }
    }
  }

  /// Normalises a head and rotates the first of its channels.
  private static func normRotate(
    _ set: ft_instruction_set, _ head: UnsafeMutablePointer<Float>, _ size: Int, _ rotated: Int,
    _ norm: UnsafePointer<Float>?, _ epsilon: Float, _ cosines: UnsafePointer<Float>, _ sines: UnsafePointer<Float>
  ) {
    guard rotated < size else { return unsafe ft_norm_rotate(set, head, size, norm, epsilon, cosines, sines) }
    if let norm = unsafe norm { unsafe ft_rms_norm(set, head, size, norm, epsilon, head) }
    unsafe ft_norm_rotate(set, head, rotated, nil, epsilon, cosines, sines)
  }

  /// Attention of the rows of each slice to the positions that `sight` lets them see. Blocks of which they see nothing are
  /// not looked at.
  ///
  /// - Parameters:
  ///   - hasGates: whether each query head is followed by its gate, of as many channels.
  ///   - cap: scores are bent to stay within it, cap · tanh(score / cap); `nil` for none.
  ///   - sinks: by head, the score of something without a value that all rows see; `nil` for none.
  package func attention(
    _ qkv: Activations, headCount: Int, hasGates: Bool = false, kvHeadCount: Int, headSize: Int, scale: Float,
    cap: Float? = nil, sinks: [Float]? = nil, slices: [AttentionSlice], storage: KVStorage, layer: Int,
    seeing sight: AttentionSight = .causal(), into output: Activations
  ) {
    precondition(output.columns == headCount * headSize && headSize <= Self.largestHeadSize)
    precondition(sinks.map { $0.count == headCount } ?? true)
    let rowCount = slices.reduce(0) { $0 + $1.rowCount }
    let queries = unsafe qkv.shared(rows: rowCount)
    let results = unsafe output.shared(rows: rowCount)
    let scratch = unsafe SharedAddress(attentionScratch.pointer)
    let cache = unsafe SharedAddress(storage.start(layer: layer))
    let (set, format, blockStride, headBytes) = (
      set, storage.format.kernelValue, storage.blockStride, storage.headBytes
    )
    let (queryStride, resultStride, queryWidth) = (qkv.stride, output.stride, hasGates ? 2 * headSize : headSize)
    for slice in slices where slice.rowCount > 0 {
      // The first row sees what is farthest back.
      let seen = sight.positions(of: 0, in: slice).lowerBound..<slice.firstPosition + slice.rowCount
      for block in seen.lowerBound / KVStorage.blockSize...(seen.upperBound - 1) / KVStorage.blockSize {
        _ = checkedBlock(slice, block, storage)
      }
    }
    let group = headCount / kvHeadCount
    let units = attentionUnits(slices, group: group, kvHeadCount: kvHeadCount)
    let positionsSeen = slices.reduce(0) { $0 + $1.rowCount * ($1.firstPosition + $1.rowCount) }
    let isShort = positionsSeen * headCount * headSize < 32_768
    pool.runEach(units.count, onCaller: isShort) { worker, index in
      let unit = units[index]
      let slice = slices[unit.slice]
      let own = unsafe scratch.pointer.assumingMemoryBound(to: Float.self) + worker * Self.scratchFloats
      let keys = unsafe cache.pointer.assumingMemoryBound(to: UInt8.self) + 2 * unit.kvHead * headBytes
      unsafe withUnsafeTemporaryAllocation(of: ft_attention_query.self, capacity: unit.queries.count) { list in
        for (place, query) in unit.queries.enumerated() {
          let (row, head) = (query / group, unit.kvHead * group + query % group)
          let start = unsafe queries.pointer.assumingMemoryBound(to: Float.self) + (slice.firstRow + row) * queryStride
          let result =
            unsafe results.pointer.assumingMemoryBound(to: Float.self) + (slice.firstRow + row) * resultStride
          let seen = sight.positions(of: row, in: slice)
          unsafe list.initializeElement(
            at: place,
            to: ft_attention_query(
              query: start + head * queryWidth, output: result + head * headSize, first: seen.lowerBound,
              length: seen.upperBound, sink: sinks?[head] ?? -.infinity))
        }
        unsafe slice.blocks.withUnsafeBufferPointer { blocks in
          var task = unsafe ft_attention_task(
            format: format, keys: keys, values: keys + headBytes, block_stride: blockStride,
            blocks: blocks.baseAddress, head_size: headSize, scale: scale, cap: cap ?? 0)
          unsafe ft_attention(set, &task, list.baseAddress, list.count, own)
        }
      }
    }
  }

  /// A part of an attention step that one worker does: queries of one KV head of one sequence. Query `q` is head
  /// `q % group` of row `q / group`.
  private struct AttentionUnit {
    let slice, kvHead: Int
    let queries: Range<Int>
  }

  private func attentionUnits(_ slices: [AttentionSlice], group: Int, kvHeadCount: Int) -> [AttentionUnit] {
    var units: [AttentionUnit] = []
    for (index, slice) in slices.enumerated() {
      let total = slice.rowCount * group
      // With fewer KV heads than threads, a head's queries are split, so that all threads have work.
      let shares = (pool.threadCount + kvHeadCount - 1) / kvHeadCount
      let size = min(Self.queriesTogether, max(1, (total + shares - 1) / shares))
      for first in stride(from: 0, to: total, by: size) {
        for head in 0..<kvHeadCount {
          units.append(AttentionUnit(slice: index, kvHead: head, queries: first..<min(first + size, total)))
        }
      }
    }
    return units
  }

  private func checkedBlock(_ slice: AttentionSlice, _ index: Int, _ storage: KVStorage) -> Int {
    let block = Int(slice.blocks[index])
    precondition(block >= 0 && block < storage.blockCount)
    return block
  }
}
