package import JSON

/// A tool that a model may call.
package struct ToolDefinition: Sendable, Equatable {
  package let name: String
  /// The schema of its arguments; `nil` for any object.
  package let parameters: JSONValue?
  /// Whether the arguments must be kept to the schema (`strict`), or the request be refused.
  package let isStrict: Bool
  /// JSON pointer to the schema in the request.
  let path: String

  package init(name: String, parameters: JSONValue? = nil, isStrict: Bool = false, path: String = "") {
    self.name = name
    self.isStrict = isStrict
    self.parameters = parameters
    self.path = path
  }

  /// The tools of an OpenAI request: `[{"type": "function", "function": {"name": …, "parameters": …}}]`.
  ///
  /// - Throws: `ConstraintError` naming the path of what is missing or wrong.
  package static func list(_ tools: JSONValue, at path: String = "/tools") throws(ConstraintError) -> [ToolDefinition] {
    guard let elements = tools.array else {
      throw ConstraintError(path: path, message: "is \(tools.kind); expected a list of tools")
    }
    var definitions: [ToolDefinition] = []
    var names: Set<String> = []
    for (index, tool) in elements.enumerated() {
      let place = "\(path)/\(index)"
      if let type = tool["type"], type != "function" {
        throw ConstraintError(path: place + "/type", message: "is \(type.serialized()); expected \"function\"")
      }
      guard let function = tool["function"], let name = function["name"]?.string, !name.isEmpty else {
        throw ConstraintError(path: place + "/function/name", message: "is missing; a tool needs a name")
      }
      guard names.insert(name).inserted else {
        throw ConstraintError(path: place + "/function/name", message: "is '\(name)' like an earlier tool's")
      }
      let parameters: JSONValue?
      switch function["parameters"] {
      case .none, .null?: parameters = .none
      case .object(let schema)?: parameters = .object(schema)
      case let other?:
        throw ConstraintError(path: place + "/function/parameters", message: "is \(other.kind); expected a schema")
      }
      definitions.append(
        ToolDefinition(
          name: name, parameters: parameters, isStrict: function["strict"] == .bool(true),
          path: place + "/function/parameters"))
    }
    return definitions
  }
}

/// Which tools an answer may or must call.
package enum ToolChoice: Sendable, Equatable {
  case none
  /// As the model likes.
  case auto
  /// At least one.
  case required
  /// This one.
  case named(String)

  /// The tools that `value` leaves, and whether one must be called: `{"type": "allowed_tools", "allowed_tools": {"mode":
  /// "auto" or "required", "tools": [{"type": "function", "function": {"name": …}}]}}`; `nil` for another choice.
  ///
  /// - Throws: `ConstraintError` for another mode, and for a tool that is not among `tools`.
  package static func allowed(
    _ value: JSONValue, of tools: [ToolDefinition], at path: String = "/tool_choice"
  ) throws(ConstraintError) -> (choice: ToolChoice, tools: [ToolDefinition])? {
    guard value["type"] == "allowed_tools" else { return nil }
    // The newer API has the fields of the inner object beside the type.
    let (wish, place) =
      value["allowed_tools"].map { ($0, path + "/allowed_tools") } ?? (value, path)
    guard let named = wish["tools"]?.array, !named.isEmpty else {
      throw ConstraintError(path: place + "/tools", message: "is missing or empty; expected a list of tools")
    }
    var allowed: [ToolDefinition] = []
    for (index, tool) in named.enumerated() {
      guard let name = tool["function"]?["name"]?.string ?? tool["name"]?.string,
        let known = tools.first(where: { $0.name == name })
      else {
        throw ConstraintError(
          path: "\(place)/tools/\(index)", message: "is \(tool.serialized()), which names none of the tools")
      }
      if !allowed.contains(known) { allowed.append(known) }
    }
    switch wish["mode"] ?? "auto" {
    case "auto": return (.auto, allowed)
    case "required": return (.required, allowed)
    case let other:
      throw ConstraintError(
        path: place + "/mode", message: "is \(other.serialized()); expected \"auto\" or \"required\"")
    }
  }

  /// `"none"`, `"auto"`, `"required"` or `{"type": "function", "function": {"name": …}}`.
  ///
  /// - Throws: `ConstraintError` for anything else, and for a tool that is not among `tools`.
  package init(
    _ value: JSONValue, tools: [ToolDefinition], at path: String = "/tool_choice"
  ) throws(ConstraintError) {
    switch value.string {
    case "none": self = .none
    case "auto": self = .auto
    case "required" where !tools.isEmpty: self = .required
    case "required": throw ConstraintError(path: path, message: "is \"required\", and the request has no tools")
    default:
      guard let name = value["function"]?["name"]?.string ?? value["name"]?.string else {
        throw ConstraintError(
          path: path,
          message: "is \(value.serialized()); expected \"none\", \"auto\", \"required\" or a function by its name")
      }
      guard tools.contains(where: { $0.name == name }) else {
        throw ConstraintError(path: path + "/function/name", message: "is '\(name)', which is none of the tools")
      }
      self = .named(name)
    }
  }
}
