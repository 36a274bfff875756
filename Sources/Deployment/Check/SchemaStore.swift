internal import Foundation
internal import JSON

/// Schemas by kind: Kubernetes' own from a folder, custom resources from their definitions or from those that come with
/// the program.
struct SchemaStore {
  /// Where a schema came from.
  struct Schema {
    let value: JSONValue
    let source: String
    let isStrict: Bool
    let definitions: JSONObject
  }

  let version: KubernetesVersion
  private let folder: String
  private let definitions: JSONObject
  private let custom: [String: Schema]

  /// - Parameters:
  ///   - directory: holds `v1.34.0-local-strict` and its like, as the PyPI package `kubernetes-validate` and
  ///     github.com/yannh/kubernetes-json-schema lay them out.
  ///   - custom: schemas of custom resources by `apiVersion/kind`.
  /// - Throws: `DeploymentError` when the version is not there.
  init(directory: String, version: KubernetesVersion, custom: [String: Schema]) throws(DeploymentError) {
    let candidates = ["local-strict", "standalone-strict", "local", "standalone"].map { "v\(version).0-\($0)" }
    let folders = candidates.map { directory + "/" + $0 }
    guard let folder = folders.first(where: { FileManager.default.fileExists(atPath: $0 + "/deployment-apps-v1.json") })
    else {
      let known = ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).filter {
        $0.hasSuffix("-local-strict") || $0.hasSuffix("-standalone-strict")
      }.sorted()
      throw DeploymentError(
        "'\(directory)' has no schemas of Kubernetes \(version); it has \(known.isEmpty ? "none at all" : known.joined(separator: ", "))"
      )
    }
    self.folder = folder
    self.version = version
    self.custom = custom
    if let data = FileManager.default.contents(atPath: folder + "/_definitions.json") {
      let file = try JSONValue.json(data, name: folder + "/_definitions.json")
      definitions = file["$defs"]?.object ?? file["definitions"]?.object ?? JSONObject()
    } else {
      definitions = JSONObject()
    }
  }

  /// The schema of a kind, if there is one.
  func schema(apiVersion: String, kind: String) throws(DeploymentError) -> Schema? {
    if let schema = custom["\(apiVersion)/\(kind)"] { return schema }
    let parts = apiVersion.split(separator: "/").map { $0.split(separator: ".").first.map(String.init) ?? "" }
    let name = ([kind.lowercased()] + parts).joined(separator: "-")
    guard name.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "-" }),
      let data = FileManager.default.contents(atPath: "\(folder)/\(name).json")
    else { return nil }
    return Schema(
      value: try JSONValue.json(data, name: name + ".json"), source: "Kubernetes \(version)", isStrict: false,
      definitions: definitions)
  }

  /// Those that come with the program: the fields that it writes, by hand from each API's reference.
  static func builtIn() throws(DeploymentError) -> [String: Schema] {
    let file = try JSONValue.json(Data(Scripts.customResources), name: "custom-resources.json")
    let shared = file["definitions"]?.object ?? JSONObject()
    var schemas: [String: Schema] = [:]
    for (name, entry) in file["resources"]?.object?.pairs ?? [] {
      guard let schema = entry["schema"], let source = entry["source"]?.string else { continue }
      schemas[name] = Schema(value: schema, source: source, isStrict: true, definitions: shared)
    }
    return schemas
  }

  /// Schemas inside `CustomResourceDefinition`s: every YAML file of a folder, or one file.
  static func definitions(at path: String) throws(DeploymentError) -> [String: Schema] {
    var schemas: [String: Schema] = [:]
    for document in try ManifestReader.documents(at: path) {
      guard document.value["kind"]?.string == "CustomResourceDefinition",
        let group = document.value["spec", "group"]?.string, let kind = document.value["spec", "names", "kind"]?.string
      else { continue }
      for version in document.value["spec", "versions"]?.elements ?? [] {
        guard let name = version["name"]?.string, let schema = version["schema", "openAPIV3Schema"] else { continue }
        schemas["\(group)/\(name)/\(kind)"] = Schema(
          value: schema.open(["apiVersion", "kind", "metadata"]), source: document.file, isStrict: true,
          definitions: JSONObject())
      }
    }
    guard !schemas.isEmpty else { throw DeploymentError("'\(path)' has no CustomResourceDefinition") }
    return schemas
  }
}

extension JSONValue {
  /// An object's schema whose fields of every object are not looked into.
  fileprivate func open(_ names: [String]) -> JSONValue {
    guard case .object(var members) = self else { return self }
    var properties = members["properties"]?.object ?? JSONObject()
    for name in names { properties[name] = [:] }
    members["properties"] = .object(properties)
    return .object(members)
  }
}
