internal import Foundation
internal import Tensor

/// Writes a safetensors file row by row, so that a file larger than memory can be made.
package struct SafetensorsWriter {
  /// One tensor of the file.
  package struct Entry: Sendable {
    /// What its elements are.
    package enum Element: String, Sendable {
      case float32 = "F32"
      case bfloat16 = "BF16"
      case int32 = "I32"

      var byteCount: Int { self == .bfloat16 ? 2 : 4 }
    }

    let name: String
    let element: Element
    let shape: [Int]

    package init(_ tensor: DecoderTensor, as element: Element) {
      self.init(tensor.name.huggingFace, tensor.shape, as: element)
    }

    package init(_ name: String, _ shape: [Int], as element: Element) {
      (self.name, self.shape, self.element) = (name, shape, element)
    }

    /// Elements of a row: the last dimension.
    var rowLength: Int { shape[shape.count - 1] }
    var rowCount: Int { shape.dropLast().reduce(1, *) }
    package var byteCount: Int { shape.reduce(element.byteCount, *) }
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
        dtype: entry.element.rawValue, shape: entry.shape, data_offsets: [offset, offset + entry.byteCount])
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
      switch entry.element {
      case .float32: unsafe values.withUnsafeBytes { unsafe pending.append(contentsOf: $0) }
      case .bfloat16:
        let halves = values.map { $0.bfloat16Bits.littleEndian }
        unsafe halves.withUnsafeBytes { unsafe pending.append(contentsOf: $0) }
      case .int32: preconditionFailure("whole numbers are written by themselves")
      }
      if pending.count >= Self.bufferBytes { try flush() }
    }
  }

  /// Writes the whole numbers of `entry`.
  ///
  /// - Throws: `ModelFileError` when the disk refuses.
  package mutating func write(_ entry: Entry, _ numbers: [Int32]) throws(ModelFileError) {
    precondition(entry.element == .int32 && numbers.count == entry.shape.reduce(1, *))
    let stored = numbers.map(\.littleEndian)
    unsafe stored.withUnsafeBytes { unsafe pending.append(contentsOf: $0) }
    if pending.count >= Self.bufferBytes { try flush() }
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
