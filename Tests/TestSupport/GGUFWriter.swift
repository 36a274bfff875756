public import Foundation

/// Writes GGUF files for tests: the container, and the formats that need no search for the best scale.
public struct GGUFWriter {
  /// Formats of tensors, by ggml's numbers.
  public enum Kind: UInt32, Sendable {
    case float32 = 0
    case float16 = 1
    case q4_0 = 2
    case q8_0 = 8
    case bfloat16 = 30
  }

  /// A value of the metadata.
  public enum Value: Sendable {
    case uint32(UInt32)
    case float32(Float)
    case boolean(Bool)
    case string(String)
    case strings([String])
    case int32s([Int32])
    case float32s([Float])
  }

  /// Version in the head.
  public var version: UInt32 = 3
  /// `general.alignment`, which is written unless it is the format's own.
  public var alignment = 32
  private var keys = Data()
  private var keyCount: UInt64 = 0
  private var table = Data()
  private var tensorCount: UInt64 = 0
  private var tensors = Data()

  /// A file without anything in it.
  public init() {}

  /// Adds a key.
  public mutating func add(_ key: String, _ value: Value) {
    keys += Self.string(key)
    switch value {
    case .uint32(let number): keys += Self.bytes(4 as UInt32) + Self.bytes(number)
    case .float32(let number): keys += Self.bytes(6 as UInt32) + Self.bytes(number.bitPattern)
    case .boolean(let flag): keys += Self.bytes(7 as UInt32) + Data([flag ? 1 : 0])
    case .string(let text): keys += Self.bytes(8 as UInt32) + Self.string(text)
    case .strings(let texts):
      keys += Self.bytes(9 as UInt32) + Self.bytes(8 as UInt32) + Self.bytes(UInt64(texts.count))
      for text in texts { keys += Self.string(text) }
    case .int32s(let numbers):
      keys += Self.bytes(9 as UInt32) + Self.bytes(5 as UInt32) + Self.bytes(UInt64(numbers.count))
      for number in numbers { keys += Self.bytes(UInt32(bitPattern: number)) }
    case .float32s(let numbers):
      keys += Self.bytes(9 as UInt32) + Self.bytes(6 as UInt32) + Self.bytes(UInt64(numbers.count))
      for number in numbers { keys += Self.bytes(number.bitPattern) }
    }
    keyCount += 1
  }

  /// Adds a tensor; `shape` has the outermost extent first.
  public mutating func add(_ name: String, _ shape: [Int], _ values: [Float], as kind: Kind) {
    add(name, shape, type: kind.rawValue, data: Self.encoded(values, as: kind))
  }

  /// Adds a tensor whose bytes are known.
  public mutating func add(_ name: String, _ shape: [Int], type: UInt32, data: Data) {
    while tensors.count % alignment != 0 { tensors.append(0) }
    table += Self.string(name) + Self.bytes(UInt32(shape.count))
    for extent in shape.reversed() { table += Self.bytes(UInt64(extent)) }
    table += Self.bytes(type) + Self.bytes(UInt64(tensors.count))
    tensors += data
    tensorCount += 1
  }

  /// The file.
  public var data: Data {
    var copy = self
    if alignment != 32 { copy.add("general.alignment", .uint32(UInt32(alignment))) }
    var file = Data("GGUF".utf8) + Self.bytes(version) + Self.bytes(tensorCount) + Self.bytes(copy.keyCount)
    file += copy.keys + table
    while file.count % alignment != 0 { file.append(0) }
    return file + tensors
  }

  /// `values` in blocks of a format.
  public static func encoded(_ values: [Float], as kind: Kind) -> Data {
    var data: [UInt8] = []
    data.reserveCapacity(values.count * 4)
    func append<Number: FixedWidthInteger>(_ number: Number) {
      for byte in 0..<number.bitWidth / 8 { data.append(UInt8(truncatingIfNeeded: number >> Number(byte * 8))) }
    }
    switch kind {
    case .float32: for value in values { append(value.bitPattern) }
    case .float16: for value in values { append(Float16(value).bitPattern) }
    case .bfloat16: for value in values { append(UInt16(value.bitPattern >> 16)) }
    case .q4_0:
      for start in stride(from: 0, to: values.count, by: 32) {
        let block = values[start..<start + 32]
        // The value of the greatest magnitude becomes -8.
        let scale = Float16((block.max { abs($0) < abs($1) } ?? 0) / -8)
        let codes = block.map { scale == 0 ? 8 : UInt8(min(max(($0 / Float(scale)).rounded() + 8, 0), 15)) }
        append(scale.bitPattern)
        for index in 0..<16 { data.append(codes[index] | codes[index + 16] << 4) }
      }
    case .q8_0:
      for start in stride(from: 0, to: values.count, by: 32) {
        let block = values[start..<start + 32]
        let scale = Float16((block.map { abs($0) }.max() ?? 0) / 127)
        append(scale.bitPattern)
        for value in block {
          let code = scale == 0 ? 0 : min(max((value / Float(scale)).rounded(), -127), 127)
          data.append(UInt8(bitPattern: Int8(code)))
        }
      }
    }
    return Data(data)
  }

  private static func string(_ text: String) -> Data { bytes(UInt64(text.utf8.count)) + Data(text.utf8) }

  private static func bytes<Number: FixedWidthInteger>(_ number: Number) -> Data {
    Data((0..<number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> Number($0 * 8)) })
  }
}
