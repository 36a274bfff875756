/// Filters that apply a filter or a test to every element, when the element is asked for.
extension TemplateRenderer {
  func selectingFilter(
    _ filter: Filters.Name, _ value: Value, _ arguments: Arguments, _ callee: String
  )
    throws(ChatTemplateError) -> Value
  {
    // Jinja makes nothing of anything false, even of what cannot be iterated.
    guard value.isTrue else { return try iterator([]) }
    let elements = try items(of: value, purpose: "apply \(callee) to")
    if filter == .map { return try iterator(elements, transform: try mapping(arguments, callee)) }
    var rest = arguments
    var path: Value?
    if filter == .selectattr || filter == .rejectattr {
      guard !rest.positional.isEmpty else { throw .evaluation("\(callee) needs the name of an attribute") }
      path = rest.positional.removeFirst()
    }
    var name: String?
    if !rest.positional.isEmpty { name = try self.name(rest.positional.removeFirst(), callee) }
    let keeps = filter == .select || filter == .selectattr
    return try iterator(elements) { [path, name, rest] (element: Value) throws(ChatTemplateError) -> Value? in
      try self.descend()
      let subject = try self.value(at: path, of: element)
      let isTrue: Bool
      if let name { isTrue = try self.test(name, subject, rest) } else { isTrue = subject.isTrue }
      self.ascend()
      return isTrue == keeps ? element : nil
    }
  }

  private func name(_ value: Value, _ callee: String) throws(ChatTemplateError) -> String {
    guard case .string(let text) = value else { throw refusal(callee, value) }
    return text.string
  }

  private func mapping(_ arguments: Arguments, _ callee: String) throws(ChatTemplateError) -> ValueIterator.Transform {
    if arguments.positional.isEmpty, arguments.keyword.contains(where: { $0.name == "attribute" }) {
      let bound = try arguments.bound(to: ["attribute", "default"], of: callee)
      return { (element: Value) throws(ChatTemplateError) -> Value? in
        try self.charge(1)
        return try self.value(at: bound[0], of: element, default: bound[1])
      }
    }
    var rest = arguments
    guard !rest.positional.isEmpty else { throw .evaluation("\(callee) needs the name of a filter") }
    let name = try name(rest.positional.removeFirst(), callee)
    return { [rest] (element: Value) throws(ChatTemplateError) -> Value? in
      try self.descend()
      let result = try self.filter(name, element, rest)
      self.ascend()
      return result
    }
  }
}
