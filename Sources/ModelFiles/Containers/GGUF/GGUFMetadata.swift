internal import Tensor

/// The keys and values of a GGUF file. A value is `nil` when there is no such key; errors name the file, the key, what it
/// holds and what was expected.
package struct GGUFMetadata: Sendable {
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
    try read(key, expecting: "a whole number from \(range.lowerBound) to \(range.upperBound)") { value in
      value.integer.flatMap { range.contains($0) ? $0 : nil }
    }
  }

  func required(_ key: String, in range: ClosedRange<Int>) throws(ModelFileError) -> Int {
    guard let value = try integer(key, in: range) else { throw ModelFileError(path, "lacks the key '\(key)'") }
    return value
  }

  func number(_ key: String, in range: ClosedRange<Double>) throws(ModelFileError) -> Double? {
    try read(key, expecting: "a number from \(range.lowerBound) to \(range.upperBound)") { value in
      value.number.flatMap { range.contains($0) ? $0 : nil }
    }
  }

  package func string(_ key: String) throws(ModelFileError) -> String? {
    try read(key, expecting: "a string") { if case .string(let text) = $0 { text } else { nil } }
  }

  package func boolean(_ key: String) throws(ModelFileError) -> Bool? {
    try read(key, expecting: "true or false") { if case .boolean(let flag) = $0 { flag } else { nil } }
  }

  package func token(_ key: String) throws(ModelFileError) -> Int? { try integer(key, in: 0...Int(Int32.max)) }

  /// The bytes of each.
  package func strings(_ key: String) throws(ModelFileError) -> [[UInt8]]? {
    try read(key, expecting: "a list of strings") { if case .array(let list) = $0 { list.strings } else { nil } }
  }

  package func floats(_ key: String) throws(ModelFileError) -> [Float]? {
    try read(key, expecting: "a list of numbers") { if case .array(let list) = $0 { list.floats } else { nil } }
  }

  package func integers(_ key: String) throws(ModelFileError) -> [Int]? {
    try read(key, expecting: "a list of whole numbers") {
      if case .array(let list) = $0 { list.integers } else { nil }
    }
  }

  /// A list of what is so and what is not; `nil` where the key has a single value.
  func flags(_ key: String) throws(ModelFileError) -> [Bool]? {
    guard case .array(let list)? = values[key] else { return nil }
    guard let flags = list.flags else {
      throw ModelFileError(path, "\(key) is a \(GGUFValue.array(list)); expected a list of true and false")
    }
    return flags
  }

  private func read<Value>(
    _ key: String, expecting expected: @autoclosure () -> String, _ convert: (GGUFValue) -> Value?
  ) throws(ModelFileError) -> Value? {
    guard let value = values[key] else { return nil }
    guard let found = convert(value) else {
      throw ModelFileError(path, "\(key) is \(value); expected \(expected())")
    }
    return found
  }
}
