import JSON
import TestSupport

/// Schemas made up at random, of keywords that can be kept to; every one has short texts.
struct RandomSchema {
  var generator: SeededGenerator

  init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

  /// An object of a few properties.
  mutating func object(depth: Int = 2) -> JSONValue {
    var names = ["name", "age", "city", "items", "tags", "email", "id", "price"].shuffled(using: &generator)
    names = Array(names.prefix(Int.random(in: 1...4, using: &generator)))
    let properties = names.map { ($0, value(depth: depth - 1)) }
    var schema = JSONObject([("type", "object"), ("properties", .object(JSONObject(properties)))])
    schema["required"] = .array(names.filter { _ in Bool.random(using: &generator) }.map { .string($0) })
    if Int.random(in: 0..<4, using: &generator) == 0 { schema["additionalProperties"] = false }
    return .object(schema)
  }

  private mutating func value(depth: Int) -> JSONValue {
    switch Int.random(in: 0..<(depth > 0 ? 11 : 8), using: &generator) {
    case 0: return ["type": "string", "maxLength": .integer(Int.random(in: 3...12, using: &generator))]
    case 1: return ["type": "string", "pattern": "^[A-Z][a-z]{1,8}( [A-Z][a-z]{1,8})?$"]
    case 2: return ["type": "integer", "minimum": 0, "maximum": .integer(Int.random(in: 1...500, using: &generator))]
    case 3: return ["type": "number", "exclusiveMinimum": -1.5, "maximum": 99.5]
    case 4: return ["type": "boolean"]
    case 5: return ["enum": ["red", "green", "dark blue", 3, nil]]
    case 6: return ["type": ["integer", "null"]]
    case 7: return ["const": "fixed value"]
    case 8:
      let least = Int.random(in: 0...2, using: &generator)
      return [
        "type": "array", "items": value(depth: depth - 1), "minItems": .integer(least),
        "maxItems": .integer(least + Int.random(in: 0...2, using: &generator)),
      ]
    case 9: return ["anyOf": [value(depth: depth - 1), value(depth: depth - 1)]]
    default: return object(depth: depth - 1)
    }
  }
}
