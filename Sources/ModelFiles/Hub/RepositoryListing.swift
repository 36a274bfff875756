/// The hub's description of a repository at a commit.
struct RepositoryListing: Decodable {
  let sha: String
  let siblings: [Sibling]

  struct Sibling: Decodable {
    struct LargeFile: Decodable {
      let sha256: String
      let size: Int
    }

    let rfilename: String
    let size: Int?
    let blobId: String?
    /// Present when the file is stored outside git, and then its checksum is a SHA-256.
    let lfs: LargeFile?

    /// The file, if its name stays within the snapshot and its size and checksum are known.
    func checked() throws(HubError) -> HubFile {
      let parts = rfilename.split(separator: "/", omittingEmptySubsequences: false)
      guard !rfilename.isEmpty, !rfilename.contains("\0"), !rfilename.contains("\\"),
        parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." })
      else { throw HubError("the hub lists the file name '\(rfilename)', which leads out of the model's folder") }
      if let lfs {
        try Self.check(lfs.size, of: rfilename)
        return HubFile(name: rfilename, size: lfs.size, checksum: .sha256(try Self.hex(lfs.sha256, 64, of: rfilename)))
      }
      guard let blobId, let size else {
        throw HubError("the hub lists '\(rfilename)' without size and checksum")
      }
      try Self.check(size, of: rfilename)
      return HubFile(name: rfilename, size: size, checksum: .gitBlob(try Self.hex(blobId, 40, of: rfilename)))
    }

    /// Largest file that a listing may claim: a petabyte, so that no sum of sizes overflows.
    private static let sizeLimit = 1 << 50

    private static func check(_ size: Int, of name: String) throws(HubError) {
      guard (0...sizeLimit).contains(size) else {
        throw HubError("the hub lists '\(name)' with \(size) bytes; expected 0 to \(sizeLimit)")
      }
    }

    private static func hex(_ text: String, _ length: Int, of name: String) throws(HubError) -> String {
      guard text.count == length, text.allSatisfy({ $0.isASCII && $0.isHexDigit }) else {
        throw HubError("the hub lists '\(name)' with the checksum '\(text)'; expected \(length) hexadecimal digits")
      }
      return text.lowercased()
    }
  }
}

struct HubFile: Sendable {
  enum Checksum: Sendable, Equatable {
    case sha256(String)
    /// SHA-1 of git's form of the file.
    case gitBlob(String)

    var text: String {
      switch self {
      case .sha256(let hex), .gitBlob(let hex): hex
      }
    }
  }

  let name: String
  let size: Int
  let checksum: Checksum

  /// Name in the cache's `blobs`, as other tools choose it.
  var blob: String { checksum.text }
}
