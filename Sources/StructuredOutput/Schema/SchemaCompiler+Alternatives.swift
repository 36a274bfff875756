internal import JSON
internal import Tokenization

/// Parts whose alternatives are known.
///
/// What a part comes to depends on the parts that are being resolved only where it leads back to them: it is kept for
/// good where it does not, and until they are resolved where it does. So each part is resolved about once, however many
/// references lead to it.
final class ResolvedParts {
  fileprivate struct Entry {
    let alternatives: [[Int]]
    /// Depths of the parts under way that the part leads back to.
    let loops: Set<Int>
    /// The `oneOf`s on the way, which are to be looked at together with what holds around the part.
    let unions: Set<OneOf>
  }

  fileprivate var entries: [Int: Entry] = [:]
  /// Parts under way, and how deep each lies.
  fileprivate var open: [Int: Int] = [:]
  /// Parts that hold whenever a part does.
  fileprivate var certain: [Int: [Int]] = [:]
  /// The `oneOf`s that are known to be told apart.
  fileprivate var disjoint: Set<OneOf> = []
  /// Parts to forget once the part at a depth is resolved.
  fileprivate var provisional: [Int: [Int]] = [:]
}

extension SchemaCompiler {
  private static let maximumReferenceDepth = 100

  /// The part as a list of alternatives, each an ascending list of parts whose own keywords hold together.
  mutating func alternatives(of part: Int) throws(ConstraintError) -> [[Int]] { try alternatives(of: [part]) }

  /// The same for parts that all hold.
  ///
  /// - Throws: `ConstraintError` also for a `oneOf` whose branches nothing tells apart.
  mutating func alternatives(of parts: [Int]) throws(ConstraintError) -> [[Int]] {
    var unions: Set<OneOf> = []
    let alternatives = try join(parts, &unions)
    guard !alternatives.isEmpty, !unions.isEmpty else { return alternatives }
    var around: [Int] = []
    for part in parts { around = Self.union(around, try certain(part)) }
    for union in unions.sorted(by: { ($0.pointer, $0.certain.count) < ($1.pointer, $1.certain.count) }) {
      try settle(union, beside: around)
    }
    return alternatives
  }

  /// The same, with the `oneOf`s on the way yet to be looked at.
  mutating func join(_ parts: [Int], _ unions: inout Set<OneOf>) throws(ConstraintError) -> [[Int]] {
    var loops: Set<Int> = []
    var alternatives: [[Int]] = [[]]
    for part in parts {
      alternatives = try product(
        alternatives, try resolve(part, &loops, &unions), at: document.parts[part].pointer)
    }
    return alternatives
  }

  /// Makes sure that the branches of a `oneOf` have no value in common: by themselves, or with what holds around them.
  private mutating func settle(_ union: OneOf, beside around: [Int]) throws(ConstraintError) {
    var union = union
    let certain = Self.union(union.certain, around)
    for parts in [[], certain] {
      union.certain = parts
      if resolved.disjoint.contains(union) { return }
      guard let (first, second) = try collision(in: union) else {
        resolved.disjoint.insert(union)
        return
      }
      guard parts == certain else { continue }
      throw ConstraintError(
        path: union.pointer,
        message:
          "a value could match alternatives \(first) and \(second) at once; make them differ by type or by a "
          + "required property with distinct constants, or use anyOf")
    }
  }

  private mutating func resolve(
    _ part: Int, _ loops: inout Set<Int>, _ unions: inout Set<OneOf>
  ) throws(ConstraintError) -> [[Int]] {
    try spend(1, at: part)
    if let known = resolved.entries[part] {
      loops.formUnion(known.loops)
      unions.formUnion(known.unions)
      return known.alternatives
    }
    // A part that is defined by itself alone matches no more than it does otherwise.
    if let depth = resolved.open[part] {
      loops.insert(depth)
      return []
    }
    let depth = resolved.open.count
    guard depth < Self.maximumReferenceDepth else {
      throw ConstraintError(
        path: document.parts[part].pointer,
        message: "references lead more than \(Self.maximumReferenceDepth) schemas deep")
    }
    resolved.open[part] = depth
    defer {
      resolved.open[part] = nil
      for other in resolved.provisional.removeValue(forKey: depth) ?? [] { resolved.entries[other] = nil }
    }
    var own: Set<Int> = []
    var found: Set<OneOf> = []
    let alternatives = try compose(part, &own, &found)
    own.remove(depth)
    if alternatives.isEmpty {
      found = []
    } else if !found.isEmpty {
      try spend(found.count, at: part)
      let certain = try certain(part)
      found = Set(
        found.map { OneOf(pointer: $0.pointer, branches: $0.branches, certain: Self.union($0.certain, certain)) })
    }
    resolved.entries[part] = ResolvedParts.Entry(alternatives: alternatives, loops: own, unions: found)
    unions.formUnion(found)
    if let last = own.max() { resolved.provisional[last, default: []].append(part) }
    loops.formUnion(own)
    return alternatives
  }

  private mutating func compose(
    _ part: Int, _ loops: inout Set<Int>, _ unions: inout Set<OneOf>
  ) throws(ConstraintError) -> [[Int]] {
    let (schema, pointer) = (document.parts[part].value, document.parts[part].pointer)
    switch schema {
    case .bool(let verdict): return verdict ? [[]] : []
    case .object where SchemaSupport.matchesNothing(schema): return []
    case .object: break
    default:
      throw ConstraintError(path: pointer, message: "is \(schema.kind); a schema is an object, true or false")
    }
    if checked.insert(part).inserted { try SchemaSupport.check(schema, at: pointer) }
    // Of a part that only joins others nothing is left once they are joined; so what leads to equal parts on different
    // ways is equal too.
    var alternatives = SchemaSupport.onlyJoins(schema) ? [[]] : [[part]]
    if let reference = schema["$ref"] {
      guard let reference = reference.string else {
        throw ConstraintError(path: pointer + "/$ref", message: "is \(reference.kind); expected a string")
      }
      let target = try document.resolve(reference, from: pointer)
      alternatives = try product(alternatives, try resolve(target, &loops, &unions), at: pointer)
    }
    for branch in try branches("allOf", of: schema, at: pointer) ?? [] {
      alternatives = try product(alternatives, try resolve(branch, &loops, &unions), at: pointer)
    }
    for name in ["anyOf", "oneOf"] {
      guard let branches = try branches(name, of: schema, at: pointer) else { continue }
      var options: [[[Int]]] = []
      for branch in branches { options.append(try resolve(branch, &loops, &unions)) }
      if name == "oneOf" { unions.insert(OneOf(pointer: pointer + "/oneOf", branches: options, certain: [])) }
      alternatives = try product(alternatives, options.flatMap { $0 }, at: pointer)
    }
    return alternatives
  }

  /// The parts that hold whenever `part` does, ascending: itself, and those that `$ref` and `allOf` add, without those
  /// that only join others.
  private mutating func certain(_ part: Int) throws(ConstraintError) -> [Int] {
    if let known = resolved.certain[part] { return known }
    var seen: Set<Int> = []
    var found: [Int] = []
    var pending = [part]
    while let part = pending.popLast() {
      // What is left out tells less apart, which is safe.
      guard seen.count < Self.maximumReferenceDepth, case .object = document.parts[part].value,
        seen.insert(part).inserted
      else { continue }
      try spend(1, at: part)
      let (schema, pointer) = (document.parts[part].value, document.parts[part].pointer)
      if !SchemaSupport.onlyJoins(schema) { found.append(part) }
      if let reference = schema["$ref"]?.string { pending.append(try document.resolve(reference, from: pointer)) }
      pending += try branches("allOf", of: schema, at: pointer) ?? []
    }
    resolved.certain[part] = found.sorted()
    return found.sorted()
  }

  private mutating func branches(
    _ name: String, of schema: JSONValue, at pointer: String
  ) throws(ConstraintError) -> [Int]? {
    guard let value = schema[name] else { return nil }
    guard let schemas = value.array, !schemas.isEmpty else {
      throw ConstraintError(path: pointer + "/\(name)", message: "is \(value.kind); expected a list of schemas")
    }
    return schemas.enumerated().map { document.number(of: $1, at: pointer + "/\(name)/\($0)") }
  }

  /// What holds for an alternative of the left and one of the right; each once.
  func product(
    _ left: [[Int]], _ right: [[Int]], at pointer: String
  ) throws(ConstraintError) -> [[Int]] {
    guard left.count * right.count <= Self.maximumAlternatives else {
      throw ConstraintError(
        path: pointer, message: "has more than \(Self.maximumAlternatives) combinations of alternatives")
    }
    var known: Set<[Int]> = []
    var alternatives: [[Int]] = []
    for first in left {
      for second in right {
        guard budget.spend(SchemaSteps.perStep + first.count + second.count) else {
          throw SchemaSteps.exhausted(at: pointer)
        }
        let both = Self.union(first, second)
        if known.insert(both).inserted { alternatives.append(both) }
      }
    }
    return alternatives
  }

  /// The numbers of two ascending lists, ascending.
  static func union(_ left: [Int], _ right: [Int]) -> [Int] {
    if left.isEmpty { return right }
    if right.isEmpty { return left }
    var output: [Int] = []
    var (first, second) = (0, 0)
    while first < left.count || second < right.count {
      if second == right.count || first < left.count && left[first] < right[second] {
        output.append(left[first])
        first += 1
      } else {
        if first < left.count, left[first] == right[second] { first += 1 }
        output.append(right[second])
        second += 1
      }
    }
    return output
  }
}
