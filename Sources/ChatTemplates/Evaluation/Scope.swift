/// Variables of one block of a template; a name that is not here is looked up outwards.
final class Scope {
  var variables: [Text: Value]
  let parent: Scope?

  init(parent: Scope?, variables: [Text: Value] = [:]) {
    self.parent = parent
    self.variables = variables
  }

  func value(of name: Text) -> Value? {
    var scope: Scope? = self
    while let current = scope {
      if let value = current.variables[name] { return value }
      scope = current.parent
    }
    return nil
  }
}

/// A macro together with the variables that it was defined among.
final class Macro {
  let definition: MacroDefinition
  let scope: Scope

  init(_ definition: MacroDefinition, scope: Scope) {
    self.definition = definition
    self.scope = scope
  }
}

/// A function that every template can call.
enum BuiltinFunction: String, CaseIterable {
  case range
  case dict
  case namespace
  case raiseException = "raise_exception"
  case strftimeNow = "strftime_now"
}

/// Where a `for` loop stands. Elements are filtered one by one as the body reaches them, so that a filter sees what
/// the body has changed; `last`, `nextitem` and `length` look ahead.
final class LoopState {
  /// Elements before filtering.
  private let source: [Value]
  private var sourcePosition = 0
  /// Elements that passed the filter, up to the last one looked at.
  private var passed: [Value] = []
  /// How many of `passed` the loop has taken.
  private var taken = 0
  /// Index of the current element, from 0.
  private(set) var index = -1
  private(set) var current: Value?
  private(set) var previous: Value?
  /// The argument of the last `changed` call.
  var lastChanged: [Value]?
  /// Whether an element passes the filter; `nil` without one.
  private let passes: ((Value) throws(ChatTemplateError) -> Bool)?

  init(source: [Value], passes: ((Value) throws(ChatTemplateError) -> Bool)?) {
    self.source = source
    self.passes = passes
  }

  /// A loop has a length in Python and is true when it has elements.
  var isNonEmpty: Bool { !source.isEmpty }

  /// Looks ahead until `count` elements wait or the source ends.
  private func lookAhead(_ count: Int) throws(ChatTemplateError) {
    while passed.count - taken < count, sourcePosition < source.count {
      let element = source[sourcePosition]
      sourcePosition += 1
      if let passes, try !passes(element) { continue }
      passed.append(element)
    }
  }

  /// The element after the current one.
  func following() throws(ChatTemplateError) -> Value? {
    try lookAhead(1)
    return taken < passed.count ? passed[taken] : nil
  }

  /// The next element, now current.
  func advance() throws(ChatTemplateError) -> Value? {
    guard let next = try following() else { return nil }
    previous = current
    current = next
    taken += 1
    index += 1
    return current
  }

  /// Number of elements that pass the filter, the current one and those before it included.
  func length() throws(ChatTemplateError) -> Int {
    try lookAhead(source.count + 1)
    return passed.count
  }
}
