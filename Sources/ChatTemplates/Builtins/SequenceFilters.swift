/// Filters on sequences that neither compare nor select.
extension TemplateRenderer {
  func sequenceFilter(
    _ filter: Filters.Name, _ value: Value, _ arguments: Arguments, _ callee: String
  )
    throws(ChatTemplateError) -> Value
  {
    switch filter {
    case .batch: return try batches(value, arguments, callee)
    case .slice: return try slices(value, arguments, callee)
    case .join:
      let bound = try arguments.bound(to: ["d", "attribute"], of: callee)
      let separator = try bound[0].map { value throws(ChatTemplateError) in try text(of: value) } ?? ""
      var bytes: [UInt8] = []
      for (offset, element) in try items(of: value, purpose: "join").enumerated() {
        if offset > 0 { bytes.append(contentsOf: separator.utf8) }
        bytes.append(contentsOf: try text(of: try self.value(at: bound[1], of: element)).utf8)
        try checkLength(bytes.count)
        try charge(1)
      }
      return try string(Text(utf8: bytes))
    default: break
    }
    _ = try arguments.positional(upTo: 0, of: callee)
    switch filter {
    case .count, .length:
      guard let length = try length(of: value) else { throw refusal(callee, value) }
      return .integer(length)
    case .first:
      if case .iterator(let iterator) = value { return try iterator.next() ?? emptySequence }
      if case .string(let text) = value {
        return text.isEmpty ? emptySequence : try item(.integer(0), of: .string(text))
      }
      return try items(of: value, purpose: "take the first element of").first ?? emptySequence
    case .last:
      if case .iterator = value { throw refusal(callee, value) }
      if case .string(let text) = value {
        return text.isEmpty ? emptySequence : try item(.integer(-1), of: .string(text))
      }
      return try items(of: value, purpose: "take the last element of").last ?? emptySequence
    case .items:
      if case .undefined = value { return try iterator([]) }
      guard case .dictionary(let entries) = value else { throw refusal(callee, value) }
      return try iterator(entries.items)
    case .reverse:
      if case .string(let text) = value {
        try charge(text.utf8.count / 8)
        return .string(Text(scalars: text.scalars.reversed()))
      }
      let reversed = Array(try items(of: value, purpose: "reverse").reversed())
      if case .iterator = value { return try list(reversed) }
      return try iterator(reversed)
    default: return try list(try items(of: value, purpose: "make a list of"))
    }
  }

  private var emptySequence: Value { .undefined(Undefined(message: "the sequence is empty")) }

  private func batches(_ value: Value, _ arguments: Arguments, _ callee: String) throws(ChatTemplateError) -> Value {
    let bound = try arguments.bound(to: ["linecount", "fill_with"], required: 1, of: callee)
    let size = try integer(bound[0], default: 1, of: callee)
    guard size > 0 else { throw .evaluation("\(callee) needs a positive count, found \(size)") }
    var batches: [[Value]] = []
    for element in try items(of: value, purpose: "batch") {
      if let last = batches.last, last.count < size {
        batches[batches.count - 1].append(element)
      } else {
        batches.append([element])
      }
    }
    if let fill = bound[1], !Self.isNone(fill), let last = batches.last {
      try checkElements(size)
      batches[batches.count - 1].append(contentsOf: [Value](repeating: fill, count: size - last.count))
    }
    var lists: [Value] = []
    for batch in batches { lists.append(try list(batch)) }
    return try iterator(lists)
  }

  private func slices(_ value: Value, _ arguments: Arguments, _ callee: String) throws(ChatTemplateError) -> Value {
    let bound = try arguments.bound(to: ["slices", "fill_with"], required: 1, of: callee)
    let count = try integer(bound[0], default: 1, of: callee)
    let elements = try items(of: value, purpose: "slice")
    guard count != 0 else { throw .evaluation("\(callee) needs a count other than 0") }
    guard count > 0 else { return try iterator([]) }
    try checkElements(count)
    let (size, extra) = elements.count.quotientAndRemainder(dividingBy: count)
    var lists: [Value] = []
    var start = 0
    for index in 0..<count {
      let end = start + size + (index < extra ? 1 : 0)
      var part = Array(elements[start..<end])
      if let fill = bound[1], !Self.isNone(fill), index >= extra { part.append(fill) }
      lists.append(try list(part))
      start = end
    }
    return try iterator(lists)
  }
}
