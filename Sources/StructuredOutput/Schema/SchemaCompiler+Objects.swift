internal import JSON

extension SchemaCompiler {
  /// What parts say about an object together.
  private struct Members {
    /// Named properties in order, and whether each must be there.
    var names: [(name: String, isRequired: Bool)] = []
    /// Whether there may be properties whose names no pattern matches.
    var allowsOthers = false
    /// Whether there may be properties that are not named.
    var isOpen = false
    var minimum = 0
    var maximum: Int?
  }

  private enum Limit {
    /// Patterns of names in one object: each set of them is a case of its own.
    static let patterns = 4
    /// Names that `propertyNames` lists; more of them are written in any order.
    static let listedNames = 64
  }

  private mutating func members(_ parts: [Int]) throws -> Members {
    var members = Members()
    let required = try self.required(in: parts)
    let requiredNames = Set(required)
    var known: Set<String> = []
    for part in parts {
      let (schema, pointer) = (document.parts[part].value, document.parts[part].pointer)
      if case .object(let properties)? = schema["properties"] {
        for name in properties.keys where known.insert(name).inserted {
          members.names.append((name, requiredNames.contains(name)))
        }
      }
      if schema["additionalProperties"] != nil { members.allowsOthers = true }
      if !SchemaSupport.patternProperties(of: schema).isEmpty { members.isOpen = true }
      let bounds = try SchemaBounds.read("minProperties", "maxProperties", of: schema, at: pointer)
      members.minimum = max(members.minimum, bounds.minimum)
      if let most = bounds.maximum { members.maximum = min(members.maximum ?? most, most) }
    }
    for name in required where known.insert(name).inserted { members.names.append((name, true)) }
    if members.names.isEmpty, !members.isOpen { members.allowsOthers = true }
    members.isOpen = members.isOpen || members.allowsOthers
    if members.isOpen, let listed = try listedNames(parts) {
      // Few names are written in their order, and none twice.
      for name in listed where known.insert(name).inserted { members.names.append((name, false)) }
      (members.isOpen, members.allowsOthers) = (false, false)
    }
    try check(&members, at: document.parts[parts[0]].pointer)
    return members
  }

  /// The names that `propertyNames` lists; `nil` where it does not list a few.
  private mutating func listedNames(_ parts: [Int]) throws(ConstraintError) -> [String]? {
    for part in parts {
      guard let names = document.parts[part].value["propertyNames"] else { continue }
      let number = document.number(of: names, at: document.parts[part].pointer + "/propertyNames")
      let alternatives = try alternatives(of: number)
      guard alternatives.count == 1, let constants = try constants(of: alternatives[0]) else { continue }
      if constants.count <= Limit.listedNames { return constants.compactMap(\.string) }
    }
    return nil
  }

  /// Refuses bounds on the number of properties that the order of properties does not settle.
  private func check(_ members: inout Members, at pointer: String) throws(ConstraintError) {
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
        members.isOpen = false
      } else if maximum == requiredCount {
        members.names.removeAll { !$0.isRequired }
        members.isOpen = false
      } else {
        throw ConstraintError(
          path: pointer + "/maxProperties",
          message: "is \(maximum), less than the \(members.names.count) named properties; that is not supported")
      }
    }
  }

  /// An object: named properties in their order, each with a comma before it but the first, then further ones.
  mutating func objectNode(_ parts: [Int]) throws -> Int {
    var members = try members(parts)
    var kept: [(name: String, isRequired: Bool)] = []
    for (name, isRequired) in members.names {
      if try isName(name, of: parts) {
        kept.append((name, isRequired))
      } else if isRequired {
        return try builder.choice([])
      }
    }
    members.names = kept
    let comma = try builder.terminal(StandardAutomata.comma)
    let space = try builder.terminal(StandardAutomata.optionalSpace)
    let colon = try builder.terminal(StandardAutomata.colonSpace)
    // From the back: what may follow once a property has been written, and what may come first.
    let nothing = try builder.sequence([])
    var rest = nothing
    var first = try builder.choice([])
    if members.isOpen {
      let pair = try openPair(parts, members, colon: colon)
      let maximum = members.names.isEmpty ? members.maximum : nil
      if maximum != 0 {
        rest = try builder.loop(
          try builder.sequence([comma, pair]), minimum: 0, maximum: maximum.map { $0 - 1 })
        first = try builder.sequence([space, pair, rest])
      }
    }
    for (name, isRequired) in members.names.reversed() {
      let key = try builder.literals([name.quotedAsJSON])
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

  // MARK: Properties that are not named

  /// A pattern of names.
  private struct NamePattern {
    /// The part that says so.
    let part: Int
    /// The schema of the properties with such names.
    let value: Int
    /// Keys that it matches; `nil` when there are none.
    let keys: ByteAutomaton?
  }

  /// A key that is not named, and a value that all say yes to that apply to the key.
  private mutating func openPair(_ parts: [Int], _ members: Members, colon: Int) throws -> Int {
    let patterns = try namePatterns(parts)
    var others = try allowedKeys(parts)
    let names = members.names.map { $0.name.quotedAsJSON }
    let pointer = document.parts[parts[0]].pointer
    do {
      if !names.isEmpty, let keys = others, let named = try ByteAutomaton.literals(names) {
        others = try combined(keys, named) { $0 && !$1 }
      }
      var choices: [Int] = []
      for chosen in 0..<(1 << patterns.count) {
        // The keys that the chosen patterns match and the others do not.
        var keys = chosen == 0 && !members.allowsOthers ? nil : others
        for (index, pattern) in patterns.enumerated() {
          guard let known = keys else { break }
          let isChosen = chosen >> index & 1 == 1
          guard let matched = pattern.keys else {
            keys = isChosen ? nil : known
            continue
          }
          keys = try combined(known, matched) { $0 && $1 == isChosen }
        }
        guard let keys else { continue }
        let matched = patterns.indices.filter { chosen >> $0 & 1 == 1 }.map { patterns[$0] }
        var values = matched.map(\.value)
        for part in parts where !matched.contains(where: { $0.part == part }) {
          guard let additional = document.parts[part].value["additionalProperties"] else { continue }
          values.append(
            document.number(of: additional, at: document.parts[part].pointer + "/additionalProperties"))
        }
        choices.append(try builder.sequence([try builder.terminal(keys), colon, try node(for: values)]))
      }
      return try builder.choice(choices)
    } catch is ByteAutomaton.TooLarge {
      throw ConstraintError(path: pointer, message: "the names of its properties are too complex to compile")
    }
  }

  private mutating func namePatterns(_ parts: [Int]) throws(ConstraintError) -> [NamePattern] {
    var patterns: [NamePattern] = []
    for part in parts {
      let (schema, pointer) = (document.parts[part].value, document.parts[part].pointer)
      for (pattern, value) in SchemaSupport.patternProperties(of: schema) {
        let place = pointer + "/patternProperties" + pattern.pointerStep
        guard patterns.count < Limit.patterns else {
          throw ConstraintError(
            path: place, message: "is one of more than \(Limit.patterns) patterns of names, which are not supported")
        }
        patterns.append(
          NamePattern(
            part: part, value: document.number(of: value, at: place),
            keys: try contents(of: pattern, at: place)?.quoted()))
      }
    }
    return patterns
  }

  /// The keys that every `propertyNames` allows; `nil` when there are none.
  private mutating func allowedKeys(_ parts: [Int]) throws(ConstraintError) -> ByteAutomaton? {
    var keys: ByteAutomaton? = StandardAutomata.key
    for part in parts {
      let pointer = document.parts[part].pointer + "/propertyNames"
      guard let names = document.parts[part].value["propertyNames"] else { continue }
      var own: ByteAutomaton?
      for alternative in try alternatives(of: document.number(of: names, at: pointer)) {
        guard let some = try keyTexts(of: alternative, at: pointer) else { continue }
        if let known = own {
          own = try combined(known, some, at: pointer) { $0 || $1 }
        } else {
          own = some
        }
      }
      // Most say no more than that names are strings, and the automaton that everyone shares will do.
      guard let own, let known = keys, own !== StandardAutomata.key else {
        if own == nil { return nil }
        continue
      }
      keys = try combined(known, own, at: pointer) { $0 && $1 }
    }
    return keys
  }

  /// The keys that parts of one schema of names allow together.
  private mutating func keyTexts(of parts: [Int], at pointer: String) throws(ConstraintError) -> ByteAutomaton? {
    if parts.isEmpty { return StandardAutomata.key }
    if let constants = try constants(of: parts) {
      do { return try ByteAutomaton.literals(constants.compactMap(\.string).map(\.quotedAsJSON)) } catch {
        throw ConstraintError(path: pointer, message: "holds too many constants to compile")
      }
    }
    guard try types(of: parts).contains(.string) else { return nil }
    let texts = try stringTexts(of: parts)
    guard texts.isPossible else { return nil }
    if texts.minimum == 0, texts.maximum == nil { return texts.content?.quoted() ?? StandardAutomata.key }
    return try bounded(texts, at: pointer)?.quoted()
  }

  private func combined(
    _ first: ByteAutomaton, _ second: ByteAutomaton, at pointer: String, accepts: (Bool, Bool) -> Bool
  ) throws(ConstraintError) -> ByteAutomaton? {
    do { return try combined(first, second, accepts: accepts) } catch {
      throw ConstraintError(path: pointer, message: "is too complex to compile")
    }
  }

  /// Whether the parts' `propertyNames` allow a name.
  private mutating func isName(_ name: String, of parts: [Int]) throws(ConstraintError) -> Bool {
    for part in parts {
      guard let names = document.parts[part].value["propertyNames"] else { continue }
      let number = document.number(of: names, at: document.parts[part].pointer + "/propertyNames")
      if try !isValid(.string(name), for: [number]) { return false }
    }
    return true
  }
}
