internal import Tensor

/// One file of a model: its metadata, and the table of its tensors.
///
/// Layout: "GGUF", version, numbers of tensors and of keys; the keys with their values; name, extents, type and place of
/// each tensor; and, from the next aligned byte on, the tensors.
struct GGUFPart {
  let path: String
  let metadata: GGUFMetadata
  let tensors: [StoredTensor]

  private static let versions: ClosedRange<UInt32> = 2...3
  /// The most that ggml has.
  private static let dimensionLimit = 4
  /// A name's length, the number of extents, a type and a place.
  private static let leastTensorBytes = 24
  /// A key's length, a type and a byte.
  private static let leastKeyBytes = 13

  init(path: String) throws(ModelFileError) {
    let file = try MappedFile(modelFile: path)
    var cursor = GGUFCursor(file)
    let magic = file.bytes(in: try cursor.take(4, "the four bytes that name the format"))
    guard magic == Array("GGUF".utf8) else {
      throw ModelFileError(path, "begins with \(magic); expected 'GGUF' (\(Array("GGUF".utf8)))")
    }
    let version = try cursor.number(UInt32.self, "the version")
    guard Self.versions.contains(version) else {
      let isSwapped = Self.versions.contains(version.byteSwapped)
      throw ModelFileError(
        path, isSwapped ? "is big-endian; expected little-endian" : "has version \(version); supported are 2 and 3")
    }
    let tensorCount = try cursor.count(ofSize: Self.leastTensorBytes, "the number of tensors")
    let keyCount = try cursor.count(ofSize: Self.leastKeyBytes, "the number of keys")
    metadata = try GGUFMetadata(&cursor, count: keyCount)
    let alignment = try metadata.integer("general.alignment", in: 1...1 << 20) ?? 32
    guard alignment.nonzeroBitCount == 1 else {
      throw ModelFileError(path, "general.alignment is \(alignment); expected a power of two")
    }
    var entries: [Entry] = []
    for index in 0..<tensorCount { entries.append(try Entry(&cursor, index: index)) }
    cursor.align(to: alignment)
    self.path = path
    let start = cursor.offset
    tensors = try Self.placed(entries, start: start, alignment: alignment, file: file)
  }

  /// A tensor as the table has it.
  private struct Entry {
    let name: String
    let shape: [Int]
    let type: GGUFTensorType
    let byteCount: Int
    /// From where the tensors begin.
    let offset: UInt64

    init(_ cursor: inout GGUFCursor, index: Int) throws(ModelFileError) {
      let path = cursor.file.path
      let name = cursor.file.text(in: try cursor.string("the name of tensor \(index)"))
      let dimensions = try cursor.number(UInt32.self, "the number of extents of '\(name)'")
      guard dimensions <= GGUFPart.dimensionLimit else {
        throw ModelFileError(
          path, "tensor '\(name)' has \(dimensions) extents; expected at most \(GGUFPart.dimensionLimit)")
      }
      var extents: [UInt64] = []
      for _ in 0..<dimensions { extents.append(try cursor.number(UInt64.self, "the extents of '\(name)'")) }
      let number = try cursor.number(UInt32.self, "the type of '\(name)'")
      guard let type = GGUFTensorType(number) else {
        throw ModelFileError(path, "tensor '\(name)' has the unknown type \(number)")
      }
      let shape = extents.reversed().compactMap { Int(exactly: $0) }
      guard shape.count == extents.count, let byteCount = type.byteCount(ofShape: shape) else {
        throw ModelFileError(
          path,
          "tensor '\(name)' has the impossible shape \(Array(extents.reversed())) for \(type.name), whose rows are of whole blocks of \(type.blockLength)"
        )
      }
      (self.name, self.shape, self.type, self.byteCount) = (name, shape, type, byteCount)
      offset = try cursor.number(UInt64.self, "the place of '\(name)'")
    }
  }

  private static func placed(
    _ entries: [Entry], start: Int, alignment: Int, file: MappedFile
  ) throws(ModelFileError) -> [StoredTensor] {
    let space = max(file.byteCount - start, 0)
    var tensors: [StoredTensor] = []
    for entry in entries {
      guard entry.offset <= space, entry.byteCount <= space - Int(entry.offset) else {
        throw ModelFileError(
          file.path,
          "tensor '\(entry.name)' takes \(entry.byteCount) bytes from byte \(entry.offset) on, and there are \(space) for tensors: the file is truncated"
        )
      }
      guard entry.offset % UInt64(alignment) == 0 else {
        throw ModelFileError(
          file.path, "tensor '\(entry.name)' begins at byte \(entry.offset), which is no multiple of \(alignment)")
      }
      let first = start + Int(entry.offset)
      tensors.append(
        StoredTensor(
          name: entry.name, elementType: entry.type.name, shape: entry.shape,
          byteRange: first..<first + entry.byteCount, file: file))
    }
    let ordered = tensors.filter { !$0.byteRange.isEmpty }.sorted { $0.byteRange.lowerBound < $1.byteRange.lowerBound }
    for (one, next) in zip(ordered, ordered.dropFirst()) where one.byteRange.upperBound > next.byteRange.lowerBound {
      throw ModelFileError(file.path, "the tensors '\(one.name)' and '\(next.name)' overlap")
    }
    return tensors
  }
}
