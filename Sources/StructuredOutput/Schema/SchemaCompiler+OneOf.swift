internal import JSON

/// A `oneOf`, whose branches must not have a value in common.
struct OneOf: Hashable {
  let pointer: String
  /// The alternatives of each branch.
  let branches: [[[Int]]]
  /// Parts that hold for the value besides, ascending; they may be what tells the branches apart.
  var certain: [Int]
}

extension SchemaCompiler {
  /// An alternative of one branch of a `oneOf`.
  private struct Option {
    let branch: Int
    let parts: [Int]
  }

  /// Two of them, the earlier one first.
  private struct Pair: Hashable {
    let first: Int
    let second: Int
  }

  /// Required properties that are looked at for constants that tell alternatives apart.
  private static let discriminators = 8

  /// Two branches for which one value might be valid.
  mutating func collision(in union: OneOf) throws(ConstraintError) -> (Int, Int)? {
    let options = union.branches.enumerated().flatMap { branch in
      branch.element.map { Option(branch: branch.offset, parts: Self.union(union.certain, $0)) }
    }
    guard options.count <= Self.maximumAlternatives else {
      throw ConstraintError(path: union.pointer, message: "has more than \(Self.maximumAlternatives) alternatives")
    }
    let (told, colliding) = try toldApart(options)
    for first in options.indices {
      for second in options.indices.dropFirst(first + 1) where options[first].branch != options[second].branch {
        if told.contains(first), told.contains(second), !colliding.contains(Pair(first: first, second: second)) {
          continue
        }
        guard try areDisjoint(options[first].parts, options[second].parts, depth: 0) else {
          return (options[first].branch, options[second].branch)
        }
      }
    }
    return nil
  }

  /// The options that one thing tells apart by its constants, which most unions have: the value itself, or a property
  /// that all of them require; and the pairs of them that share a constant.
  private mutating func toldApart(_ options: [Option]) throws(ConstraintError) -> (Set<Int>, Set<Pair>) {
    // The value itself has the name `nil`.
    var found: [String?: [Int: [CanonicalValue]]] = [:]
    var names: [String?] = []
    func note(_ name: String?, _ option: Int, _ constants: [JSONValue]) {
      if found[name] == nil { names.append(name) }
      found[name, default: [:]][option] = constants.map(CanonicalValue.init)
    }
    for (index, option) in options.enumerated() {
      if let constants = try constants(of: option.parts) {
        note(nil, index, constants)
        continue
      }
      guard try types(of: option.parts) == .object else { continue }
      for name in try required(in: option.parts).prefix(Self.discriminators) {
        if let constants = try constants(ofProperty: name, in: option.parts) { note(name, index, constants) }
      }
    }
    guard let best = names.max(by: { found[$0]?.count ?? 0 < found[$1]?.count ?? 0 }), let told = found[best] else {
      return ([], [])
    }
    var users: [CanonicalValue: [Int]] = [:]
    for (option, constants) in told { for constant in Set(constants) { users[constant, default: []].append(option) } }
    var colliding: Set<Pair> = []
    for options in users.values where options.count > 1 {
      for first in options {
        for second in options where first < second { colliding.insert(Pair(first: first, second: second)) }
      }
    }
    return (Set(told.keys), colliding)
  }

  /// The constants that are left for a property; `nil` where it may be something else.
  private mutating func constants(ofProperty name: String, in parts: [Int]) throws(ConstraintError) -> [JSONValue]? {
    var all: [JSONValue] = []
    for alternative in try alternatives(ofProperty: name, in: parts) {
      guard let own = try constants(of: alternative) else { return nil }
      all += own
    }
    return all
  }

  /// Whether it is certain that no value is valid for all parts of both lists.
  private mutating func areDisjoint(_ left: [Int], _ right: [Int], depth: Int) throws(ConstraintError) -> Bool {
    try spend(4, at: left.first ?? right.first ?? 0)
    let (leftTypes, rightTypes) = (try types(of: left), try types(of: right))
    let common = leftTypes.intersection(rightTypes)
    if common.isEmpty { return true }
    for (own, others) in [(left, right), (right, left)] {
      guard let constants = try constants(of: own) else { continue }
      for constant in constants where try isValid(constant, for: others) { return false }
      return true
    }
    if common.isSubset(of: .number) {
      let (low, high) = (try range(of: left), try range(of: right))
      for (first, second) in [(low, high), (high, low)] {
        if let upper = first.upper, let lower = second.lower {
          if upper.value < lower.value { return true }
          if upper.value == lower.value, upper.isExclusive || lower.isExclusive { return true }
        }
      }
    }
    guard common == .object, depth < 3 else { return false }
    for (own, others) in [(left, right), (right, left)] {
      for name in try required(in: own) {
        let mine = try alternatives(ofProperty: name, in: own)
        let theirs = try alternatives(ofProperty: name, in: others)
        var isDistinct = true
        for first in mine {
          for second in theirs where isDistinct {
            isDistinct = try areDisjoint(first, second, depth: depth + 1)
          }
        }
        if isDistinct { return true }
      }
    }
    return false
  }

  /// What the parts say about a property, as alternatives; none when they forbid it.
  private mutating func alternatives(ofProperty name: String, in parts: [Int]) throws(ConstraintError) -> [[Int]] {
    let key = SchemaFacts.Property(name: name, parts: parts)
    if let known = facts.properties[key] { return known }
    // Its own `oneOf`s are looked at where it is compiled.
    var unions: Set<OneOf> = []
    let alternatives = try join(try propertyParts(name, in: parts), &unions)
    facts.properties[key] = alternatives
    return alternatives
  }
}
