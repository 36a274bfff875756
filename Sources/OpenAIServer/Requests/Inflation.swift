internal import CForetokenZlib

/// Unfolds what clients have compressed, up to a bound: a few bytes can stand for any number.
enum Inflation {
  /// The encodings that are understood, as the header `Accept-Encoding` names them.
  static let encodings = "gzip, deflate"

  /// Why bytes could not be unfolded.
  enum Failure: Error, Equatable {
    /// They stand for more than the bound.
    case tooLarge
    /// They are damaged, incomplete, or something else.
    case malformed
  }

  /// What `bytes` stand for, in the formats gzip (RFC 1952) or zlib (RFC 1950), or without a frame (RFC 1951), as some
  /// clients write what HTTP calls deflate.
  ///
  /// - Parameter limit: most bytes of the result.
  static func inflate(_ bytes: [UInt8], limit: Int) throws(Failure) -> [UInt8] {
    do { return try run(bytes, windowBits: 15 + 32, limit: limit) } catch {
      guard error == .malformed, bytes.first != 0x1F else { throw error }
      return try run(bytes, windowBits: -15, limit: limit)
    }
  }

  private static func run(_ bytes: [UInt8], windowBits: Int32, limit: Int) throws(Failure) -> [UInt8] {
    var stream = unsafe z_stream()
    let size = unsafe Int32(MemoryLayout<z_stream>.size)
    guard unsafe inflateInit2_(&stream, windowBits, ZLIB_VERSION, size) == Z_OK else { throw .malformed }
    defer { unsafe inflateEnd(&stream) }
    var input = bytes
    var output: [UInt8] = []
    var piece = Array(repeating: UInt8(0), count: 64 << 10)
    var (status, isTooLarge) = (Z_OK, false)
    unsafe input.withUnsafeMutableBufferPointer { input in
      unsafe (stream.next_in, stream.avail_in) = (input.baseAddress, UInt32(clamping: input.count))
      while status == Z_OK, !isTooLarge {
        let written = unsafe piece.withUnsafeMutableBufferPointer { room -> Int in
          unsafe (stream.next_out, stream.avail_out) = (room.baseAddress, UInt32(clamping: room.count))
          status = unsafe CForetokenZlib.inflate(&stream, Z_NO_FLUSH)
          return room.count - Int(unsafe stream.avail_out)
        }
        output += piece[..<written]
        isTooLarge = output.count > limit
      }
    }
    if isTooLarge { throw .tooLarge }
    guard status == Z_STREAM_END else { throw .malformed }
    return output
  }
}
