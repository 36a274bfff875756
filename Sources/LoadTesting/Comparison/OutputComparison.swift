/// Whether two sides gave the same answers, and where the first two that differ part.
struct OutputComparison {
  /// Characters shown before and after the place.
  private static let context = 40

  private(set) var compared = 0
  private(set) var equal = 0
  private(set) var firstDifference: ServingComparisonResult.Difference?

  init() {}

  var result: ServingComparisonResult.Outputs {
    ServingComparisonResult.Outputs(compared: compared, equal: equal, firstDifference: firstDifference)
  }

  mutating func add(_ a: RequestRecord, _ b: RequestRecord, number: Int, prompt: String) {
    guard a.isComplete, b.isComplete else { return }
    compared += 1
    // Code points: Swift's == takes canonically equivalent texts for equal.
    guard !a.text.unicodeScalars.elementsEqual(b.text.unicodeScalars) else {
      equal += 1
      return
    }
    guard firstDifference == nil else { return }
    let (left, right) = (Array(a.text.unicodeScalars), Array(b.text.unicodeScalars))
    let position = zip(left, right).prefix { $0 == $1 }.count
    firstDifference = ServingComparisonResult.Difference(
      request: number, category: a.category, prompt: prompt, position: position,
      a: Self.excerpt(left, at: position), b: Self.excerpt(right, at: position))
  }

  mutating func add(_ other: OutputComparison) {
    compared += other.compared
    equal += other.equal
    firstDifference = firstDifference ?? other.firstDifference
  }

  private static func excerpt(_ text: [Unicode.Scalar], at position: Int) -> String {
    let start = max(position - context, 0)
    let end = min(position + context, text.count)
    var excerpt = String.UnicodeScalarView()
    excerpt.append(contentsOf: text[start..<end])
    return (start > 0 ? "…" : "") + String(excerpt) + (end < text.count ? "…" : "")
  }
}
