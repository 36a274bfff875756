extension Collection where Element == String {
  /// The one that `name` was most likely meant to be; `nil` when none is like it.
  ///
  /// Case does not count. A letter too many, too few, another, or two in each other's place are one mistake each; names
  /// may have one for every three letters.
  package func nearest(to name: String) -> String? {
    let wanted = Array(name.lowercased())
    guard !wanted.isEmpty, wanted.count <= longestMisspeltName else { return nil }
    var best: (name: String, mistakes: Int)?
    for candidate in self where candidate != name {
      let letters = Array(candidate.lowercased())
      guard letters.count <= longestMisspeltName else { continue }
      let mistakes = mistakes(between: wanted, and: letters)
      if mistakes <= Swift.max(1, wanted.count / 3), mistakes < best?.mistakes ?? .max { best = (candidate, mistakes) }
    }
    return best?.name
  }
}

/// What is longer is not compared: the time grows with the product of the lengths.
private let longestMisspeltName = 256

/// Mistakes that lead from one text to the other: the optimal string alignment distance.
private func mistakes(between first: [Character], and second: [Character]) -> Int {
  var before: [Int] = []
  var above = Array(0...second.count)
  for row in first.indices {
    var current = [row + 1]
    for column in second.indices {
      var least = Swift.min(
        above[column + 1] + 1, current[column] + 1, above[column] + (first[row] == second[column] ? 0 : 1))
      if row > 0, column > 0, first[row] == second[column - 1], first[row - 1] == second[column] {
        least = Swift.min(least, before[column - 1] + 1)
      }
      current.append(least)
    }
    (before, above) = (above, current)
  }
  return above[second.count]
}
