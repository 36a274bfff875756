/// Filters that apply a filter or a test to every element.
extension TemplateRenderer {
  func selectingFilter(_ filter: Filters.Name, _ value: Value, _ arguments: Arguments, _ callee: String)
    throws(ChatTemplateError) -> Value
  {
    guard value.isTrue else {
      // Jinja returns nothing for anything false, even for what cannot be iterated.
      return try iterator([])
    }
    let elements = try items(of: value, purpose: "apply \(callee) to")
    if filter == .map { return try iterator(try mapped(elements, arguments, callee)) }
    var rest = arguments
    var path: Value?
    if filter == .selectattr || filter == .rejectattr {
      guard !rest.positional.isEmpty else { throw .evaluation("\(callee) needs the name of an attribute") }
      path = rest.positional.removeFirst()
    }
    var testName: String?
    if !rest.positional.isEmpty {
      let name = rest.positional.removeFirst()
      guard case .string(let text) = name else { throw refusal(callee, name) }
      testName = text.string
    }
    let keeps = filter == .select || filter == .selectattr
    var kept: [Value] = []
    for element in elements {
      try charge(1)
      let subject = try self.value(at: path, of: element)
      let isTrue: Bool
      if let testName { isTrue = try test(testName, subject, rest) } else { isTrue = subject.isTrue }
      if isTrue == keeps { kept.append(element) }
    }
    return try iterator(kept)
  }

  private func mapped(_ elements: [Value], _ arguments: Arguments, _ callee: String) throws(ChatTemplateError)
    -> [Value]
  {
    var results: [Value] = []
    if arguments.positional.isEmpty, arguments.keyword.contains(where: { $0.name == "attribute" }) {
      let bound = try Arguments(positional: [], keyword: arguments.keyword)
        .bound(to: ["attribute", "default"], of: callee)
      for element in elements {
        try charge(1)
        let result = try value(at: bound[0], of: element)
        if let standard = bound[1], !Self.isNone(standard), result.isUndefined {
          results.append(standard)
        } else {
          results.append(result)
        }
      }
      return results
    }
    var rest = arguments
    guard !rest.positional.isEmpty else { throw .evaluation("\(callee) needs the name of a filter") }
    let name = rest.positional.removeFirst()
    guard case .string(let text) = name else { throw refusal(callee, name) }
    try descend()
    for element in elements { results.append(try filter(text.string, element, rest)) }
    ascend()
    return results
  }
}
