internal import Yams

/// The same objects as a chart. Nothing is written twice: a template is an object whose open fields are replaced by
/// references to values, and the values' defaults are what stood there.
///
/// References are `{{ toJson .Values.… }}`, for JSON is YAML at any depth and keeps numbers, texts and lists apart.
struct HelmChart {
  let files: [(path: String, text: String)]

  init(_ plan: DeploymentPlan, _ manifests: [Manifest]) throws {
    let name = ManifestBuilder(plan).modelSlug
    var values = Self.switches(plan, manifests)
    var templates: [(String, String)] = []
    for manifest in manifests where !(manifest.part == .base && manifest.file == "namespace") {
      let folder = manifest.part.rawValue.replacing("/", with: "-")
      let text = try Self.template(manifest, &values)
      templates.append(("templates/\(folder)-\(manifest.file).yaml", text))
    }
    let chart = ChartFile(
      appVersion: plan.stack.version, description: "\(plan.target.name) on \(plan.stack.description)",
      // Claims came with the API that is rendered.
      kubeVersion: plan.allocation == .dra && plan.request.kubernetes.minor >= 34
        ? ">=1.34.0-0" : plan.allocation == .dra ? ">=1.32.0-0" : ">=\(KubernetesVersion.oldest).0-0",
      name: name, version: "0.1.0")
    files =
      [("Chart.yaml", try YAMLText.encode(chart)), ("values.yaml", try YAMLText.text(values.node))] + templates
  }

  /// Which parts are installed: compiling comes first and alone, the benchmark when it is asked for.
  private static func switches(_ plan: DeploymentPlan, _ manifests: [Manifest]) -> Values {
    var values = Values()
    let parts = Set(manifests.map(\.part))
    values.set(["servers", "enabled"], to: "true")
    for variant in plan.variants { values.set(["servers", variant.rawValue, "enabled"], to: "true") }
    if plan.compilesAhead { values.set(["compile", "enabled"], to: "false") }
    for part in [Manifest.Part.benchmark, .autoscaling, .monitoring, .gateway] where parts.contains(part) {
      values.set([part.rawValue, "enabled"], to: part == .monitoring ? "true" : "false")
    }
    return values
  }

  /// The condition under which a part is there.
  private static func condition(_ part: Manifest.Part) -> String? {
    switch part {
    // Charts have no sweeps.
    case .base, .sweep, .sweepReport, .share, .promote, .rollback: nil
    case .speculative: "and .Values.servers.enabled .Values.servers.speculative.enabled"
    case .baseline: "and .Values.servers.enabled .Values.servers.baseline.enabled"
    case .compileSpeculative: "and .Values.compile.enabled .Values.servers.speculative.enabled"
    case .compileBaseline: "and .Values.compile.enabled .Values.servers.baseline.enabled"
    case .benchmark, .autoscaling, .monitoring, .gateway: ".Values.\(part.rawValue).enabled"
    }
  }

  private static func template(_ manifest: Manifest, _ values: inout Values) throws -> String {
    var node = try YAMLText.node(manifest.object)
    var references: [String] = []
    func open(_ path: [OpenField.PathStep], _ reference: String) throws -> Node {
      let found = try node.replace(path[...], with: Node(marker(references.count)), in: manifest)
      references.append("{{ toJson \(reference) }}")
      return found
    }
    if manifest.object.metadata.namespace != nil {
      for path in [["metadata", "namespace"]] + manifest.namespaces { _ = try open(path, ".Release.Namespace") }
    }
    // Another template needs another name: the chart's user may open one by a value.
    if manifest.object.kind == "Job" {
      let name = manifest.object.metadata.name
      let base = name.split(separator: "-").dropLast().joined(separator: "-")
      let values = Set(manifest.openFields.map { ".Values." + $0.value.joined(separator: ".") }).sorted()
      _ = try open(
        ["metadata", "name"],
        #"(printf "%s-%s" "\#(base)" (list "\#(name)" \#(values.joined(separator: " ")) | toJson | sha256sum | trunc 8))"#
      )
    }
    for field in manifest.openFields {
      let value = ".Values." + field.value.joined(separator: ".")
      let prefix = field.prefix.map { "\"\($0)\"" }.joined(separator: " ")
      let found = try open(field.path, field.prefix.isEmpty ? value : "(concat (list \(prefix)) \(value))")
      values.set(field.value, to: found.dropping(field.prefix.count))
    }
    var text = try YAMLText.text(node)
    // What is text must stay text: braces in it are no references.
    text = text.replacing("{{", with: "{{ \"{{\" }}")
    // A chart may go into another namespace, and what is asked of Prometheus with it.
    if let namespace = manifest.object.metadata.namespace {
      text = text.replacing(
        "namespace=\"\(namespace)\"", with: "namespace=\"{{ .Release.Namespace }}\"")
    }
    for (index, reference) in references.enumerated() {
      text = text.replacing(marker(index), with: reference)
    }
    guard let condition = condition(manifest.part) else { return text }
    return "{{- if \(condition) }}\n\(text){{- end }}\n"
  }

  /// Stands for a reference while the object is written; nothing else looks like it.
  private static func marker(_ index: Int) -> String { "foretoken-open-field-\(index)-end" }

  /// `values.yaml` while it grows.
  private struct Values {
    private static var empty: Node { .mapping(Node.Mapping([])) }
    private(set) var node = Self.empty

    mutating func set(_ path: [String], to text: String) { set(path, to: Node(text)) }

    mutating func set(_ path: [String], to value: Node) { Self.set(path[...], to: value, in: &node) }

    private static func set(_ path: ArraySlice<String>, to value: Node, in node: inout Node) {
      guard let key = path.first else {
        node = value
        return
      }
      var inner = node[key] ?? empty
      set(path.dropFirst(), to: value, in: &inner)
      node[key] = inner
    }
  }
}

extension Node {
  /// A list without its first elements; anything else as it is.
  fileprivate func dropping(_ count: Int) -> Node {
    guard count > 0, case .sequence(let sequence) = self else { return self }
    return Node(Array(sequence.dropFirst(count)))
  }

  /// Puts `new` in place of what is at `path`, which it returns.
  fileprivate mutating func replace(
    _ path: ArraySlice<OpenField.PathStep>, with new: Node, in manifest: Manifest
  ) throws -> Node {
    guard let step = path.first else {
      defer { self = new }
      return self
    }
    switch step {
    case .key(let key):
      guard var inner = self[key] else { break }
      let found = try inner.replace(path.dropFirst(), with: new, in: manifest)
      self[key] = inner
      return found
    case .index(let index):
      guard case .sequence(var sequence) = self, sequence.indices.contains(index) else { break }
      var inner = sequence[index]
      let found = try inner.replace(path.dropFirst(), with: new, in: manifest)
      sequence[index] = inner
      self = .sequence(sequence)
      return found
    }
    throw DeploymentError("\(manifest.part.rawValue)/\(manifest.file) has no field \(step)")
  }
}
