/// An object and the file that it is written to.
package struct Manifest: Sendable {
  /// Part of the tree: a folder that overlays combine.
  package enum Part: String, Sendable, CaseIterable {
    /// What all servers share.
    case base
    case speculative = "servers/speculative"
    case baseline = "servers/baseline"
    case compileSpeculative = "compile/speculative"
    case compileBaseline = "compile/baseline"
    case benchmark, autoscaling, monitoring, gateway
    /// Drafts and windows, one after another; and the page about them.
    case sweep
    case sweepReport = "sweep-report"
    /// Routes of two deployments: a share, all, none.
    case share = "routes/share"
    case promote = "routes/promote"
    case rollback = "routes/rollback"
  }

  package let part: Part
  /// The file's name, without extension.
  package let file: String
  package let object: any KubernetesObject
  /// Fields that a Helm chart leaves open.
  package let openFields: [OpenField]
  /// Where else the namespace stands, beside the object's own: a chart puts the release's there.
  let namespaces: [[OpenField.PathStep]]

  init(
    _ part: Part, _ file: String, _ object: some KubernetesObject, open: [OpenField] = [],
    namespaces: [[OpenField.PathStep]] = []
  ) {
    self.part = part
    self.file = file
    self.object = object
    openFields = open
    self.namespaces = namespaces
  }
}

/// A field whose value a chart's user may set.
package struct OpenField: Sendable, Equatable {
  /// Where it is in the object: keys, and indices of lists.
  package let path: [PathStep]
  /// Where it is in `values.yaml`.
  package let value: [String]
  /// What stands before the value's own elements, in a list.
  var prefix: [String] = []

  package enum PathStep: Sendable, Equatable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
    case key(String)
    case index(Int)
    package init(stringLiteral value: String) { self = .key(value) }
    package init(integerLiteral value: Int) { self = .index(value) }
  }
}

/// Makes a plan's objects.
package struct ManifestBuilder {
  let plan: DeploymentPlan

  package init(_ plan: DeploymentPlan) { self.plan = plan }

  /// Every object, in the order in which a cluster wants them.
  package func manifests() throws -> [Manifest] {
    var all = shared()
    for variant in plan.variants {
      if plan.compilesAhead { all.append(try compileJob(variant)) }
      all += try server(variant)
    }
    if plan.variants.count == 2 { all.append(try benchmark()) }
    all += try operations()
    return all
  }

  // MARK: Names

  /// `qwen3-32b`, of `Qwen/Qwen3-32B`. Two models never share it: where another name could lead to the same, a part of
  /// the name's hash follows.
  package var modelSlug: String { plan.request.name ?? Self.slug(plan.place) }

  static func slug(_ model: ModelPlace) -> String {
    let last = model.name.split(separator: "/").last.map(String.init) ?? model.name
    let mapped = last.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
    var slug = String(mapped).split(separator: "-").joined(separator: "-")
    // Names of services begin with a letter (RFC 1035).
    if slug.first?.isLetter != true { slug = "m-" + slug }
    let known = ServedModel.knownNames.compactMap { name in (try? ModelPlace(name)).map { ($0, name) } }
    let isKnown = model.isOnHub && known.contains { $0.1 == model.name }
    let isPlain = !model.isOnHub && slug == last && !known.contains { $0.1.lowercased().hasSuffix("/" + last) }
    // "-speculative-compile-", eight characters of a Job's hash, and that within the 63 of a label.
    let longest = 34
    guard isKnown || isPlain, slug.count <= longest else {
      let place = (model.isOnHub ? "hub " : "folder ") + model.name
      return slug.prefix(longest - 9) + "-" + digest(place.utf8).prefix(8)
    }
    return slug
  }

  func name(_ variant: DeploymentPlan.Variant) -> String { "\(modelSlug)-\(variant.rawValue)" }
  var scriptsName: String { "\(modelSlug)-scripts" }
  var volumeName: String { "\(modelSlug)-models" }
  var claimTemplateName: String { "\(modelSlug)-neuron-devices" }
  var accountName: String { modelSlug }
  var poolName: String { "\(modelSlug)-nodes" }

  /// Labels that select the pods of one role.
  func selector(_ component: String, _ instance: String) -> [String: String] {
    ["app.kubernetes.io/component": component, "app.kubernetes.io/instance": instance]
  }

  func labels(_ component: String? = nil, _ instance: String? = nil) -> [String: String] {
    var labels = ["app.kubernetes.io/part-of": modelSlug, "app.kubernetes.io/managed-by": "foretoken"]
    labels["app.kubernetes.io/component"] = component
    labels["app.kubernetes.io/instance"] = instance
    return labels
  }

  func meta(_ name: String, _ component: String? = nil, _ instance: String? = nil) -> ObjectMeta {
    ObjectMeta(name: name, namespace: plan.request.namespace, labels: labels(component, instance))
  }

  func clusterMeta(_ name: String) -> ObjectMeta { ObjectMeta(name: name, labels: labels()) }
}
