internal import Tensor

package enum GGUFValue: Sendable, CustomStringConvertible {
  case unsigned(UInt64)
  case signed(Int64)
  case float32(Float)
  case float64(Double)
  case boolean(Bool)
  case string(String)
  /// A list, whose elements are read when they are asked for.
  case array(GGUFArray)

  package var description: String {
    switch self {
    case .unsigned(let value): "\(value)"
    case .signed(let value): "\(value)"
    case .float32(let value): "\(value)"
    case .float64(let value): "\(value)"
    case .boolean(let value): "\(value)"
    case .string(let value): value
    case .array(let list): "list of \(list.count) (\(list.elementType.name))"
    }
  }

  var integer: Int? {
    switch self {
    case .unsigned(let value): Int(exactly: value)
    case .signed(let value): Int(value)
    default: nil
    }
  }

  var number: Double? {
    switch self {
    case .float32(let value): Double(value)
    case .float64(let value): value
    default: integer.map(Double.init)
    }
  }
}

package struct GGUFArray: Sendable {
  let elementType: GGUFValueType
  let count: Int
  fileprivate let start: Int
  fileprivate let file: MappedFile

  /// The bytes of each string; `nil` when it is a list of something else.
  var strings: [[UInt8]]? {
    guard elementType == .string else { return nil }
    var offset = start
    var strings: [[UInt8]] = []
    for _ in 0..<count {
      // Checked when the head was read, but the file may have been written to since.
      let length = file.number(at: offset) as UInt64
      guard length <= max(file.byteCount - offset - 8, 0) else { return nil }
      let first = offset + 8
      offset = first + Int(length)
      strings.append(file.bytes(in: first..<offset))
    }
    return strings
  }

  /// True and false, or numbers that are 0 or not.
  var flags: [Bool]? {
    guard let size = elementType.byteCount else { return nil }
    let flags = (0..<count).compactMap { index -> Bool? in
      switch elementType.value(at: start + index * size, of: file) {
      case .boolean(let flag)?: flag
      case let value?: value.integer.map { $0 != 0 }
      case nil: nil
      }
    }
    return flags.count == count ? flags : nil
  }

  /// Each as the nearest Float.
  var floats: [Float]? {
    guard let size = elementType.byteCount else { return nil }
    let values = (0..<count).compactMap { elementType.value(at: start + $0 * size, of: file)?.number.map { Float($0) } }
    return values.count == count ? values : nil
  }

  var integers: [Int]? {
    guard let size = elementType.byteCount else { return nil }
    let values = (0..<count).compactMap { elementType.value(at: start + $0 * size, of: file)?.integer }
    return values.count == count ? values : nil
  }
}

/// The types of a GGUF file's metadata, by their numbers in the file.
enum GGUFValueType: UInt32 {
  case uint8 = 0
  case int8, uint16, int16, uint32, int32, float32, boolean, string, array, uint64, int64, float64

  var name: String { "\(self)" }

  /// Bytes of a value; `nil` where that differs from value to value.
  var byteCount: Int? {
    switch self {
    case .uint8, .int8, .boolean: 1
    case .uint16, .int16: 2
    case .uint32, .int32, .float32: 4
    case .uint64, .int64, .float64: 8
    case .string, .array: nil
    }
  }

  private var leastByteCount: Int { byteCount ?? (self == .string ? 8 : 12) }

  /// The value at a byte that lies, with the rest of it, inside the file; `nil` for types of no fixed size.
  fileprivate func value(at offset: Int, of file: MappedFile) -> GGUFValue? {
    switch self {
    case .uint8: .unsigned(UInt64(file.number(at: offset) as UInt8))
    case .uint16: .unsigned(UInt64(file.number(at: offset) as UInt16))
    case .uint32: .unsigned(UInt64(file.number(at: offset) as UInt32))
    case .uint64: .unsigned(file.number(at: offset))
    case .int8: .signed(Int64(file.number(at: offset) as Int8))
    case .int16: .signed(Int64(file.number(at: offset) as Int16))
    case .int32: .signed(Int64(file.number(at: offset) as Int32))
    case .int64: .signed(file.number(at: offset))
    case .float32: .float32(Float(bitPattern: file.number(at: offset)))
    case .float64: .float64(Double(bitPattern: file.number(at: offset)))
    case .boolean: .boolean(file.number(at: offset) as UInt8 != 0)
    case .string, .array: nil
    }
  }

  func read(_ cursor: inout GGUFCursor, key: String) throws(ModelFileError) -> GGUFValue {
    switch self {
    case .string: return .string(cursor.file.text(in: try cursor.string("the value of '\(key)'")))
    case .array: return .array(try Self.readArray(&cursor, key: key))
    default:
      let place = try cursor.take(byteCount ?? 0, "the value of '\(key)'")
      return value(at: place.lowerBound, of: cursor.file) ?? .unsigned(0)
    }
  }

  private static func readArray(_ cursor: inout GGUFCursor, key: String) throws(ModelFileError) -> GGUFArray {
    let number = try cursor.number(UInt32.self, "the element type of '\(key)'")
    guard let type = GGUFValueType(rawValue: number), type != .array else {
      throw ModelFileError(
        cursor.file.path,
        "'\(key)' is a list of \(number == GGUFValueType.array.rawValue ? "lists" : "the unknown type \(number)"); expected the types 0 to 12 other than 9"
      )
    }
    let count = try cursor.count(ofSize: type.leastByteCount, "the length of '\(key)'")
    let start = cursor.offset
    if let size = type.byteCount {
      _ = try cursor.take(count * size, "the list '\(key)'")
    } else {
      for index in 0..<count { _ = try cursor.string("'\(key)'[\(index)]") }
    }
    return GGUFArray(elementType: type, count: count, start: start, file: cursor.file)
  }
}
