internal import Foundation
internal import JSON
internal import Tensor

/// Reads the JSON files of a model directory.
enum JSONFile {
  /// No description file of a model comes near this.
  private static let byteLimit = 256 << 20

  static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

  static func decode<Value: Decodable>(_ type: Value.Type, at path: String) throws(ModelFileError) -> Value {
    let file = try MappedFile(modelFile: path)
    guard file.byteCount <= byteLimit else {
      throw ModelFileError(path, "has \(file.byteCount) bytes; expected at most \(byteLimit)")
    }
    return try decode(type, from: try file.read(0..<file.byteCount), path: path)
  }

  /// Decodes `data`, which came from the file at `path`.
  static func decode<Value: Decodable>(
    _ type: Value.Type, from data: Data, path: String
  ) throws(ModelFileError) -> Value {
    do {
      return try JSONDecoder().decode(type, from: data)
    } catch let error as DecodingError {
      throw ModelFileError(path, error.sentence)
    } catch {
      throw ModelFileError(path, "is not valid JSON")
    }
  }
}

extension MappedFile {
  convenience init(modelFile path: String) throws(ModelFileError) {
    do { try self.init(path: path) } catch { throw ModelFileError(path, error.description) }
  }

  /// The bytes of a range that lies inside the file, read and not mapped: the file may be cut short meanwhile.
  func read(_ range: Range<Int>) throws(ModelFileError) -> Data {
    guard !range.isEmpty else { return Data() }
    do {
      return try copy(of: [range]).withBytes(in: 0..<range.count) { Data($0.byteArray) } ?? Data()
    } catch { throw ModelFileError(path, "\(error)") }
  }
}

extension RawSpan {
  var byteArray: [UInt8] { byteOffsets.map { unsafe unsafeLoad(fromUncheckedByteOffset: $0, as: UInt8.self) } }
}
