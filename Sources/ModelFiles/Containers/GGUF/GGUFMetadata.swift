internal import Tensor

/// The keys and values of a GGUF file. A value is `nil` when there is no such key; errors name the file, the key, what it
/// holds and what was expected.
package struct GGUFMetadata: Sendable {
  /// The file.
  package let path: String
  /// In the file's order.
  package let keys: [String]
  private let values: [String: GGUFValue]

  init(_ cursor: inout GGUFCursor, count: Int) throws(ModelFileError) {
    path = cursor.file.path
    var keys: [String] = []
    var values: [String: GGUFValue] = [:]
    for index in 0..<count {
      let key = cursor.file.text(in: try cursor.string("key \(index)"))
      let number = try cursor.number(UInt32.self, "the type of '\(key)'")
      guard let type = GGUFValueType(rawValue: number) else {
        throw ModelFileError(path, "'\(key)' has the unknown type \(number); expected 0 to 12")
      }
      let value = try type.read(&cursor, key: key)
      guard values.updateValue(value, forKey: key) == nil else {
        throw ModelFileError(path, "the key '\(key)' stands twice in the metadata")
      }
      keys.append(key)
    }
    self.keys = keys
    self.values = values
  }

  package subscript(key: String) -> GGUFValue? { values[key] }

  func integer(_ key: String, in range: ClosedRange<Int>) throws(ModelFileError) -> Int? {
    guard let value = values[key] else { return nil }
    guard let number = value.integer, range.contains(number) else {
      throw wrong(key, value, expected: "a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  func required(_ key: String, in range: ClosedRange<Int>) throws(ModelFileError) -> Int {
    guard let value = try integer(key, in: range) else { throw ModelFileError(path, "lacks the key '\(key)'") }
    return value
  }

  func number(_ key: String, in range: ClosedRange<Double>) throws(ModelFileError) -> Double? {
    guard let value = values[key] else { return nil }
    guard let number = value.number, range.contains(number) else {
      throw wrong(key, value, expected: "a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  package func string(_ key: String) throws(ModelFileError) -> String? {
    guard let value = values[key] else { return nil }
    guard case .string(let text) = value else { throw wrong(key, value, expected: "a string") }
    return text
  }

  package func boolean(_ key: String) throws(ModelFileError) -> Bool? {
    guard let value = values[key] else { return nil }
    guard case .boolean(let flag) = value else { throw wrong(key, value, expected: "true or false") }
    return flag
  }

  package func token(_ key: String) throws(ModelFileError) -> Int? { try integer(key, in: 0...Int(Int32.max)) }

  package func strings(_ key: String) throws(ModelFileError) -> [[UInt8]]? {
    guard let value = values[key] else { return nil }
    guard case .array(let list) = value, let strings = list.strings else {
      throw wrong(key, value, expected: "a list of strings")
    }
    return strings
  }

  package func integers(_ key: String) throws(ModelFileError) -> [Int]? {
    guard let value = values[key] else { return nil }
    guard case .array(let list) = value, let numbers = list.integers else {
      throw wrong(key, value, expected: "a list of whole numbers")
    }
    return numbers
  }

  private func wrong(_ key: String, _ value: GGUFValue, expected: String) -> ModelFileError {
    ModelFileError(path, "\(key) is \(value); expected \(expected)")
  }
}
