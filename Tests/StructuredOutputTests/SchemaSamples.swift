/// Schemas of many kinds, with texts that belong and texts that do not.
struct SchemaSample: Sendable, CustomStringConvertible {
  let schema: String
  var accepted: [String] = []
  var rejected: [String] = []
  var description: String { schema }

  static let all: [SchemaSample] =
    [
      SchemaSample(
        schema:
          #"{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"}},"required":["name"]}"#,
        accepted: [
          #"{"name":"A"}"#, #"{"name": "A", "age": 3}"#, "{\n  \"name\": \"A\",\n  \"age\": -30\n}",
          #"{"name":"\u00e9\n"}"#,
        ],
        rejected: [
          "{}", #"{"age": 3}"#, #"{"age": 3, "name": "A"}"#, #"{"name": "A", "x": 1}"#, #"{"name": "A", "age": 3.5}"#,
          #"{"name": "A""#, #"{"name":  "A"}"#, #"{"name": "A"} "#, #"{"name": "A", "age": 03}"#,
          #"{"name": "\ud800"}"#,
        ]),
      SchemaSample(
        schema:
          #"{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"},"c":{"type":"integer"}}}"#,
        accepted: ["{}", "{ }", #"{"a":1}"#, #"{"b":1,"c":2}"#, #"{"a": 1, "c": 2}"#],
        rejected: [#"{"b":1,"a":2}"#, "{,}"]),
      SchemaSample(
        schema:
          #"{"type":"object","properties":{"id":{"type":"integer"}},"required":["id"],"additionalProperties":{"type":"boolean"}}"#,
        accepted: [#"{"id": 1}"#, #"{"id": 1, "x": true, "y": false}"#, #"{"id": 1, "i": true, "idx": false}"#],
        rejected: [#"{"id": 1, "id": true}"#, #"{"id": 1, "x": 2}"#, #"{"id": 1, "\u0069d": true}"#, #"{"x": true}"#]),
      SchemaSample(
        schema: #"{"type":"object","additionalProperties":{"type":"integer"},"minProperties":1,"maxProperties":2}"#,
        accepted: [#"{"x": 1}"#, #"{"x": 1, "y": 2}"#], rejected: ["{}", #"{"x": 1, "y": 2, "z": 3}"#]),
      SchemaSample(
        schema: "true", accepted: ["null", "[1, {\"a\": []}]", "-0.5e10"], rejected: ["", "01", "1.", "+1", "nul"]),
      SchemaSample(schema: "{}", accepted: [#""text""#, "true"], rejected: ["True"]),
      SchemaSample(
        schema: #"{"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":3}"#,
        accepted: ["[1, 2]", "[1,2,3]", "[\n  1,\n  2\n]"], rejected: ["[]", "[1]", "[1,2,3,4]", "[1,2,]"]),
      SchemaSample(
        schema:
          #"{"type":"array","prefixItems":[{"type":"string"},{"type":"boolean"}],"items":{"type":"integer"},"minItems":1}"#,
        accepted: [#"["a"]"#, #"["a", true]"#, #"["a", true, 1, 2]"#], rejected: ["[]", #"[true]"#, #"["a", 1]"#]),
      SchemaSample(
        schema: #"{"type":"array","prefixItems":[{"type":"string"},{"type":"boolean"}],"items":false}"#,
        accepted: ["[]", #"["a"]"#, #"["a",true]"#], rejected: [#"["a",true,1]"#]),
      SchemaSample(
        schema: #"{"type":"array","items":{"type":"null"},"maxItems":0}"#, accepted: ["[]"], rejected: ["[null]"]),
      SchemaSample(
        schema: #"{"enum":["red","green",1,2.5,null,true,[1,2],{"a":1}]}"#,
        accepted: [#""red""#, "1", "2.5", "null", "true", "[1, 2]", "[1,2]", #"{"a": 1}"#],
        rejected: [#""blue""#, "2", "false"]),
      SchemaSample(
        schema: #"{"type":"string","enum":["a",1,"bb\"c"],"minLength":2}"#, accepted: [#""bb\"c""#],
        rejected: [#""a""#, "1"]),
      // The parent says what tells the alternatives apart: that the property is required.
      SchemaSample(
        schema:
          #"{"type":"object","properties":{"action":{"type":"string"}},"required":["action"],"oneOf":[{"properties":{"action":{"const":"go"},"to":{"enum":["n","s"]}},"required":["to"]},{"properties":{"action":{"const":"say"},"text":{"type":"string","maxLength":8}},"required":["text"]}]}"#,
        accepted: [#"{"action": "go", "to": "n"}"#, #"{"action": "say", "text": "hi"}"#],
        rejected: [#"{"action": "go", "text": "hi"}"#, #"{"action": "go"}"#, #"{"action": "fly", "to": "n"}"#]),
      // The same through a reference, from a sibling of allOf, and with types that only the parent narrows.
      SchemaSample(
        schema:
          ##"{"$defs":{"base":{"required":["kind"]}},"allOf":[{"$ref":"#/$defs/base"},{"oneOf":[{"properties":{"kind":{"const":1}}},{"properties":{"kind":{"const":2}}}]}],"type":"object"}"##,
        accepted: [#"{"kind": 1}"#, #"{"kind": 2}"#], rejected: [#"{"kind": 3}"#, "{}"]),
      SchemaSample(
        schema: #"{"type":["integer","string"],"oneOf":[{"type":["integer","null"]},{"type":["string","null"]}]}"#,
        accepted: ["1", #""a""#], rejected: ["null", "true"]),
      SchemaSample(
        schema:
          #"{"type":"object","properties":{"v":{"minimum":1,"oneOf":[{"type":"integer","maximum":5},{"type":"string"}]}},"required":["v"]}"#,
        accepted: [#"{"v": 3}"#, #"{"v": "x"}"#], rejected: [#"{"v": 0}"#, #"{"v": 6}"#]),
      SchemaSample(schema: #"{"const":"yes"}"#, accepted: [#""yes""#], rejected: [#""no""#]),
      SchemaSample(
        schema: #"{"type":"string","minLength":2,"maxLength":4}"#,
        accepted: [#""ab""#, #""äöüß""#, #""\n\n""#, #""😀😀""#, #""\ud83d\ude00b""#],
        rejected: [#""a""#, #""abcde""#, #""\ud83d\ude00""#]),
      SchemaSample(
        schema: #"{"type":"string","pattern":"^[A-Z]{2}-\\d+$"}"#,
        accepted: [#""AB-1""#, #""XY-123""#], rejected: [#""AB-""#, #""ab-1""#, #""AB-1 ""#]),
      SchemaSample(
        schema: #"{"type":"string","pattern":"ab|^x$"}"#, accepted: [#""ab""#, #""--ab--""#, #""x""#],
        rejected: [#""xx""#, #""a""#]),
      SchemaSample(
        schema: #"{"type":"string","pattern":"^[^\"]*\\n$","maxLength":3}"#, accepted: [#""a\n""#],
        rejected: [#""abc\n""#, #""\"\n""#]),
      SchemaSample(
        schema: #"{"type":"string","pattern":"^(a|bc)*?d{2,}.\\u00e9?$"}"#, accepted: [#""abcddx""#, #""dddé""#],
        rejected: [#""abd""#]),
      SchemaSample(
        schema: #"{"type":"string","format":"date"}"#, accepted: [#""2024-02-29""#, #""1999-12-31""#],
        rejected: [#""2023-02-29""#, #""2023-04-31""#, #""2023-13-01""#]),
      SchemaSample(
        schema: #"{"type":"string","format":"uuid"}"#, accepted: [#""123e4567-e89b-12d3-a456-426614174000""#],
        rejected: [#""123""#]),
      SchemaSample(schema: #"{"type":"string","format":"made-up"}"#, accepted: [#""anything""#]),
      SchemaSample(
        schema: #"{"type":"integer","minimum":-5,"maximum":1234}"#,
        accepted: ["-5", "0", "7", "99", "1234", "1000"], rejected: ["-6", "1235", "2000", "-50"]),
      SchemaSample(
        schema: #"{"type":"integer","exclusiveMinimum":0}"#, accepted: ["1", "12345"], rejected: ["0", "-1"]),
      SchemaSample(
        schema: #"{"type":"integer","maximum":-17}"#, accepted: ["-17", "-200"], rejected: ["-16", "0", "5", "-1"]),
      SchemaSample(
        schema: #"{"type":"number","minimum":0,"maximum":1}"#,
        accepted: ["0", "1", "0.5", "1.0", "0.999"], rejected: ["1.01", "-0.1", "2", "1.5"]),
      SchemaSample(
        schema: #"{"type":"number","exclusiveMinimum":0.25,"exclusiveMaximum":2.5}"#,
        accepted: ["0.26", "1", "2.49", "0.2501", "2.4"], rejected: ["0.25", "0.250", "2.5", "2.50", "0.2", "3", "-1"]),
      SchemaSample(
        schema: #"{"type":"number","minimum":-2.5,"maximum":-0.5}"#,
        accepted: ["-2.5", "-1", "-0.5", "-2.50", "-0.51"], rejected: ["-2.51", "-0.4", "0", "-0.49", "1", "-3"]),
      SchemaSample(
        schema: #"{"anyOf":[{"type":"string"},{"type":"integer"}]}"#, accepted: [#""a""#, "1"],
        rejected: ["1.5", "null"]),
      SchemaSample(
        schema: #"{"oneOf":[{"type":"string"},{"type":"null"}]}"#, accepted: [#""a""#, "null"], rejected: ["1"]),
      SchemaSample(
        schema: #"""
          {"oneOf":[{"type":"object","properties":{"kind":{"const":"cat"},"lives":{"type":"integer"}},"required":["kind","lives"]},
          {"type":"object","properties":{"kind":{"const":"dog"},"name":{"type":"string"}},"required":["kind"]}]}
          """#,
        accepted: [#"{"kind": "cat", "lives": 9}"#, #"{"kind": "dog"}"#, #"{"kind": "dog", "name": "x"}"#],
        rejected: [#"{"kind": "cat"}"#, #"{"kind": "cat", "name": "x"}"#, #"{"kind": "cow"}"#]),
      SchemaSample(
        schema:
          #"{"allOf":[{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]},{"properties":{"b":{"type":"string"},"a":{"minimum":5}},"required":["b"]}]}"#,
        accepted: [#"{"a": 5, "b": "x"}"#], rejected: [#"{"a": 4, "b": "x"}"#, #"{"a": 5}"#]),
      SchemaSample(
        schema:
          #"{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},"anyOf":[{"required":["a"]},{"required":["b"]}]}"#,
        accepted: [#"{"a": 1}"#, #"{"b": "x"}"#, #"{"a": 1, "b": "x"}"#], rejected: ["{}"]),
      SchemaSample(
        schema:
          ##"{"$defs":{"node":{"type":"object","properties":{"v":{"type":"integer"},"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},"required":["v","next"]}},"$ref":"#/$defs/node"}"##,
        accepted: [#"{"v": 1, "next": null}"#, #"{"v": 1, "next": {"v": 2, "next": null}}"#],
        rejected: [#"{"v": 1}"#, #"{"v": 1, "next": {}}"#]),
      SchemaSample(
        schema:
          ##"{"type":"object","properties":{"children":{"type":"array","items":{"$ref":"#"}}},"required":["children"]}"##,
        accepted: [#"{"children": []}"#, #"{"children": [{"children": []}, {"children": []}]}"#],
        rejected: [#"{"children": [1]}"#]),
      SchemaSample(schema: #"{"type":["string","null"]}"#, accepted: ["null", #""""#], rejected: ["1"]),
      SchemaSample(schema: #"{"type":"object"}"#, accepted: ["{}", #"{"x": [1, "y"]}"#], rejected: ["[]"]),
      SchemaSample(
        schema:
          #"{"type":"object","properties":{"p":{"type":"object","additionalProperties":false}},"required":["p"],"additionalProperties":false}"#,
        accepted: [#"{"p": {}}"#], rejected: [#"{"p": {"x": 1}}"#]),
      SchemaSample(
        schema: #"{"type":"object","properties":{"a/b~c \"q\"":{"type":"null"}},"required":["a/b~c \"q\"","more"]}"#,
        accepted: [#"{"a/b~c \"q\"": null, "more": 3}"#], rejected: [#"{"more": 3}"#]),
    ] + generated

  /// As generators of schemas write them: pydantic 2 and zod 4.
  static let generated: [SchemaSample] = [
    // dict[str, int]; z.record(z.string(), z.number())
    SchemaSample(
      schema: #"{"type":"object","propertyNames":{"type":"string"},"additionalProperties":{"type":"integer"}}"#,
      accepted: ["{}", #"{"a": 1, "b": 2}"#], rejected: [#"{"a": "x"}"#]),
    // dict[Annotated[str, StringConstraints(pattern=...)], int]
    SchemaSample(
      schema: #"{"type":"object","patternProperties":{"^[a-z]{1,3}$":{"type":"integer"}}}"#,
      accepted: ["{}", #"{"a": 1, "bcd": 2}"#], rejected: [#"{"A": 1}"#, #"{"a": "x"}"#, #"{"abcd": 1}"#]),
    SchemaSample(
      schema:
        #"{"type":"object","properties":{"x_id":{"maximum":9},"n":{"type":"null"}},"required":["x_id"],"patternProperties":{"^x_":{"type":"integer"},"y$":{"minimum":5}},"additionalProperties":{"type":"string"}}"#,
      accepted: [#"{"x_id": 9}"#, #"{"x_id": 1, "n": null, "x_a": 2, "x_y": 7, "q": "s", "y": 5}"#],
      rejected: [#"{"x_id": 10}"#, #"{"x_id": "a"}"#, #"{"x_id": 1, "x_y": 4}"#, #"{"x_id": 1, "q": 1}"#]),
    SchemaSample(
      schema:
        #"{"type":"object","patternProperties":{"^s":{"type":"string","maxLength":3}},"additionalProperties":false}"#,
      accepted: ["{}", #"{"s": "a"}"#], rejected: [#"{"t": "a"}"#]),
    // dict[Literal["a", "b"], bool]
    SchemaSample(
      schema:
        #"{"type":"object","propertyNames":{"enum":["a","b"]},"additionalProperties":{"type":"boolean"}}"#,
      accepted: ["{}", #"{"b": true}"#, #"{"a": true, "b": false}"#],
      rejected: [#"{"c": true}"#, #"{"a": 1}"#, #"{"a": true, "a": true}"#]),
    SchemaSample(
      schema:
        #"{"type":"object","properties":{"abc":{}},"propertyNames":{"anyOf":[{"pattern":"^a","maxLength":2},{"const":"zz"}]},"additionalProperties":{"type":"null"}}"#,
      accepted: ["{}", #"{"a": null, "zz": null}"#], rejected: [#"{"abc": 1}"#, #"{"b": null}"#, #"{"zzz": null}"#]),
    // set[Literal["x", "y", "z"]]
    SchemaSample(
      schema: #"{"type":"array","items":{"enum":["x","y","z"]},"uniqueItems":true,"minItems":1}"#,
      accepted: [#"["y"]"#, #"["z", "x", "y"]"#], rejected: ["[]", #"["x", "x"]"#, #"["x", "y", "x"]"#]),
    SchemaSample(
      schema: #"{"type":"array","items":{"type":["boolean","null"]},"uniqueItems":true,"maxItems":2}"#,
      accepted: ["[]", "[true, null]"], rejected: ["[true, false, null]", "[true,true]"]),
    // Field(multiple_of=5); z.number().multipleOf(0.25)
    SchemaSample(
      schema: #"{"type":"integer","multipleOf":5,"minimum":-10,"maximum":1000}"#,
      accepted: ["0", "-5", "35", "1000"], rejected: ["1", "-15", "1005", "12"]),
    SchemaSample(schema: #"{"type":"number","multipleOf":7}"#, accepted: ["14", "-7", "0"], rejected: ["15", "7.5"]),
    SchemaSample(
      schema: #"{"type":"number","multipleOf":0.25}"#, accepted: ["1", "0.25", "-3.5", "2.50"],
      rejected: ["0.3", "0.251", "1.125"]),
    SchemaSample(
      schema: #"{"type":"number","multipleOf":0.01,"minimum":0,"exclusiveMaximum":10}"#,
      accepted: ["0", "9.99", "0.1"], rejected: ["10", "0.001", "-0.01"]),
    // Decimal
    SchemaSample(
      schema:
        #"{"anyOf":[{"type":"number"},{"type":"string","pattern":"^(?!^[-+.]*$)[+-]?0*\\d*\\.?\\d*$"},{"type":"null"}]}"#,
      accepted: ["1.5", #""-12.50""#, #"".5""#, "null"], rejected: [#""""#, #""+""#, #""-.""#, #""1a""#]),
    // z.email()
    SchemaSample(
      schema:
        #"{"type":"string","pattern":"^(?!\\.)(?!.*\\.\\.)([A-Za-z0-9_'+\\-\\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\\-]*\\.)+[A-Za-z]{2,}$","maxLength":24}"#,
      accepted: [#""a.b@c.de""#], rejected: [#"".a@c.de""#, #""a..b@c.de""#, #""a.@c.de""#]),
    SchemaSample(
      schema: #"{"type":"string","pattern":"^(?=[ -~]*[0-9])(?=[ -~]*[a-z])[ -~]{4,6}$"}"#,
      accepted: [#""ab12""#, #""1___z""#], rejected: [#""abcd""#, #""1234""#, #""a1""#]),
    // HttpUrl, timedelta, IPv6Address
    SchemaSample(
      schema: #"{"type":"string","format":"uri","minLength":1,"maxLength":2083}"#,
      accepted: [#""https://example.com/a/b?c=d""#, #""ftp://h""#], rejected: [#""""#]),
    SchemaSample(
      schema: #"{"type":"string","format":"duration"}"#, accepted: [#""P3D""#, #""PT1H30M""#, #""P1Y2M3DT4H""#],
      rejected: [#""P""#, #""1h""#, #""PT""#]),
    SchemaSample(
      schema: #"{"type":"string","format":"ipv6"}"#, accepted: [#""::1""#, #""2001:db8::8a2e:370:7334""#, #""::""#],
      rejected: [#""1::2::3""#, #""12345::""#, #""1:2:3""#]),
    // z.int() and z.never()
    SchemaSample(
      schema: #"{"type":"integer","minimum":-9007199254740991,"maximum":9007199254740991}"#, accepted: ["-3", "42"],
      rejected: ["1.5"]),
    SchemaSample(
      schema: #"{"type":"object","properties":{"a":{"type":"integer"},"b":{"not":{}}},"required":["a"]}"#,
      accepted: [#"{"a": 1}"#], rejected: [#"{"a": 1, "b": 2}"#]),
    // A `oneOf` that is shared, and told apart by what stands around it.
    SchemaSample(
      schema: ##"""
        {"$defs":{"u":{"oneOf":[{"properties":{"k":{"const":1}}},{"properties":{"k":{"const":2}}}]}},"type":"object",
        "required":["x","y"],"properties":{"x":{"type":"object","required":["k"],"allOf":[{"$ref":"#/$defs/u"}]},
        "y":{"required":["k"],"type":"object","$ref":"#/$defs/u"}}}
        """##,
      accepted: [#"{"x": {"k": 1}, "y": {"k": 2}}"#], rejected: [#"{"x": {"k": 3}, "y": {"k": 2}}"#]),
    // A `oneOf` whose branches differ by a property that leads back to it.
    SchemaSample(
      schema: ##"""
        {"type":"object","required":["next"],"properties":{"next":true},"additionalProperties":false,
        "oneOf":[{"properties":{"next":{"type":"null"}}},{"properties":{"next":{"$ref":"#"}}}]}
        """##,
      accepted: [#"{"next": null}"#, #"{"next": {"next": null}}"#], rejected: [#"{"next": 1}"#, "{}"]),
    // Integers beyond 64 bits are compared digit by digit, and with numbers by value.
    SchemaSample(
      schema: #"{"const":18446744073709551616,"enum":[18446744073709551617,1.8446744073709551616e19]}"#,
      accepted: ["18446744073709551616"], rejected: ["18446744073709551617"]),
    // tuple[int, str]
    SchemaSample(
      schema:
        #"{"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}],"minItems":2,"maxItems":2}"#,
      accepted: [#"[1, "a"]"#], rejected: ["[1]", #"[1, "a", 2]"#]),
    // Annotated[Cat | Dog, Field(discriminator="kind")]
    SchemaSample(
      schema: ##"""
        {"$defs":{"Cat":{"properties":{"kind":{"const":"cat","default":"cat","title":"Kind","type":"string"}},"title":"Cat","type":"object"},
        "Dog":{"properties":{"kind":{"const":"dog","title":"Kind","type":"string"},"age":{"anyOf":[{"type":"integer"},{"type":"null"}],"default":null}},"required":["kind"],"title":"Dog","type":"object"}},
        "discriminator":{"mapping":{"cat":"#/$defs/Cat","dog":"#/$defs/Dog"},"propertyName":"kind"},"anyOf":[{"$ref":"#/$defs/Cat"},{"$ref":"#/$defs/Dog"}]}
        """##,
      accepted: [#"{"kind": "cat"}"#, #"{"kind": "dog", "age": null}"#], rejected: [#"{"kind": "cow"}"#]),
  ]
}
