package import JSON
package import Tokenization

/// The form that a request asks its answer to have.
package enum ResponseFormat: Sendable, Equatable {
  case text
  case jsonObject
  /// JSON of a schema; `path` is where the schema stands in the request.
  case jsonSchema(JSONValue, path: String)
  /// One of some texts.
  case choice([String], path: String)
  /// Text that a regular expression matches as a whole.
  case regex(String, path: String)

  /// What the body of a request asks for: OpenAI's `response_format`, vLLM's `structured_outputs` and its older
  /// `guided_json`, `guided_regex` and `guided_choice`, llama.cpp's `json_schema`.
  ///
  /// - Throws: `ConstraintError` naming the path of what is malformed or not supported, and for two forms at once.
  package init(request: JSONValue) throws(ConstraintError) {
    var found: [(format: ResponseFormat, path: String)] = []
    if let format = Self.member("response_format", of: request) {
      let format = try ResponseFormat(responseFormat: format, at: "/response_format")
      if format != .text { found.append((format, "/response_format")) }
    }
    if let outputs = Self.member("structured_outputs", of: request) {
      let kinds = [
        ("json", Kind.json), ("json_object", .jsonObject), ("regex", .regex), ("choice", .choice),
        ("grammar", .unsupported), ("structural_tag", .unsupported), ("whitespace_pattern", .unsupported),
        ("disable_any_whitespace", .switchedOff), ("disable_additional_properties", .switchedOff),
      ]
      found += try Self.read(kinds, of: outputs, at: "/structured_outputs")
    }
    let guided = [
      ("guided_json", Kind.json), ("guided_regex", .regex), ("guided_choice", .choice),
      ("guided_grammar", .unsupported), ("guided_whitespace_pattern", .unsupported),
      // llama.cpp's names.
      ("json_schema", .json), ("grammar", .unsupported),
    ]
    found += try Self.read(guided, of: request, at: "")
    guard found.count <= 1 else {
      throw ConstraintError(
        path: found[1].path, message: "asks for a form of the answer, as \(found[0].path) does; expected one of them")
    }
    self = found.first?.format ?? .text
  }

  /// OpenAI's `response_format`: `{"type": "text" | "json_object" | "json_schema", "json_schema": {"schema": …}}`.
  package init(responseFormat: JSONValue, at path: String = "/response_format") throws(ConstraintError) {
    switch responseFormat["type"]?.string {
    case "text": self = .text
    case "json_object":
      // llama.cpp and others take a schema here.
      guard let schema = Self.member("schema", of: responseFormat) else {
        self = .jsonObject
        break
      }
      self = .jsonSchema(schema, path: path + "/schema")
    case "json_schema":
      guard let description = responseFormat["json_schema"], case .object = description else {
        throw ConstraintError(path: path + "/json_schema", message: "is missing; expected an object with a schema")
      }
      // vLLM's older clients write the schema under its own name.
      guard let schema = description["schema"] ?? description["json_schema"] else {
        throw ConstraintError(path: path + "/json_schema/schema", message: "is missing; expected a JSON schema")
      }
      self = .jsonSchema(schema, path: path + "/json_schema/schema")
    default:
      throw ConstraintError(
        path: path + "/type",
        message:
          "is \(responseFormat["type"]?.serialized() ?? "missing"); expected \"text\", \"json_object\" or \"json_schema\""
      )
    }
  }

  private enum Kind {
    case json, jsonObject, regex, choice, unsupported
    /// Not supported unless it is false.
    case switchedOff
  }

  private static func member(_ name: String, of value: JSONValue) -> JSONValue? {
    guard let member = value[name], member != .null else { return .none }
    return member
  }

  private static func read(
    _ kinds: [(name: String, kind: Kind)], of value: JSONValue, at path: String
  ) throws(ConstraintError) -> [(format: ResponseFormat, path: String)] {
    var found: [(format: ResponseFormat, path: String)] = []
    for (name, kind) in kinds {
      guard let argument = member(name, of: value) else { continue }
      let place = path + "/" + name
      let format: ResponseFormat
      switch kind {
      case .json:
        guard let text = argument.string else {
          format = .jsonSchema(argument, path: place)
          break
        }
        do { format = .jsonSchema(try JSONValue(parsing: text), path: place) } catch {
          throw ConstraintError(path: place, message: "is not JSON: \(error)")
        }
      case .jsonObject:
        guard argument == .bool(true) else { continue }
        format = .jsonObject
      case .regex:
        guard let expression = argument.string else {
          throw ConstraintError(path: place, message: "is \(argument.kind); expected a regular expression")
        }
        format = .regex(expression, path: place)
      case .choice:
        guard let texts = argument.array, texts.allSatisfy({ $0.string != nil }) else {
          throw ConstraintError(path: place, message: "is \(argument.kind); expected a list of strings")
        }
        format = .choice(texts.compactMap(\.string), path: place)
      case .switchedOff where argument == .bool(false): continue
      case .unsupported, .switchedOff: throw ConstraintError(path: place, message: "'\(name)' is not supported")
      }
      found.append((format, place))
    }
    return found
  }
}

extension ResponseFormat {
  /// Tells formats apart in what is kept of them.
  var key: String {
    switch self {
    case .text: "text"
    case .jsonObject: "json_object"
    case .jsonSchema(let schema, let path): "json_schema \(path) \(schema.serialized())"
    case .choice(let texts, _): "choice " + texts.map(\.quotedAsJSON).joined(separator: ",")
    case .regex(let expression, let path): "regex \(path) \(expression)"
    }
  }
}

extension GrammarBuilder {
  /// The texts of a format that is not free text.
  mutating func node(of format: ResponseFormat) throws -> Int {
    switch format {
    case .text: return try choice([])
    case .jsonObject: return try JSONGrammar(&self).object
    case .jsonSchema(let schema, let path):
      return try SchemaCompiler.compile(schema, into: &self, at: path, budget: budget)
    case .choice(let texts, let path):
      guard !texts.isEmpty else {
        throw ConstraintError(path: path, message: "is empty; expected strings to choose from")
      }
      return try literals(texts)
    case .regex(let expression, let path):
      do {
        let language = try SchemaRegex.match(expression) { .scalars($0) }
        let automaton = try SchemaSteps.withWork(budget) { work throws(ByteAutomaton.TooLarge) in
          try language.automaton(work: &work)
        }
        return try automaton.map { try terminal($0) } ?? choice([])
      } catch let failure as SchemaRegex.Failure {
        throw ConstraintError(path: path, message: "the expression \(failure.message)")
      } catch {
        throw ConstraintError(path: path, message: "the expression is too complex to compile")
      }
    }
  }
}

extension ConstraintCompiler {
  /// The constraint that keeps an answer to a format, made within `budget`; `nil` for free text.
  ///
  /// - Throws: `ConstraintError` whose path leads from the request's body to what cannot be kept to.
  package func constraint(
    for format: ResponseFormat, reasoning: ReasoningPrefix = .none, budget: WorkBudget? = nil
  ) throws(ConstraintError) -> GrammarConstraint? {
    switch format {
    case .text: nil
    case .jsonObject: try jsonObject(reasoning: reasoning)
    case .jsonSchema(let schema, let path): try jsonSchema(schema, at: path, reasoning: reasoning, budget: budget)
    case .choice(let texts, let path): try choice(texts, at: path, reasoning: reasoning, budget: budget)
    case .regex(let expression, let path): try regex(expression, at: path, reasoning: reasoning, budget: budget)
    }
  }
}
