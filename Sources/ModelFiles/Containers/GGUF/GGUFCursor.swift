internal import Tensor

/// Reads the head of a GGUF file front to back. Every length is checked against the bytes that the file has.
struct GGUFCursor {
  let file: MappedFile
  private(set) var offset = 0

  init(_ file: MappedFile) { self.file = file }

  private var remaining: Int { file.byteCount - offset }

  /// The next `count` bytes.
  ///
  /// - Parameter what: what they are, for the message.
  mutating func take(_ count: Int, _ what: @autoclosure () -> String) throws(ModelFileError) -> Range<Int> {
    guard count <= remaining else {
      throw ModelFileError(
        file.path, "ends within \(what()): it needs \(count) bytes at byte \(offset), and \(remaining) are left")
    }
    defer { offset += count }
    return offset..<offset + count
  }

  mutating func number<Number: FixedWidthInteger & BitwiseCopyable>(
    _ type: Number.Type, _ what: @autoclosure () -> String
  ) throws(ModelFileError) -> Number {
    file.number(at: try take(MemoryLayout<Number>.size, what()).lowerBound)
  }

  /// A number of things that take at least `size` bytes each.
  mutating func count(ofSize size: Int, _ what: @autoclosure () -> String) throws(ModelFileError) -> Int {
    let value = try number(UInt64.self, what())
    guard value <= remaining / size else {
      throw ModelFileError(
        file.path,
        "\(what()) is \(value); expected at most \(remaining / size), which the \(remaining) bytes left can hold")
    }
    return Int(value)
  }

  /// Where the bytes of a string lie that has its length before it.
  mutating func string(_ what: @autoclosure () -> String) throws(ModelFileError) -> Range<Int> {
    let length = try number(UInt64.self, "the length of \(what())")
    guard length <= remaining else {
      throw ModelFileError(file.path, "\(what()) has \(length) bytes, and \(remaining) are left: the file is damaged")
    }
    return try take(Int(length), what())
  }

  /// Goes on to the next multiple of `alignment`, or the end.
  mutating func align(to alignment: Int) { offset = (offset + alignment - 1) / alignment * alignment }
}

extension MappedFile {
  /// The little-endian number at a byte that lies, with the rest of it, inside the file.
  func number<Number: FixedWidthInteger & BitwiseCopyable>(at offset: Int) -> Number {
    withBytes(in: offset..<offset + MemoryLayout<Number>.size) { bytes in
      Number(littleEndian: unsafe bytes.unsafeLoadUnaligned(as: Number.self))
    } ?? 0
  }

  /// The text of `range`; what is not UTF-8 becomes U+FFFD.
  func text(in range: Range<Int>) -> String { String(decoding: bytes(in: range), as: UTF8.self) }

  func bytes(in range: Range<Int>) -> [UInt8] { withBytes(in: range) { $0.byteArray } ?? [] }
}
