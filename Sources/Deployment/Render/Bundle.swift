internal import Foundation

/// How a deployment is written.
package enum BundleFormat: String, Sendable, CaseIterable {
  /// A tree for `kubectl apply -k`: folders with objects, overlays that combine them.
  case kustomize
  case helm
  /// One stream of documents.
  case yaml
}

/// Files of a deployment, by their path.
package struct Bundle: Sendable, Equatable {
  package let files: [(path: String, text: String)]

  package static func == (a: Bundle, b: Bundle) -> Bool {
    a.files.map { [$0.path, $0.text] } == b.files.map { [$0.path, $0.text] }
  }

  package init(_ plan: DeploymentPlan, format: BundleFormat) throws {
    guard plan.request.beside == nil || format == .kustomize else {
      throw DeploymentError(
        "--beside writes routes of which one is applied at a time, so that it needs --format kustomize and --output DIR"
      )
    }
    try self.init(plan, try ManifestBuilder(plan).manifests(), format)
  }

  /// A sweep's files: a tree, or one stream to look at.
  package init(_ sweep: DeploymentSweep, format: BundleFormat) throws {
    guard format != .helm else {
      throw DeploymentError("a sweep is applied part by part, so it is written as kustomize or yaml, not as a chart")
    }
    try self.init(sweep.plan, try ManifestBuilder(sweep.plan).manifests(of: sweep), format)
  }

  private init(_ plan: DeploymentPlan, _ manifests: [Manifest], _ format: BundleFormat) throws {
    let builder = ManifestBuilder(plan)
    let own =
      switch format {
      case .yaml: [("manifests.yaml", try Self.stream(manifests))]
      case .kustomize: try Self.tree(manifests, builder)
      case .helm: try HelmChart(plan, manifests).files
      }
    // A chart's folder has templates alone where Helm looks; what comes before a chart stands beside them.
    files = own + (try ClusterFiles(plan).files) + [("wait.sh", Scripts.wait)]
  }

  /// All objects, one document each.
  package static func stream(_ manifests: [Manifest]) throws -> String {
    YAMLText.join(try manifests.map { try YAMLText.encode($0.object) })
  }

  /// A folder for each part, and overlays: what is applied.
  private static func tree(_ manifests: [Manifest], _ builder: ManifestBuilder) throws -> [(String, String)] {
    var files: [(String, String)] = []
    let parts = Manifest.Part.allCases.filter { part in manifests.contains { $0.part == part } }
    for part in parts {
      let own = manifests.filter { $0.part == part }
      for manifest in own {
        files.append(("\(part.rawValue)/\(manifest.file).yaml", try YAMLText.encode(manifest.object)))
      }
      files.append(
        (
          "\(part.rawValue)/kustomization.yaml",
          try YAMLText.encode(Kustomization(resources: own.map { $0.file + ".yaml" }))
        ))
    }
    for (name, wanted) in overlays(parts) {
      // Applying deletes nothing: what the comparison left running beside the server that is kept gives its devices back.
      let rests = name == "production" && wanted.contains(.baseline) && wanted.contains(.speculative)
      let text = try YAMLText.encode(
        Kustomization(
          replicas: rests ? [.init(count: 0, name: builder.name(.baseline))] : nil,
          resources: wanted.map { "../../\($0.rawValue)" }))
      files.append(("overlays/\(name)/kustomization.yaml", text))
    }
    return files
  }

  /// What is applied, by name, and the parts in it.
  ///
  /// - `compile`: what serving needs, and the jobs that compile for it;
  /// - `comparison`: both servers at fixed size, and the benchmark;
  /// - `sweep`: the server without speculation, and the candidates one after another; `sweep-report`: the page;
  /// - `production`: the server that is kept, watched, scaled and reachable; another one rests, with no replicas.
  ///
  /// They can be applied in any order, and again.
  package static func overlays(_ parts: [Manifest.Part]) -> [(String, [Manifest.Part])] {
    let compile = parts.filter { $0 == .compileSpeculative || $0 == .compileBaseline }
    let servers = parts.filter { $0 == .speculative || $0 == .baseline }
    let operations = parts.filter { [.autoscaling, .monitoring, .gateway].contains($0) }
    var overlays: [(String, [Manifest.Part])] = []
    if !compile.isEmpty { overlays.append(("compile", [.base] + compile)) }
    if parts.contains(.benchmark) { overlays.append(("comparison", [.base] + servers + [.benchmark])) }
    guard !parts.contains(.sweep) else {
      return overlays + [
        ("sweep", [.base] + servers + [.sweep]), ("sweep-report", [.base, .sweepReport]),
      ]
    }
    for route in parts where [.share, .promote, .rollback].contains(route) {
      overlays.append((route.rawValue.replacing("routes/", with: ""), [route]))
    }
    overlays.append(("production", [.base] + servers + operations))
    return overlays
  }

  /// Writes the files under `directory`.
  ///
  /// - Throws: `DeploymentError` when a file cannot be written, or when the directory has other files in it.
  package func write(to directory: String) throws(DeploymentError) {
    let mark = directory + "/.foretoken"
    let manager = FileManager.default
    let present = (try? manager.contentsOfDirectory(atPath: directory)) ?? []
    if manager.fileExists(atPath: directory), !present.isEmpty, !manager.fileExists(atPath: mark) {
      throw DeploymentError("'\(directory)' has files that this command did not write; expected an empty or new folder")
    }
    do {
      // What an earlier call wrote and this one does not would otherwise be applied too.
      let earlier = (try? String(contentsOfFile: mark, encoding: .utf8))?.split(separator: "\n").map(String.init) ?? []
      for path in earlier where !path.hasPrefix("/") && !path.contains("..") {
        try? manager.removeItem(atPath: directory + "/" + path)
      }
      for (path, text) in files {
        let url = URL(fileURLWithPath: directory).appendingPathComponent(path)
        try manager.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
      }
      try Data((files.map(\.path).joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: mark))
    } catch {
      throw DeploymentError("cannot write to '\(directory)': \(error.localizedDescription)")
    }
  }
}
