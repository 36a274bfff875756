internal import Foundation
internal import Tensor

/// The head of a safetensors file: which tensors lie where.
///
/// Format: a length (8 bytes, little-endian), that many bytes of JSON, then the tensors without gaps.
/// Source: the safetensors format description (Hugging Face).
struct SafetensorsHeader {
  /// In the order of their bytes.
  let tensors: [StoredTensor]

  /// The format's own limit.
  private static let headerLimit = 100_000_000
  private static let bitsPerElement = [
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U64": 64, "U32": 32,
    "U16": 16, "U8": 8, "BOOL": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "C64": 64,
  ]

  init(of file: MappedFile) throws(ModelFileError) {
    let path = file.path
    guard file.byteCount >= 8, let length = file.withBytes(in: 0..<8, Self.length) else {
      throw ModelFileError(
        path, "has \(file.byteCount) bytes; a safetensors file begins with 8 for its header's length")
    }
    guard length <= Self.headerLimit else {
      throw ModelFileError(path, "claims a header of \(length) bytes; expected at most \(Self.headerLimit)")
    }
    let start = 8 + Int(length)
    guard start <= file.byteCount else {
      throw ModelFileError(
        path, "claims a header of \(length) bytes, and only \(file.byteCount - 8) follow: the file is truncated")
    }
    let json = try file.read(8..<start)
    let members = try JSONFile.decode(Members.self, from: json, path: path)
    let memberCount = Self.memberCount(json)
    guard memberCount == members.count else {
      throw ModelFileError(path, "has \(memberCount) names in its header, of which only \(members.count) differ")
    }
    var tensors: [StoredTensor] = []
    for (name, entry) in members.tensors { tensors.append(try Self.tensor(name, entry, dataStart: start, of: file)) }
    tensors.sort {
      ($0.byteRange.lowerBound, $0.byteRange.upperBound) < ($1.byteRange.lowerBound, $1.byteRange.upperBound)
    }
    try Self.checkLayout(tensors, dataStart: start, of: file)
    self.tensors = tensors
  }

  /// Members of the outermost object of a valid JSON text, repeated names included: the decoder keeps one of each.
  private static func memberCount(_ json: Data) -> Int {
    var (depth, count, isInString, isEscaped) = (0, 0, false, false)
    for byte in json {
      if isInString {
        if isEscaped {
          isEscaped = false
        } else if byte == UInt8(ascii: "\\") {
          isEscaped = true
        } else if byte == UInt8(ascii: "\"") {
          isInString = false
        }
        continue
      }
      switch byte {
      case UInt8(ascii: "\""): isInString = true
      case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
      case UInt8(ascii: ":") where depth == 1: count += 1
      default: break
      }
    }
    return count
  }

  private static func length(_ bytes: RawSpan) -> UInt64 {
    bytes.byteArray.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  private static func tensor(
    _ name: String, _ raw: RawEntry, dataStart: Int, of file: MappedFile
  ) throws(ModelFileError) -> StoredTensor {
    let (path, byteCount) = (file.path, file.byteCount)
    guard let bits = bitsPerElement[raw.dtype] else {
      throw ModelFileError(
        path,
        "tensor '\(name)' has the unknown dtype '\(raw.dtype)'; known are \(bitsPerElement.keys.sorted().joined(separator: ", "))"
      )
    }
    guard raw.data_offsets.count == 2, raw.data_offsets[0] >= 0, raw.data_offsets[0] <= raw.data_offsets[1],
      raw.data_offsets[1] <= byteCount - dataStart
    else {
      throw ModelFileError(
        path,
        "tensor '\(name)' has data_offsets \(raw.data_offsets); expected begin ≤ end ≤ \(byteCount - dataStart), the bytes that the file has"
      )
    }
    var size = bits / 8
    for extent in raw.shape {
      let (product, overflow) = size.multipliedReportingOverflow(by: extent)
      guard extent >= 0, !overflow else {
        throw ModelFileError(path, "tensor '\(name)' has the impossible shape \(raw.shape)")
      }
      size = product
    }
    let length = raw.data_offsets[1] - raw.data_offsets[0]
    guard size == length else {
      throw ModelFileError(
        path,
        "tensor '\(name)' of shape \(raw.shape) and dtype \(raw.dtype) needs \(size) bytes, and its data_offsets span \(length)"
      )
    }
    return StoredTensor(
      name: name, elementType: raw.dtype, shape: raw.shape,
      byteRange: dataStart + raw.data_offsets[0]..<dataStart + raw.data_offsets[1], file: file)
  }

  private static func checkLayout(
    _ tensors: [StoredTensor], dataStart: Int, of file: MappedFile
  ) throws(ModelFileError) {
    let path = file.path
    var end = dataStart
    for tensor in tensors {
      guard tensor.byteRange.lowerBound >= end else {
        throw ModelFileError(
          path,
          "tensor '\(tensor.name)' begins at byte \(tensor.byteRange.lowerBound - dataStart), before the one ahead of it ends at \(end - dataStart): they overlap"
        )
      }
      guard tensor.byteRange.lowerBound == end else {
        throw ModelFileError(
          path,
          "bytes \(end - dataStart) to \(tensor.byteRange.lowerBound - dataStart) belong to no tensor: the file is damaged"
        )
      }
      end = tensor.byteRange.upperBound
    }
    guard end == file.byteCount else {
      throw ModelFileError(path, "\(file.byteCount - end) bytes follow the last tensor: the file is damaged")
    }
  }

  private struct RawEntry: Decodable {
    let dtype: String
    let shape: [Int]
    let data_offsets: [Int]
  }

  /// The tensors of the header; `__metadata__` is text for people.
  private struct Members: Decodable {
    let tensors: [(name: String, entry: RawEntry)]
    /// Tensors and text for people.
    let count: Int

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: Name.self)
      count = container.allKeys.count
      tensors = try container.allKeys.filter { $0.stringValue != "__metadata__" }.map {
        ($0.stringValue, try container.decode(RawEntry.self, forKey: $0))
      }
    }

    struct Name: CodingKey {
      let stringValue: String
      var intValue: Int? { nil }
      init?(stringValue: String) { self.stringValue = stringValue }
      init?(intValue: Int) { nil }
    }
  }
}
