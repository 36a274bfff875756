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
  }

  fileprivate var entries: [Int: Entry] = [:]
  /// Parts under way, and how deep each lies.
  fileprivate var open: [Int: Int] = [:]
  /// Parts to forget once the part at a depth is resolved.
  fileprivate var provisional: [Int: [Int]] = [:]
}

extension SchemaCompiler {
  private static let maximumReferenceDepth = 100

  /// The part as a list of alternatives, each an ascending list of parts whose own keywords hold together.
  mutating func alternatives(of part: Int) throws(ConstraintError) -> [[Int]] {
    var loops: Set<Int> = []
    return try resolve(part, &loops)
  }

  private mutating func resolve(_ part: Int, _ loops: inout Set<Int>) throws(ConstraintError) -> [[Int]] {
    try spend(1, at: part)
    if let known = resolved.entries[part] {
      loops.formUnion(known.loops)
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
    let alternatives = try compose(part, &own)
    own.remove(depth)
    resolved.entries[part] = ResolvedParts.Entry(alternatives: alternatives, loops: own)
    if let last = own.max() { resolved.provisional[last, default: []].append(part) }
    loops.formUnion(own)
    return alternatives
  }

  private mutating func compose(_ part: Int, _ loops: inout Set<Int>) throws(ConstraintError) -> [[Int]] {
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
      alternatives = try product(alternatives, try resolve(target, &loops), at: pointer)
    }
    for branch in try branches("allOf", of: schema, at: pointer) ?? [] {
      alternatives = try product(alternatives, try resolve(branch, &loops), at: pointer)
    }
    for name in ["anyOf", "oneOf"] {
      guard let branches = try branches(name, of: schema, at: pointer) else { continue }
      var options: [[[Int]]] = []
      for branch in branches { options.append(try resolve(branch, &loops)) }
      if name == "oneOf" { try checkDisjoint(options, at: pointer + "/oneOf") }
      alternatives = try product(alternatives, options.flatMap { $0 }, at: pointer)
    }
    return alternatives
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
  private static func union(_ left: [Int], _ right: [Int]) -> [Int] {
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
