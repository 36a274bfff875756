internal import CForetokenKernels
internal import Foundation

/// The packed matrices of one model in a file, in the order in which the model asks for them.
///
/// Format, little-endian: eight bytes of magic, length and checksum of the header (8 bytes each), the header as JSON,
/// then the matrices, each at a multiple of 64 bytes.
package struct PackedWeightsFile: Sendable {
  package let matrices: [PackedMatrix]

  private static let magic = Array("FTPACKED".utf8)
  private static let prefixBytes = 24
  /// Of hundreds of experts in each of a hundred layers there is a third of it.
  private static let headerLimit = 256 << 20

  private struct Header: Codable {
    struct Matrix: Codable {
      let rows, columns: Int
      let format: String
      let is_gate_pair: Bool
      let offset: Int
      let checksum: UInt64
      /// A byte for each column; absent for none.
      let column_exponents: Data?

      /// Its memory, when the file is copied to those addresses; `nil` when it would not lie there.
      func memory(in file: Range<UInt>) -> WorkerPool.Upcoming? {
        guard let format = WeightFormat(rawValue: format),
          let byteCount = PackedMatrix.byteCount(
            rows: rows, columns: columns, format: format, isGatePair: is_gate_pair),
          offset >= 0, offset <= file.count, byteCount <= file.count - offset
        else { return nil }
        let units = PackedMatrix.unitCount(rows: rows)
        return WorkerPool.Upcoming(
          address: file.lowerBound + UInt(offset), bytesPerUnit: byteCount / units, count: units,
          unit: PackedMatrix.claimUnit(isGatePair: is_gate_pair))
      }
    }
    let layout: Int
    let key: String
    let matrices: [Matrix]
  }

  /// Reads the file at `path` and checks every byte of it. What happens to the file afterwards does not matter.
  ///
  /// - Parameter key: what the file must say that it was made from.
  /// - Throws: `PackingError` that says what is wrong with the file; `MappedFileError` when it cannot be read.
  package init(path: String, key: String, pool: WorkerPool) throws {
    func damaged(_ reason: String) -> PackingError { PackingError(description: "'\(path)': \(reason)") }
    // Where each matrix will lie has to be known before memory is touched, where nodes have their own.
    let places = pool.placement == nil ? [] : try Self.header(of: MappedFile(path: path), key: key).matrices
    let file = try MappedFile(path: path, copiedBy: pool) { start in
      places.compactMap { $0.memory(in: start) }
    }
    let header = try Self.header(of: file, key: key)
    matrices = try header.matrices.map { entry in
      let exponents = entry.column_exponents.map { $0.map { Int8(bitPattern: $0) } }
      guard let format = WeightFormat(rawValue: entry.format), exponents.map({ $0.count == entry.columns }) ?? true,
        let matrix = PackedMatrix(
          rows: entry.rows, columns: entry.columns, format: format, isGatePair: entry.is_gate_pair,
          columnExponents: exponents, in: file, at: entry.offset)
      else { throw damaged("has a matrix \(entry.rows) x \(entry.columns) that does not lie within it") }
      return matrix
    }
    let found = Self.checksums(of: matrices, pool: pool)
    for (index, entry) in header.matrices.enumerated() where entry.checksum != found[index] {
      throw damaged("matrix \(index) is damaged")
    }
  }

  /// What the file says that it holds.
  private static func header(of file: MappedFile, key: String) throws -> Header {
    func damaged(_ reason: String) -> PackingError { PackingError(description: "'\(file.path)': \(reason)") }
    guard let prefix = unsafe file.buffer(0..<prefixBytes).map({ unsafe Array($0) }),
      prefix.prefix(8).elementsEqual(magic)
    else { throw damaged("is not a file of packed weights") }
    func number(at place: Int) -> UInt64 { (0..<8).reduce(0) { $0 | UInt64(prefix[place + $1]) << UInt64(8 * $1) } }
    let length = number(at: 8)
    guard length <= headerLimit, prefixBytes + Int(length) <= file.byteCount else {
      throw damaged("claims a header of \(length) bytes; the file has \(file.byteCount)")
    }
    let bytes = unsafe file.buffer(prefixBytes..<prefixBytes + Int(length)).map { unsafe Array($0) } ?? []
    guard checksum(bytes) == number(at: 16) else { throw damaged("has a damaged header") }
    let header: Header
    do { header = try JSONDecoder().decode(Header.self, from: Data(bytes)) } catch {
      throw damaged("has a header that cannot be read")
    }
    guard header.layout == Int(FT_LAYOUT), header.key == key else {
      throw damaged("holds layout \(header.layout) of \(header.key); expected \(FT_LAYOUT) of \(key)")
    }
    return header
  }

  /// Writes `matrices` so that the file is there whole or not at all.
  ///
  /// - Throws: an error of the file system; nothing is left behind.
  package static func write(_ matrices: [PackedMatrix], key: String, to path: String, pool: WorkerPool) throws {
    let checksums = checksums(of: matrices, pool: pool)
    func header(dataStart: Int) throws -> Data {
      var offset = dataStart
      let entries = zip(matrices, checksums).map { matrix, checksum in
        defer { offset += (matrix.byteCount + 63) / 64 * 64 }
        return Header.Matrix(
          rows: matrix.rows, columns: matrix.columns, format: matrix.format.rawValue, is_gate_pair: matrix.isGatePair,
          offset: offset, checksum: checksum,
          column_exponents: matrix.columnExponents.map { Data($0.map { UInt8(bitPattern: $0) }) })
      }
      let encoder = JSONEncoder()
      encoder.outputFormatting = .sortedKeys
      return try encoder.encode(Header(layout: Int(FT_LAYOUT), key: key, matrices: entries))
    }
    // Offsets of another length may make the header longer; a page to spare is enough.
    let dataStart = (prefixBytes + (try header(dataStart: 0)).count + matrices.count * 8 + 8191) / 4096 * 4096
    var json = try header(dataStart: dataStart)
    json.append(Data(repeating: UInt8(ascii: " "), count: dataStart - prefixBytes - json.count))
    func number(_ value: UInt64) -> Data { Data((0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }) }
    let start = Data(magic) + number(UInt64(json.count)) + number(checksum(Array(json))) + json

    let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let partial = path + ".partial-\(ProcessInfo.processInfo.processIdentifier)"
    do {
      try start.write(to: URL(fileURLWithPath: partial))
      let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: partial))
      defer { try? handle.close() }
      try handle.seekToEnd()
      for matrix in matrices {
        let bytes = unsafe matrix.bytes
        for first in stride(from: 0, to: bytes.count, by: 16 << 20) {
          let part = unsafe UnsafeRawBufferPointer(rebasing: bytes[first..<min(first + 16 << 20, bytes.count)])
          try unsafe handle.write(contentsOf: part)
        }
        try handle.write(contentsOf: Data(count: (64 - bytes.count % 64) % 64))
      }
      try handle.synchronize()
      guard unsafe rename(partial, path) == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    } catch {
      try? FileManager.default.removeItem(atPath: partial)
      throw error
    }
  }

  private static func checksum(_ bytes: [UInt8]) -> UInt64 {
    unsafe bytes.withUnsafeBytes { unsafe ft_checksum($0.baseAddress, $0.count) }
  }

  private static func checksums(of matrices: [PackedMatrix], pool: WorkerPool) -> [UInt64] {
    var sums = [UInt64](repeating: 0, count: matrices.count)
    unsafe sums.withUnsafeMutableBytes { buffer in
      guard let base = buffer.baseAddress else { return }
      let output = unsafe SharedAddress(base)
      pool.runEach(matrices.count) { _, index in
        let bytes = unsafe matrices[index].bytes
        unsafe output.pointer.assumingMemoryBound(to: UInt64.self)[index] = ft_checksum(bytes.baseAddress, bytes.count)
      }
    }
    return sums
  }
}
