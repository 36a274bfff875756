import ModelFiles
import Testing

@Suite struct DigestTests {
  @Test(
    "digests are those of the standards, however the bytes are cut",
    arguments: [
      (
        0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709"
      ),
      (
        3, "ae4b3280e56e2faf83f414a6e3dabe9d5fbe18976544c05fed121accb85b53fc",
        "0c7a623fd2bbc05b06423be359e4021d36e721ad"
      ),
      (
        55, "463eb28e72f82e0a96c0a4cc53690c571281131f672aa229e0d45ae59b598b59",
        "8ae2d46729cfe68ff927af5eec9c7d1b66d65ac2"
      ),
      (
        56, "da2ae4d6b36748f2a318f23e7ab1dfdf45acdc9d049bd80e59de82a60895f562",
        "636e2ec698dac903498e648bd2f3af641d3c88cb"
      ),
      (
        63, "29af2686fd53374a36b0846694cc342177e428d1647515f078784d69cdb9e488",
        "6d942da0c4392b123528f2905c713a3ce28364bd"
      ),
      (
        64, "fdeab9acf3710362bd2658cdc9a29e8f9c757fcf9811603a8c447cd1d9151108",
        "c6138d514ffa2135bfce0ed0b8fac65669917ec7"
      ),
      (
        65, "4bfd2c8b6f1eec7a2afeb48b934ee4b2694182027e6d0fc075074f2fabb31781",
        "69bd728ad6e13cd76ff19751fde427b00e395746"
      ),
      (
        119, "da18797ed7c3a777f0847f429724a2d8cd5138e6ed2895c3fa1a6d39d18f7ec6",
        "41c89d06001bab4ab78736b44efe7ce18ce6ae08"
      ),
      (
        120, "f52b23db1fbb6ded89ef42a23ce0c8922c45f25c50b568a93bf1c075420bbb7c",
        "d3dbd653bd8597b7475321b60a36891278e6a04a"
      ),
      (
        4097, "1e973d029df2b2c66cb42a942c5edb45966f02abaff29fe99410e44d271d0efc",
        "c627e736efd8bb0dff1778335c9c79cb1f27e396"
      ),
    ])
  func standards(count: Int, sha256: String, sha1: String) {
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
    for size in [1, 7, 63, 64, 65, 1000] {
      for (kind, expected) in [(Digest.Kind.sha256, sha256), (.sha1, sha1)] {
        let digest = Digest(kind)
        for first in stride(from: 0, to: count, by: size) {
          digest.add(Array(bytes[first..<min(first + size, count)]))
        }
        #expect(digest.hexadecimal() == expected, "\(count) bytes, \(size) at a time")
      }
    }
  }
}
