internal import JSON

/// A value while a template renders: what Python objects are to Jinja.
///
/// Lists and dictionaries cannot be changed by a template (Jinja's immutable sandbox), so they are plain values;
/// only namespaces, iterators and loops have an identity.
enum Value {
  case undefined(Undefined)
  case none
  case bool(Bool)
  case integer(Int)
  /// An integer beyond 64 bits, by its digits. It is printed and compared; there is no arithmetic with it.
  case bigInteger(Text)
  case float(Double)
  case string(Text)
  case list(Elements)
  case tuple(Elements)
  case dictionary(Entries)
  case range(IntegerRange)
  /// What a dictionary's `keys`, `values` and `items` return.
  case view(DictionaryView)
  /// What `map`, `select`, `reverse` and the like return: it can be walked once.
  case iterator(ValueIterator)
  case namespace(Namespace)
  case loop(LoopState)
  case function(BuiltinFunction)
  indirect case method(receiver: Value, name: Text)
  case macro(Macro)

  init(_ literal: Literal) {
    switch literal {
    case .none: self = .none
    case .bool(let value): self = .bool(value)
    case .integer(let value): self = .integer(value)
    case .float(let value): self = .float(value)
    case .string(let value): self = .string(value)
    }
  }

  /// The value of a JSON document.
  init(_ json: JSONValue) {
    switch json {
    case .null: self = .none
    case .bool(let value): self = .bool(value)
    case .integer(let value): self = .integer(value)
    case .bigInteger(let digits): self = .bigInteger(Text(digits))
    case .number(let value): self = .float(value)
    case .string(let value): self = .string(Text(value))
    case .array(let values): self = .list(Elements(values.map { Value($0) }))
    case .object(let object):
      var entries = OrderedMap<Value, Value>()
      for (key, value) in object.pairs { entries.set(Value(value), for: .string(Text(key))) }
      self = .dictionary(Entries(entries))
    }
  }

  /// What Python's `bool()` says.
  var isTrue: Bool {
    switch self {
    case .undefined, .none: false
    case .bool(let value): value
    case .integer(let value): value != 0
    case .bigInteger: true
    case .float(let value): value != 0
    case .string(let text): !text.isEmpty
    case .list(let elements), .tuple(let elements): !elements.items.isEmpty
    case .dictionary(let entries): !entries.map.isEmpty
    case .range(let range): range.count > 0
    case .view(let view): !view.elements.items.isEmpty
    case .loop(let loop): loop.isNonEmpty
    case .iterator, .namespace, .function, .method, .macro: true
    }
  }

  /// The name of the value's type, as messages show it.
  var typeName: String {
    switch self {
    case .undefined: "an undefined value"
    case .none: "None"
    case .bool: "a bool"
    case .integer, .bigInteger: "an int"
    case .float: "a float"
    case .string: "a string"
    case .list: "a list"
    case .tuple: "a tuple"
    case .dictionary: "a dict"
    case .range: "a range"
    case .view: "a view of a dict"
    case .iterator: "an iterator"
    case .namespace: "a namespace"
    case .loop: "a loop"
    case .function, .method: "a function"
    case .macro: "a macro"
    }
  }

  var isUndefined: Bool {
    if case .undefined = self { true } else { false }
  }

  /// Levels of containers.
  var depth: Int {
    switch self {
    case .list(let elements), .tuple(let elements): elements.depth
    case .dictionary(let entries): entries.depth
    case .view(let view): view.elements.depth
    case .iterator(let iterator): iterator.depth
    case .method(let receiver, _): receiver.depth + 1
    default: 0
    }
  }

  /// Steps that walking the whole value takes; it saturates, since shared parts can make a value exponentially large.
  var weight: Int {
    switch self {
    case .string(let text): 1 + text.utf8.count / 16
    case .list(let elements), .tuple(let elements): elements.weight
    case .dictionary(let entries): entries.weight
    case .view(let view): view.elements.weight
    default: 1
    }
  }
}

/// A value that is not there. It prints as nothing and is false; other uses are errors with `message`.
struct Undefined {
  let message: String
}

/// The elements of a list or a tuple.
struct Elements {
  let items: [Value]
  let depth: Int
  let weight: Int

  init(_ items: [Value]) {
    self.items = items
    var depth = 0
    var weight = 1
    for item in items {
      depth = max(depth, item.depth)
      weight = min(weight + item.weight, 1 << 40)
    }
    self.depth = depth + 1
    self.weight = weight
  }
}

/// The entries of a dictionary.
struct Entries {
  let map: OrderedMap<Value, Value>
  let depth: Int
  let weight: Int

  init(_ map: OrderedMap<Value, Value>) {
    self.map = map
    let keys = Elements(map.keys)
    let values = Elements(map.values)
    depth = max(keys.depth, values.depth)
    weight = keys.weight + values.weight
  }

  /// Pairs of key and value.
  var items: [Value] { zip(map.keys, map.values).map { .tuple(Elements([$0, $1])) } }
}

/// What a dictionary's `keys`, `values` or `items` return.
struct DictionaryView {
  enum Kind: String {
    case keys = "dict_keys"
    case values = "dict_values"
    case items = "dict_items"
  }

  let kind: Kind
  let elements: Elements
}

/// Python's `range`.
struct IntegerRange {
  let start: Int
  let stop: Int
  let step: Int
  let count: Int

  /// A range, or `nil` when its extent does not fit 64 bits. `step` must not be 0.
  init?(start: Int, stop: Int, step: Int) {
    self.start = start
    self.stop = stop
    self.step = step
    let (distance, overflow) =
      step > 0 ? stop.subtractingReportingOverflow(start) : start.subtractingReportingOverflow(stop)
    guard !overflow, step != Int.min else { return nil }
    count = distance <= 0 ? 0 : (distance - 1) / abs(step) + 1
  }

  func element(_ index: Int) -> Int { start + index * step }

  var items: [Value] { (0..<count).map { .integer(element($0)) } }
}

/// Values that can be walked once, each made when it is asked for.
final class ValueIterator {
  /// What becomes of one element of the source; `nil` leaves it out.
  typealias Transform = (Value) throws(ChatTemplateError) -> Value?

  private let source: [Value]
  private var position = 0
  private let transform: Transform?
  /// Levels of containers, the iterators that this one draws from included.
  let depth: Int

  init(_ source: [Value], depth: Int, transform: Transform?) {
    self.source = source
    self.depth = depth
    self.transform = transform
  }

  func next() throws(ChatTemplateError) -> Value? {
    while position < source.count {
      position += 1
      guard let transform else { return source[position - 1] }
      if let value = try transform(source[position - 1]) { return value }
    }
    return nil
  }

  /// Everything not yet taken.
  func rest() throws(ChatTemplateError) -> [Value] {
    var rest: [Value] = []
    while let value = try next() { rest.append(value) }
    return rest
  }
}

/// The object that `namespace()` makes; its attributes are what `set` can change from within a loop.
final class Namespace {
  var attributes: OrderedMap<Text, Value>

  init(_ attributes: OrderedMap<Text, Value>) { self.attributes = attributes }
}
