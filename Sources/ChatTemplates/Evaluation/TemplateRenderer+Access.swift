/// Attributes, items, slices and elements of values.
extension TemplateRenderer {
  /// Jinja's `value.name`: an attribute of the Python object comes before an item of a dictionary.
  func attribute(_ name: Text, of value: Value) throws(ChatTemplateError) -> Value {
    if case .undefined(let undefined) = value { throw .evaluation(undefined.message) }
    if let attribute = try ownAttribute(name, of: value) { return attribute }
    if case .dictionary(let entries) = value, let item = entries.map[.string(name)] { return item }
    return missing(name.string, of: value)
  }

  /// Jinja's `value[key]`: an item comes before an attribute.
  func item(_ key: Value, of value: Value) throws(ChatTemplateError) -> Value {
    switch value {
    case .undefined(let undefined): throw .evaluation(undefined.message)
    case .dictionary(let entries):
      if key.isHashable {
        try charge(key.weight)
        if let item = entries.map[key] { return item }
      }
    case .list(let elements), .tuple(let elements):
      if let place = key.index.flatMap({ resolved($0, count: elements.items.count) }) { return elements.items[place] }
    case .range(let range):
      if let place = key.index.flatMap({ resolved($0, count: range.count) }) { return .integer(range.element(place)) }
    case .string(let text):
      if let index = key.index {
        try charge(text.utf8.count / 16)
        if text.isASCII {
          if let place = resolved(index, count: text.utf8.count) { return .string(Text(utf8: [text.utf8[place]])) }
        } else {
          let scalars = text.scalars
          if let place = resolved(index, count: scalars.count) { return .string(Text(scalars: [scalars[place]])) }
        }
      }
    default: break
    }
    guard case .string(let name) = key else { return missing(try representation(of: key).string, of: value) }
    return try ownAttribute(name, of: value) ?? missing(name.string, of: value)
  }

  private func missing(_ name: String, of value: Value) -> Value {
    .undefined(Undefined(message: "\(value.typeName) has no element '\(name)'"))
  }

  private func resolved(_ index: Int, count: Int) -> Int? {
    let place = index < 0 ? index + count : index
    return (0..<count).contains(place) ? place : nil
  }

  /// The attribute that the Python object itself has; `nil` when it has none of that name.
  private func ownAttribute(_ name: Text, of value: Value) throws(ChatTemplateError) -> Value? {
    switch value {
    case .namespace(let namespace): return namespace.attributes[name]
    case .loop(let loop): return try attribute(name, of: loop)
    case .macro(let macro):
      return switch name {
      case "name": .string(macro.definition.name)
      case "arguments": try tuple(macro.definition.parameters.map { .string($0.name) })
      default: nil
      }
    default: break
    }
    let word = name.string
    if Methods.names(of: value).contains(word) { return .method(receiver: value, name: name) }
    if Methods.mutating(value).contains(word) {
      return .undefined(Undefined(message: "'\(word)' would change \(value.typeName), which templates may not"))
    }
    if Methods.unsupported(value).contains(word) {
      throw .unsupported("'\(word)' of \(value.typeName) is not supported")
    }
    return nil
  }

  private func attribute(_ name: Text, of loop: LoopState) throws(ChatTemplateError) -> Value? {
    switch name {
    case "index": return .integer(loop.index + 1)
    case "index0": return .integer(loop.index)
    case "first": return .bool(loop.index == 0)
    case "last": return .bool(try loop.following() == nil)
    case "length": return .integer(try loop.length())
    case "revindex": return .integer(try loop.length() - loop.index)
    case "revindex0": return .integer(try loop.length() - loop.index - 1)
    case "previtem": return loop.previous ?? .undefined(Undefined(message: "there is no previous item"))
    case "nextitem": return try loop.following() ?? .undefined(Undefined(message: "there is no next item"))
    case "depth": return .integer(1)
    case "depth0": return .integer(0)
    case "cycle", "changed": return .method(receiver: .loop(loop), name: name)
    default: return nil
    }
  }

  /// Python's `value[start:stop:step]`.
  func slice(_ value: Value, start: Value, stop: Value, step: Value) throws(ChatTemplateError) -> Value {
    func bound(_ bound: Value) throws(ChatTemplateError) -> Int? {
      if case .none = bound { return nil }
      guard let index = bound.index else { throw refusal("the bound of a slice", bound) }
      return index
    }
    let (start, stop, step) = (try bound(start), try bound(stop), try bound(step) ?? 1)
    guard step != 0 else { throw .evaluation("the step of a slice is 0") }
    func picked(_ count: Int) throws(ChatTemplateError) -> [Int] {
      let (lower, upper) = step > 0 ? (0, count) : (-1, count - 1)
      func clamped(_ index: Int) -> Int { min(max(index < 0 ? index + count : index, lower), upper) }
      var position = start.map(clamped) ?? (step > 0 ? lower : upper)
      let end = stop.map(clamped) ?? (step > 0 ? upper : lower)
      var indices: [Int] = []
      while step > 0 ? position < end : position > end {
        indices.append(position)
        let (next, overflow) = position.addingReportingOverflow(step)
        if overflow { break }
        position = next
      }
      try charge(indices.count / 16)
      return indices
    }
    switch value {
    case .string(let text):
      try charge(text.utf8.count / 16)
      if text.isASCII { return .string(Text(utf8: try picked(text.utf8.count).map { text.utf8[$0] })) }
      let scalars = text.scalars
      return .string(Text(scalars: try picked(scalars.count).map { scalars[$0] }))
    case .list(let elements): return try list(try picked(elements.items.count).map { elements.items[$0] })
    case .tuple(let elements): return try tuple(try picked(elements.items.count).map { elements.items[$0] })
    case .range(let range):
      let indices = try picked(range.count)
      let first = indices.first.map(range.element) ?? range.start
      let (newStep, overflow) = range.step.multipliedReportingOverflow(by: step)
      let width = indices.count.multipliedReportingOverflow(by: newStep)
      guard !overflow, !width.overflow,
        let sliced = IntegerRange(start: first, stop: first &+ width.partialValue, step: newStep)
      else { throw .evaluation("the slice of a range does not fit 64 bits") }
      return .range(sliced)
    default: throw refusal("a slice", value)
    }
  }

  /// The elements that iterating over `value` gives. `purpose` completes "cannot …" in the message.
  func items(of value: Value, purpose: String) throws(ChatTemplateError) -> [Value] {
    switch value {
    case .undefined: return []
    case .list(let elements), .tuple(let elements): return elements.items
    case .dictionary(let entries): return entries.map.keys
    case .view(let view): return view.elements.items
    case .range(let range):
      try charge(range.count)
      return range.items
    case .string(let text):
      let scalars = text.scalars
      try checkLength(scalars.count * 16)
      try charge(scalars.count)
      return scalars.map { .string(Text(scalars: [$0])) }
    case .iterator(let iterator): return try iterator.rest()
    default: throw .evaluation("cannot \(purpose) \(value.typeName)")
    }
  }

  /// Python's `len`; `nil` for what has none.
  func length(of value: Value) throws(ChatTemplateError) -> Int? {
    switch value {
    case .undefined: return 0
    case .string(let text):
      try charge(text.utf8.count / 64)
      return text.count
    case .list(let elements), .tuple(let elements): return elements.items.count
    case .dictionary(let entries): return entries.map.count
    case .range(let range): return range.count
    case .view(let view): return view.elements.items.count
    case .loop(let loop): return try loop.length()
    default: return nil
    }
  }
}
