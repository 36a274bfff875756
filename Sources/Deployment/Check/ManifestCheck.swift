internal import Foundation
internal import JSON

/// A place in a manifest that must change.
package struct ManifestFinding: Sendable, Equatable, Codable, CustomStringConvertible {
  package let file: String
  /// Kind and name.
  package let object: String
  package let path: String
  package let found: String
  package let expected: String
  /// What says so: a Kubernetes version, a custom resource's definition, or `policy`.
  package let rule: String

  init(
    _ document: ManifestReader.Document, path: String, found: String, expected: String, rule: String
  ) {
    file = document.file
    object = "\(document.kind.isEmpty ? "?" : document.kind)/\(document.name)"
    self.path = path.isEmpty ? "." : path
    self.found = found
    self.expected = expected
    self.rule = rule
  }

  package var description: String { "\(file): \(object): \(path): found \(found); expected \(expected) [\(rule)]" }
}

/// Checks manifests without a cluster.
package struct ManifestCheck: Sendable {
  /// What was checked and what was found.
  package struct Report: Sendable, Equatable, Codable {
    package let files: Int
    package let objects: Int
    /// Kubernetes versions whose schemas were compared; none when there was no folder with schemas.
    package let versions: [String]
    package let findings: [ManifestFinding]
    package var isClean: Bool { findings.isEmpty }
  }

  /// Folder with Kubernetes' JSON schemas; `nil` leaves those of its own kinds out.
  package var schemas: String?
  package var versions: [KubernetesVersion]
  /// Files with `CustomResourceDefinition`s, in place of the schemas that come with the program.
  package var definitions: [String]

  package init(schemas: String?, versions: [KubernetesVersion], definitions: [String] = []) {
    self.schemas = schemas
    self.versions = versions
    self.definitions = definitions
  }

  /// Checks a folder or a file.
  ///
  /// - Throws: `DeploymentError` for what cannot be read at all.
  package func run(_ path: String) throws(DeploymentError) -> Report {
    try run(try ManifestReader.documents(at: path))
  }

  /// Checks a stream of documents.
  package func run(text: String, name: String) throws(DeploymentError) -> Report {
    try run(try ManifestReader.documents(text: text, shown: name))
  }

  private func run(_ documents: [ManifestReader.Document]) throws(DeploymentError) -> Report {
    // Kustomize's own files, and a chart's, are no objects of a cluster.
    let objects = documents.filter { $0.kind != "Kustomization" && !Self.isOfChart($0.file) }
    guard !objects.isEmpty else { throw DeploymentError("there are no objects to check") }
    var custom = try SchemaStore.builtIn()
    for path in definitions { custom.merge(try SchemaStore.definitions(at: path)) { $1 } }
    var findings = objects.flatMap(Self.form)
    if let schemas {
      for version in versions {
        let store = try SchemaStore(directory: schemas, version: version, custom: custom)
        for object in objects { findings += try compare(object, store) }
      }
    } else {
      for object in objects {
        if let schema = custom["\(object.apiVersion)/\(object.kind)"] { findings += compare(object, schema) }
      }
    }
    findings += Policy.findings(in: objects)
    // A custom resource's schema is the same for every version of Kubernetes.
    var seen = Set<String>()
    let unique = findings.filter { seen.insert("\($0)").inserted }
    return Report(
      files: Set(objects.map(\.file)).count, objects: objects.count,
      versions: schemas == nil ? [] : versions.map(\.description), findings: unique)
  }

  private static func isOfChart(_ file: String) -> Bool {
    let name = file.split(separator: "/").last ?? ""
    return name == "Chart.yaml" || name == "values.yaml"
  }

  /// Every object says what it is.
  private static func form(_ document: ManifestReader.Document) -> [ManifestFinding] {
    var findings: [ManifestFinding] = []
    for field in ["apiVersion", "kind"] where (document.value[field]?.string ?? "").isEmpty {
      findings.append(
        ManifestFinding(
          document, path: field, found: document.value[field]?.shown ?? "nothing", expected: "a string", rule: "form"))
    }
    if document.value["metadata", "name"]?.string?.wholeMatch(of: /[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/) == nil {
      findings.append(
        ManifestFinding(
          document, path: "metadata.name", found: document.value["metadata", "name"]?.shown ?? "nothing",
          expected: "lower-case letters, digits, - and . (RFC 1123)", rule: "form"))
    }
    return findings
  }

  private func compare(
    _ document: ManifestReader.Document, _ store: SchemaStore
  ) throws(DeploymentError) -> [ManifestFinding] {
    guard let schema = try store.schema(apiVersion: document.apiVersion, kind: document.kind) else {
      return [
        ManifestFinding(
          document, path: "apiVersion", found: "\(document.apiVersion) \(document.kind), of which there is no schema",
          expected: "a kind of this version, or its definition with --crds", rule: "Kubernetes \(store.version)")
      ]
    }
    return compare(document, schema)
  }

  private func compare(_ document: ManifestReader.Document, _ schema: SchemaStore.Schema) -> [ManifestFinding] {
    let validator = SchemaValidator(definitions: schema.definitions, isStrict: schema.isStrict)
    return validator.mismatches(of: document.value, with: schema.value).map {
      ManifestFinding(document, path: $0.path, found: $0.found, expected: $0.expected, rule: schema.source)
    }
  }
}
