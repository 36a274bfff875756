internal import Tokenization

extension SchemaCompiler {
  /// What parts say about an object together.
  private struct Members {
    /// Named properties in order, and whether each must be there.
    var names: [(name: String, isRequired: Bool)] = []
    /// Schemas of further properties; `nil` where there may be none.
    var additional: [Int]?
    var minimum = 0
    var maximum: Int?
  }

  private mutating func members(_ parts: [Int]) throws(ConstraintError) -> Members {
    var members = Members()
    let required = Set(try required(in: parts))
    var known: Set<String> = []
    var additional: [Int] = []
    for part in parts {
      let (schema, pointer) = (document.parts[part].value, document.parts[part].pointer)
      if case .object(let properties)? = schema["properties"] {
        for name in properties.keys where known.insert(name).inserted {
          members.names.append((name, required.contains(name)))
        }
      }
      if let schema = schema["additionalProperties"] {
        additional.append(document.number(of: schema, at: pointer + "/additionalProperties"))
      }
      let bounds = try SchemaBounds.read("minProperties", "maxProperties", of: schema, at: pointer)
      members.minimum = max(members.minimum, bounds.minimum)
      if let most = bounds.maximum { members.maximum = min(members.maximum ?? most, most) }
    }
    let declaresNames = !known.isEmpty
    for name in try self.required(in: parts) where known.insert(name).inserted { members.names.append((name, true)) }
    if !additional.isEmpty {
      members.additional = additional
    } else if !declaresNames, members.names.isEmpty {
      members.additional = []
    }
    try check(&members, at: document.parts[parts[0]].pointer)
    return members
  }

  /// Refuses bounds on the number of properties that the order of properties does not settle.
  private mutating func check(_ members: inout Members, at pointer: String) throws(ConstraintError) {
    let requiredCount = members.names.count(where: \.isRequired)
    // An object without a named property can be told to have one; two keys written might be the same twice.
    let reachesMinimum = members.minimum <= max(requiredCount, members.names.isEmpty ? 1 : 0)
    guard reachesMinimum else {
      throw ConstraintError(
        path: pointer + "/minProperties",
        message: "is \(members.minimum), more than the \(requiredCount) required properties; that is not supported")
    }
    if let maximum = members.maximum, !members.names.isEmpty {
      if maximum >= members.names.count {
        if members.additional != nil { members.additional = nil }
      } else if maximum == requiredCount {
        members.names.removeAll { !$0.isRequired }
        members.additional = nil
      } else {
        throw ConstraintError(
          path: pointer + "/maxProperties",
          message: "is \(maximum), less than the \(members.names.count) named properties; that is not supported")
      }
    }
  }

  mutating func objectNode(_ parts: [Int]) throws -> Int {
    let members = try members(parts)
    let comma = try builder.terminal(StandardAutomata.comma)
    let space = try builder.terminal(StandardAutomata.optionalSpace)
    let colon = try builder.terminal(StandardAutomata.colonSpace)
    // From the back: what may follow once a property has been written, and what may come first.
    let nothing = try builder.sequence([])
    var rest = nothing
    var first = try builder.choice([])
    if let additional = members.additional {
      let pair = try builder.sequence([
        try keyNode(except: members.names.map(\.name), at: document.parts[parts[0]].pointer), colon,
        try node(for: additional),
      ])
      let maximum = members.names.isEmpty ? members.maximum : nil
      if maximum != 0 {
        rest = try builder.loop(
          try builder.sequence([comma, pair]), minimum: 0, maximum: maximum.map { $0 - 1 })
        first = try builder.sequence([space, pair, rest])
      }
    }
    for (name, isRequired) in members.names.reversed() {
      let key = try builder.literals([JSONText.quoted(name)])
      let value = try node(for: try propertyParts(name, in: parts))
      let pair = [key, colon, value] + (rest == nothing ? [] : [rest])
      let opening = try builder.sequence([space] + pair)
      let more = try builder.sequence([comma] + pair)
      first = isRequired ? opening : try builder.choice([opening, first])
      rest = isRequired ? more : try builder.choice([more, rest])
    }
    var choices = [
      try builder.sequence([
        try builder.terminal(StandardAutomata.openObject), first, try builder.terminal(StandardAutomata.closeObject),
      ])
    ]
    if members.minimum == 0, !members.names.contains(where: \.isRequired) {
      choices.append(try builder.terminal(StandardAutomata.emptyObject))
    }
    return try builder.choice(choices)
  }

  /// Any key but these.
  private mutating func keyNode(except names: [String], at pointer: String) throws -> Int {
    guard !names.isEmpty else { return try builder.terminal(StandardAutomata.key) }
    do {
      guard let excluded = try ByteAutomaton.literals(names.map(JSONText.quoted)),
        let others = try ByteAutomaton.combine(StandardAutomata.key, excluded, accepts: { $0 && !$1 })
      else { return try builder.choice([]) }
      return try builder.terminal(others)
    } catch is ByteAutomaton.TooLarge {
      throw ConstraintError(path: pointer + "/properties", message: "names too many properties")
    }
  }
}
