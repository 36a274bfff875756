/// Filters that compare elements.
extension TemplateRenderer {
  func orderingFilter(
    _ filter: Filters.Name, _ value: Value, _ arguments: Arguments, _ callee: String
  )
    throws(ChatTemplateError) -> Value
  {
    switch filter {
    case .dictsort: return try dictionarySorted(value, arguments, callee)
    case .groupby: return try grouped(value, arguments, callee)
    case .sort:
      let bound = try arguments.bound(to: ["reverse", "case_sensitive", "attribute"], of: callee)
      let isCaseSensitive = bound[1]?.isTrue ?? false
      var paths: [Value?] = [bound[2]]
      if case .string(let text)? = bound[2] { paths = text.split(by: ",", limit: Int.max).map { .string($0) } }
      var keyed: [(key: Value, value: Value)] = []
      for element in try items(of: value, purpose: "sort") {
        var keys: [Value] = []
        for path in paths { keys.append(folded(try self.value(at: path, of: element), isCaseSensitive)) }
        keyed.append((try list(keys), element))
      }
      return try list(try sorted(keyed, isReversed: bound[0]?.isTrue ?? false))
    case .unique:
      let bound = try arguments.bound(to: ["case_sensitive", "attribute"], of: callee)
      var seen: Set<Value> = []
      var kept: [Value] = []
      for element in try items(of: value, purpose: "find the unique elements of") {
        let key = folded(try self.value(at: bound[1], of: element), bound[0]?.isTrue ?? false)
        try checkKey(key)
        if seen.insert(key).inserted { kept.append(element) }
      }
      return try iterator(kept)
    default:
      let bound = try arguments.bound(to: ["case_sensitive", "attribute"], of: callee)
      var best: (key: Value, value: Value)?
      for element in try items(of: value, purpose: "compare the elements of") {
        let key = folded(try self.value(at: bound[1], of: element), bound[0]?.isTrue ?? false)
        guard let current = best else {
          best = (key, element)
          continue
        }
        let isBetter =
          filter == .min
          ? try isOrdered(key, before: current.key, orEqual: false, "<")
          : try isOrdered(current.key, before: key, orEqual: false, ">")
        if isBetter { best = (key, element) }
      }
      return best?.value ?? .undefined(Undefined(message: "the sequence is empty"))
    }
  }

  /// What a key is compared by: strings in lower case unless case matters.
  private func folded(_ value: Value, _ isCaseSensitive: Bool) -> Value {
    if case .string(let text) = value, !isCaseSensitive { return .string(text.lowercased) }
    return value
  }

  /// The values in the order of their keys; elements with equal keys keep their order, reversed or not.
  private func sorted(_ keyed: [(key: Value, value: Value)], isReversed: Bool) throws(ChatTemplateError) -> [Value] {
    var runs = (isReversed ? keyed.reversed() : keyed).map { [$0] }
    while runs.count > 1 {
      var merged: [[(key: Value, value: Value)]] = []
      for start in stride(from: 0, to: runs.count, by: 2) {
        merged.append(start + 1 < runs.count ? try merge(runs[start], runs[start + 1]) : runs[start])
      }
      runs = merged
    }
    let values = (runs.first ?? []).map(\.value)
    return isReversed ? values.reversed() : values
  }

  private func merge(
    _ left: [(key: Value, value: Value)], _ right: [(key: Value, value: Value)]
  )
    throws(ChatTemplateError) -> [(key: Value, value: Value)]
  {
    var merged: [(key: Value, value: Value)] = []
    merged.reserveCapacity(left.count + right.count)
    var (i, j) = (0, 0)
    while i < left.count, j < right.count {
      try charge(1)
      if try isOrdered(right[j].key, before: left[i].key, orEqual: false, "<") {
        merged.append(right[j])
        j += 1
      } else {
        merged.append(left[i])
        i += 1
      }
    }
    merged.append(contentsOf: left[i...])
    merged.append(contentsOf: right[j...])
    return merged
  }

  private func dictionarySorted(
    _ value: Value, _ arguments: Arguments, _ callee: String
  ) throws(ChatTemplateError)
    -> Value
  {
    let bound = try arguments.bound(to: ["case_sensitive", "by", "reverse"], of: callee)
    guard case .dictionary(let entries) = value else { throw refusal(callee, value) }
    let isByValue: Bool
    switch bound[1] {
    case nil, .some(.string("key")): isByValue = false
    case .some(.string("value")): isByValue = true
    default: throw .evaluation("\(callee) sorts by 'key' or 'value'")
    }
    var keyed: [(key: Value, value: Value)] = []
    for (key, value) in zip(entries.map.keys, entries.map.values) {
      keyed.append((folded(isByValue ? value : key, bound[0]?.isTrue ?? false), try tuple([key, value])))
    }
    return try list(try sorted(keyed, isReversed: bound[2]?.isTrue ?? false))
  }

  private func grouped(_ value: Value, _ arguments: Arguments, _ callee: String) throws(ChatTemplateError) -> Value {
    let bound = try arguments.bound(to: ["attribute", "default", "case_sensitive"], required: 1, of: callee)
    func key(_ element: Value) throws(ChatTemplateError) -> Value {
      try self.value(at: bound[0], of: element, default: bound[1])
    }
    var keyed: [(key: Value, value: Value)] = []
    for element in try items(of: value, purpose: "group") {
      keyed.append((folded(try key(element), bound[2]?.isTrue ?? false), element))
    }
    var groups: [(key: Value, members: [Value])] = []
    for element in try sorted(keyed, isReversed: false) {
      let folded = folded(try key(element), bound[2]?.isTrue ?? false)
      if let last = groups.last, try areEqual(last.key, folded) {
        groups[groups.count - 1].members.append(element)
      } else {
        groups.append((folded, [element]))
      }
    }
    var tuples: [Value] = []
    for group in groups {
      guard let first = group.members.first else { continue }
      tuples.append(try tuple([try key(first), try list(group.members)]))
    }
    return try list(tuples)
  }
}
