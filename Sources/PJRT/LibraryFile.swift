internal import Foundation

/// A library's file, looked at before the system maps it: of one that was cut off, mapped pages past the end would end the
/// process.
struct LibraryFile {
  let path: String

  /// Checks that an ELF file holds all that its program headers name; other formats are left to the system.
  ///
  /// - Throws: `PJRTError.notLoadable` with the sizes.
  func check() throws(PJRTError) {
    guard let file = FileHandle(forReadingAtPath: path), let size = try? file.seekToEnd(),
      let header = Self.read(file, at: 0, count: 64), header.starts(with: [0x7F, 0x45, 0x4C, 0x46, 2, 1])
    else { return }
    let table = Self.number(header, 32, 8)
    let (entrySize, count) = (Self.number(header, 54, 2), Self.number(header, 56, 2))
    guard entrySize >= 56, let entries = Self.read(file, at: table, count: Int(entrySize * count)) else {
      throw .notLoadable(path: path, reason: "the file is cut off within its headers, at \(size) bytes")
    }
    for index in 0..<Int(count) {
      let start = index * Int(entrySize)
      // The offset of a segment in the file, and its size there.
      let (end, overflow) = Self.number(entries, start + 8, 8)
        .addingReportingOverflow(Self.number(entries, start + 32, 8))
      guard !overflow, end <= size else {
        throw .notLoadable(path: path, reason: "the file is cut off: it has \(size) bytes of at least \(end)")
      }
    }
  }

  private static func read(_ file: FileHandle, at offset: UInt64, count: Int) -> [UInt8]? {
    // Foundation ends the process for offsets that the system's type does not hold.
    guard offset <= UInt64(Int64.max), (try? file.seek(toOffset: offset)) != nil,
      let data = try? file.read(upToCount: count), data.count == count
    else { return nil }
    return [UInt8](data)
  }

  private static func number(_ bytes: [UInt8], _ offset: Int, _ count: Int) -> UInt64 {
    bytes[offset..<offset + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
