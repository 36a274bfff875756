internal import CForetokenKernels
internal import Synchronization

/// A weight matrix `[rows, columns]` in the layout that the kernels stream: panels of 16 output rows, each panel in the
/// order of the inputs. Immutable; copies share the memory.
@safe package struct PackedMatrix: Sendable {
  /// Output rows. For a pair of gate and up, the rows of one of them.
  package let rows: Int
  /// Input columns.
  package let columns: Int
  package let format: WeightFormat
  /// Whether panels alternate between a gate's and an up projection's.
  let isGatePair: Bool
  /// Memory taken, in bytes.
  package let byteCount: Int
  /// The powers of two that each column's weights were multiplied by before they were rounded, by which its inputs must be
  /// divided; `nil` for none.
  package let columnExponents: [Int8]?
  /// What keeps the panels in memory.
  private let owner: any Sendable & AnyObject
  @unsafe private let start: SharedAddress

  @unsafe var panels: UnsafeMutablePointer<UInt8> { unsafe start.pointer.assumingMemoryBound(to: UInt8.self) }

  /// What a product divides among threads: panels, or pairs of gate and up.
  var unitCount: Int { Self.unitCount(rows: rows) }
  var claimUnit: Int { Self.claimUnit(isGatePair: isGatePair) }

  static func unitCount(rows: Int) -> Int { (rows + Int(FT_PANEL) - 1) / Int(FT_PANEL) }
  /// Panels are computed in pairs; a unit of a gated product is a pair already.
  static func claimUnit(isGatePair: Bool) -> Int { isGatePair ? 1 : 2 }

  /// The matrix as the next one that a product will read.
  var upcoming: WorkerPool.Upcoming {
    WorkerPool.Upcoming(
      address: unsafe UInt(bitPattern: start.pointer), bytesPerUnit: byteCount / unitCount, count: unitCount,
      unit: claimUnit)
  }

  @unsafe var bytes: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(start: start.pointer, count: byteCount) }

  /// A matrix that lies packed in `file`, from `offset` on; `nil` when it would not lie within the file.
  init?(
    rows: Int, columns: Int, format: WeightFormat, isGatePair: Bool, columnExponents: [Int8]?, in file: MappedFile,
    at offset: Int
  ) {
    guard let byteCount = Self.byteCount(rows: rows, columns: columns, format: format, isGatePair: isGatePair),
      offset >= 0, offset % 64 == 0, offset <= file.byteCount,
      let bytes = unsafe file.buffer(offset..<offset + byteCount), let address = bytes.baseAddress
    else { return nil }
    (self.rows, self.columns, self.format, self.isGatePair) = (rows, columns, format, isGatePair)
    self.byteCount = byteCount
    self.columnExponents = columnExponents
    owner = file
    unsafe start = SharedAddress(address)
  }

  /// Memory of a matrix, in bytes; `nil` for sizes that no matrix has.
  static func byteCount(rows: Int, columns: Int, format: WeightFormat, isGatePair: Bool) -> Int? {
    guard (1...1 << 28).contains(rows), (1...1 << 24).contains(columns) else { return nil }
    let panels = (rows + Int(FT_PANEL) - 1) / Int(FT_PANEL) * (isGatePair ? 2 : 1)
    let (bytes, overflow) = panels.multipliedReportingOverflow(by: ft_panel_bytes(format.kernelValue, columns))
    return overflow || bytes > 1 << 44 ? nil : bytes
  }

  /// Packs matrices of equal width, one below the other, into memory of `arena`, or of its own.
  ///
  /// - Parameter rounding: what is known of the weights' use, for formats that round them.
  /// - Throws: `PackingError` when they are not matrices of one width, or hold weights that are no finite numbers.
  package init(
    stacking tensors: [TensorView], format: WeightFormat, rounding: WeightRounding = WeightRounding(),
    pool: WorkerPool, arena: MemoryArena? = nil
  ) throws(PackingError) {
    let columns = try Self.commonColumns(of: tensors)
    let sources = tensors.enumerated().flatMap { index, tensor in
      (0..<tensor.shape[0]).map { RowSource(tensor: index, row: $0) }
    }
    let panels = stride(from: 0, to: sources.count, by: Int(FT_PANEL)).map { first in
      Panel(
        sources: Array(sources[first..<min(first + Int(FT_PANEL), sources.count)]),
        exponents: rounding.rowExponents.map { Array($0[first..<min(first + Int(FT_PANEL), sources.count)]) })
    }
    try self.init(
      panels: panels, of: tensors, rows: sources.count, columns: columns, format: format, isGatePair: false,
      rounding: rounding, pool: pool, arena: arena)
  }

  /// Packs two matrices of equal shape for `TensorOperations.gatedLinear` into memory of `arena`, or of its own.
  ///
  /// - Parameter rounding: as above; its row exponents are those of `up`.
  /// - Throws: `PackingError` when they are not matrices of one shape, or hold weights that are no finite numbers.
  package init(
    pairingGate gate: TensorView, up: TensorView, format: WeightFormat, rounding: WeightRounding = WeightRounding(),
    pool: WorkerPool, arena: MemoryArena? = nil
  ) throws(PackingError) {
    let columns = try Self.commonColumns(of: [gate, up])
    guard gate.shape == up.shape else {
      throw PackingError(description: "'\(gate.name)' has shape \(gate.shape) and '\(up.name)' \(up.shape)")
    }
    let rows = gate.shape[0]
    let panels = stride(from: 0, to: rows, by: Int(FT_PANEL)).flatMap { first in
      let range = first..<min(first + Int(FT_PANEL), rows)
      // Of the gate and of `up`.
      return [0, 1].map { tensor in
        Panel(
          sources: range.map { RowSource(tensor: tensor, row: $0) },
          exponents: tensor == 1 ? rounding.rowExponents.map { Array($0[range]) } : nil)
      }
    }
    try self.init(
      panels: panels, of: [gate, up], rows: rows, columns: columns, format: format, isGatePair: true,
      rounding: rounding, pool: pool, arena: arena)
  }

  /// A matrix of random weights, made in the packed layout: the cost of a model's shape without its file.
  ///
  /// - Throws: `PackingError` when there is no memory for it.
  package init(
    randomRows rows: Int, columns: Int, isGatePair: Bool = false, format: WeightFormat, seed: UInt64, pool: WorkerPool,
    arena: MemoryArena?
  ) throws(PackingError) {
    precondition(rows > 0 && columns > 0)
    self.rows = rows
    self.columns = columns
    self.format = format
    self.isGatePair = isGatePair
    columnExponents = nil
    let kernelFormat = format.kernelValue
    let panelBytes = ft_panel_bytes(kernelFormat, columns)
    let panelCount = (rows + Int(FT_PANEL) - 1) / Int(FT_PANEL) * (isGatePair ? 2 : 1)
    byteCount = panelCount * panelBytes
    let (memory, offset): (AlignedMemory, Int)
    do {
      (memory, offset) = try MemoryArena.allocate(byteCount, for: "weights", in: arena)
    } catch {
      throw PackingError(description: error.description)
    }
    owner = memory
    let output = unsafe SharedAddress(memory.pointer + offset)
    unsafe start = output
    pool.settle([upcoming])
    pool.run(over: panelCount) { share in
      for index in share {
        let panel = unsafe output.pointer.assumingMemoryBound(to: UInt8.self) + index * panelBytes
        unsafe ft_fill_random_panel(kernelFormat, columns, seed &+ UInt64(index) &* 0x1_0000_0001, panel)
      }
    }
  }

  /// One row of a checkpoint's tensor, by the tensor's place: a large vocabulary has many.
  private struct RowSource {
    let tensor, row: Int
  }

  /// What becomes one panel, and the powers of two that its rows are multiplied by.
  private struct Panel {
    let sources: [RowSource]
    let exponents: [Int8]?
  }

  private init(
    panels: [Panel], of tensors: [TensorView], rows: Int, columns: Int, format: WeightFormat, isGatePair: Bool,
    rounding: WeightRounding, pool: WorkerPool, arena: MemoryArena?
  ) throws(PackingError) {
    precondition(rounding.columnExponents.map { $0.count == columns } ?? true)
    self.rows = rows
    self.columns = columns
    self.format = format
    self.isGatePair = isGatePair
    columnExponents = rounding.columnExponents
    let (kernelFormat, set) = (format.kernelValue, InstructionSet.best.kernelValue)
    let panelBytes = ft_panel_bytes(kernelFormat, columns)
    byteCount = panels.count * panelBytes
    let (memory, offset): (AlignedMemory, Int)
    do {
      (memory, offset) = try MemoryArena.allocate(byteCount, for: "weights", in: arena)
    } catch {
      throw PackingError(description: error.description)
    }
    owner = memory
    let output = unsafe SharedAddress(memory.pointer + offset)
    unsafe start = output
    pool.settle([upcoming])
    let rowBytes = tensors.map(\.rowByteCount).max() ?? 0
    // Pages of the source are given back as soon as they are read: memory never holds much of both copies.
    let batch = max(pool.threadCount, (8 << 20) / max(panelBytes, 1))
    let refused = Atomic<Int>(Int.max)
    for first in stride(from: 0, to: panels.count, by: batch) {
      let part = panels[first..<min(first + batch, panels.count)]
      pool.run(over: part.count) { share in
        let scratch = UnsafeMutablePointer<Float>.allocate(capacity: ft_packing_scratch(columns))
        let made = UnsafeMutableRawPointer.allocate(byteCount: Int(FT_PANEL) * rowBytes, alignment: 64)
        defer {
          unsafe scratch.deallocate()
          unsafe made.deallocate()
        }
        for index in share {
          let source = part[part.startIndex + index]
          var pointers = unsafe [UnsafeRawPointer?](repeating: nil, count: Int(FT_PANEL))
          var elements = [ft_element](repeating: FT_FLOAT32, count: Int(FT_PANEL))
          for (lane, row) in source.sources.enumerated() {
            let tensor = tensors[row.tensor]
            unsafe pointers[lane] = tensor.bytes(ofRow: row.row, in: made + lane * rowBytes)
            elements[lane] = tensor.elementType.kernelValue
          }
          let rowExponents = source.exponents.map { $0 + [Int8](repeating: 0, count: Int(FT_PANEL) - $0.count) }
          let panel = unsafe output.pointer.assumingMemoryBound(to: UInt8.self) + (first + index) * panelBytes
          let result = unsafe rounding.columnExponents.withPointer { exponents in
            unsafe rowExponents.withPointer { rowExponents in
              unsafe ft_pack_panel(
                set, kernelFormat, elements, &pointers, columns, exponents, rowExponents, scratch, panel, nil)
            }
          }
          if result != FT_PACKED { refused.min(first + index, ordering: .relaxed) }
        }
      }
      for (tensor, rows) in Self.rowsRead(by: part) { tensors[tensor].releasePages(ofRows: rows) }
    }
    let place = refused.load(ordering: .relaxed)
    guard place == Int.max else {
      let names = Set(panels[place].sources.map { "'\(tensors[$0.tensor].name)'" }).sorted().joined(separator: " or ")
      throw PackingError(
        description:
          "\(names), rows \(panels[place].sources.map(\.row).min() ?? 0) to \(panels[place].sources.map(\.row).max() ?? 0): a weight is infinite or not a number; expected finite weights"
      )
    }
  }

  /// What `panels` took from each tensor, from the first row to the last.
  private static func rowsRead(by panels: ArraySlice<Panel>) -> [Int: Range<Int>] {
    panels.lazy.flatMap(\.sources).reduce(into: [:]) { read, source in
      let known = read[source.tensor] ?? source.row..<source.row + 1
      read[source.tensor] = min(known.lowerBound, source.row)..<max(known.upperBound, source.row + 1)
    }
  }

  private static func commonColumns(of tensors: [TensorView]) throws(PackingError) -> Int {
    guard let first = tensors.first else { throw PackingError(description: "no tensor to pack") }
    for tensor in tensors {
      guard tensor.shape.count == 2, tensor.shape[0] > 0, tensor.shape[1] > 0 else {
        throw PackingError(description: "'\(tensor.name)' has shape \(tensor.shape); expected a matrix")
      }
      guard tensor.shape[1] == first.shape[1] else {
        throw PackingError(
          description:
            "'\(tensor.name)' is \(tensor.shape) and '\(first.name)' \(first.shape); they must agree in width to be packed together"
        )
      }
    }
    return first.shape[1]
  }
}

/// Tensors that cannot be packed into one matrix.
package struct PackingError: Error, Sendable, CustomStringConvertible {
  /// One sentence: which tensor, what was found, what was expected.
  package let description: String
}
