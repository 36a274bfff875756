/// Finds some texts in a text that comes byte by byte, in time linear in its length however the texts are made (Aho and
/// Corasick 1975, "Efficient string matching").
struct StopMatcher: Sendable {
  /// The texts sought.
  let texts: [String]
  /// Bytes that have come.
  private(set) var position = 0
  private var nodes = [Node()]
  private var state = 0

  /// An occurrence of text `stop`.
  struct Match {
    let begin: Int
    let end: Int
    let stop: Int
  }

  /// A beginning of texts. Children form a list: there are no more of them than texts.
  private struct Node {
    var byte: UInt8 = 0
    var depth = 0
    var firstChild = -1
    var nextSibling = -1
    /// The longest end of this beginning that is a beginning too.
    var fallback = 0
    /// The text that this is; of equal ones the first.
    var stop = -1
    /// The next node down the fallbacks that is a whole text.
    var shorterStop = -1
  }

  init(_ texts: [String]) {
    self.texts = texts
    for (index, text) in texts.enumerated() { insert(text, index) }
    linkFallbacks()
  }

  var isEmpty: Bool { texts.isEmpty }

  private mutating func insert(_ text: String, _ index: Int) {
    var node = 0
    for byte in text.utf8 {
      if let child = child(of: node, byte) {
        node = child
        continue
      }
      nodes.append(Node(byte: byte, depth: nodes[node].depth + 1, nextSibling: nodes[node].firstChild))
      nodes[node].firstChild = nodes.count - 1
      node = nodes.count - 1
    }
    if nodes[node].stop < 0 { nodes[node].stop = index }
  }

  /// Breadth first, so that shorter beginnings are linked before longer ones.
  private mutating func linkFallbacks() {
    var queue = [0]
    var next = 0
    while next < queue.count {
      let parent = queue[next]
      next += 1
      var child = nodes[parent].firstChild
      while child >= 0 {
        queue.append(child)
        if parent != 0 {
          let fallback = target(from: nodes[parent].fallback, nodes[child].byte)
          nodes[child].fallback = fallback
          nodes[child].shorterStop = nodes[fallback].stop >= 0 ? fallback : nodes[fallback].shorterStop
        }
        child = nodes[child].nextSibling
      }
    }
  }

  private func child(of node: Int, _ byte: UInt8) -> Int? {
    var child = nodes[node].firstChild
    while child >= 0, nodes[child].byte != byte { child = nodes[child].nextSibling }
    return child < 0 ? nil : child
  }

  private func target(from node: Int, _ byte: UInt8) -> Int {
    var node = node
    while true {
      if let child = child(of: node, byte) { return child }
      if node == 0 { return 0 }
      node = nodes[node].fallback
    }
  }

  /// Follows `byte`, and reports every text that ends with it.
  mutating func advance(by byte: UInt8, _ report: (Match) -> Void) {
    position += 1
    state = target(from: state, byte)
    var node = nodes[state].stop >= 0 ? state : nodes[state].shorterStop
    while node >= 0 {
      report(Match(begin: position - nodes[node].depth, end: position, stop: nodes[node].stop))
      node = nodes[node].shorterStop
    }
  }

  /// Bytes at the end that may be the beginning of a text that goes on.
  mutating func settle() -> Int {
    while state != 0, nodes[state].firstChild < 0 { state = nodes[state].fallback }
    return nodes[state].depth
  }
}
