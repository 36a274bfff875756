internal import Foundation
package import Tensor

/// Writes a safetensors file row by row, so that a file larger than memory can be made.
package struct SafetensorsWriter {
  /// One tensor of the file, in single precision or bfloat16.
  package struct Entry: Sendable {
    let name: String
    let elementType: ElementType
    let shape: [Int]

    package init(_ tensor: DecoderTensor, as elementType: ElementType) {
      precondition(elementType == .float32 || elementType == .bfloat16)
      (name, shape, self.elementType) = (tensor.name.huggingFace, tensor.shape, elementType)
    }

    /// Elements of a row: the last dimension.
    var rowLength: Int { shape[shape.count - 1] }
    var rowCount: Int { shape.dropLast().reduce(1, *) }
    package var byteCount: Int { shape.reduce(elementType.blockByteCount, *) }
  }

  private let path: String
  private let handle: FileHandle
  private var pending = Data()
  private static let bufferBytes = 8 << 20

  /// Creates the file and writes its header.
  ///
  /// - Throws: `ModelFileError` when the file cannot be created or written.
  package init(path: String, entries: [Entry]) throws(ModelFileError) {
    self.path = path
    guard FileManager.default.createFile(atPath: path, contents: nil), let handle = FileHandle(forWritingAtPath: path)
    else { throw ModelFileError(path, "cannot be created") }
    self.handle = handle
    var offset = 0
    var header: [String: HeaderEntry] = [:]
    for entry in entries {
      header[entry.name] = HeaderEntry(
        dtype: entry.elementType.rawValue, shape: entry.shape, data_offsets: [offset, offset + entry.byteCount])
      offset += entry.byteCount
    }
    var json: Data
    do { json = try JSONEncoder().encode(header) } catch { throw ModelFileError(path, "cannot be described: \(error)") }
    while json.count % 8 != 0 { json.append(UInt8(ascii: " ")) }
    pending = Data((0..<8).map { UInt8(truncatingIfNeeded: json.count >> (8 * $0)) }) + json
  }

  private struct HeaderEntry: Encodable {
    let dtype: String
    let shape, data_offsets: [Int]
  }

  /// Writes all rows of `entry`. Entries are written in the order in which the header names them.
  ///
  /// - Parameter row: fills in the row of the given number; it holds what the row before it held.
  /// - Throws: `ModelFileError` when the disk refuses.
  package mutating func write(_ entry: Entry, row: (Int, inout [Float]) -> Void) throws(ModelFileError) {
    var values = [Float](repeating: 0, count: entry.rowLength)
    for index in 0..<entry.rowCount {
      row(index, &values)
      precondition(values.count == entry.rowLength)
      if entry.elementType == .float32 {
        unsafe values.withUnsafeBytes { unsafe pending.append(contentsOf: $0) }
      } else {
        let halves = values.map { $0.bfloat16Bits.littleEndian }
        unsafe halves.withUnsafeBytes { unsafe pending.append(contentsOf: $0) }
      }
      if pending.count >= Self.bufferBytes { try flush() }
    }
  }

  /// Writes what is left, and waits for the disk.
  ///
  /// - Throws: `ModelFileError` when the disk refuses.
  package mutating func finish() throws(ModelFileError) {
    try flush()
    do {
      try handle.synchronize()
      try handle.close()
    } catch { throw ModelFileError(path, "cannot be written: \(error.localizedDescription)") }
  }

  private mutating func flush() throws(ModelFileError) {
    do { try handle.write(contentsOf: pending) } catch {
      throw ModelFileError(path, "cannot be written: \(error.localizedDescription)")
    }
    pending.removeAll(keepingCapacity: true)
  }
}
