/// Nodes for JSON as such: any value, any object.
struct JSONGrammar {
  let value: Int
  let object: Int
  let array: Int
  let string: Int
  let number: Int
  let integer: Int
  let boolean: Int
  let null: Int

  init(_ builder: inout GrammarBuilder) throws {
    value = try builder.reserve()
    string = try builder.terminal(StandardAutomata.string)
    number = try builder.terminal(StandardAutomata.number)
    integer = try builder.terminal(StandardAutomata.integer)
    boolean = try builder.terminal(StandardAutomata.boolean)
    null = try builder.terminal(StandardAutomata.null)
    let space = try builder.terminal(StandardAutomata.optionalSpace)
    let comma = try builder.terminal(StandardAutomata.comma)
    let member = try builder.sequence([
      try builder.terminal(StandardAutomata.string), try builder.terminal(StandardAutomata.colonSpace), value,
    ])
    object = try builder.choice([
      try builder.terminal(StandardAutomata.emptyObject),
      try builder.sequence([
        try builder.terminal(StandardAutomata.openObject), space, member,
        try builder.loop(try builder.sequence([comma, member]), minimum: 0, maximum: nil),
        try builder.terminal(StandardAutomata.closeObject),
      ]),
    ])
    array = try builder.choice([
      try builder.terminal(StandardAutomata.emptyArray),
      try builder.sequence([
        try builder.terminal(StandardAutomata.openArray), space, value,
        try builder.loop(try builder.sequence([comma, value]), minimum: 0, maximum: nil),
        try builder.terminal(StandardAutomata.closeArray),
      ]),
    ])
    builder.fill(value, with: try builder.choice([object, array, string, number, boolean, null]))
  }
}
