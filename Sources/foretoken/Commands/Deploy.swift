internal import ArgumentParser
internal import Deployment
internal import Foundation
internal import Presentation

/// `foretoken deploy`: Kubernetes manifests, worked out and checked before anything runs.
struct Deploy: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write Kubernetes manifests for vLLM on Trainium or GPUs, or for Foretoken, and check them.",
    discussion: """
      Does the sums first: devices, heads, memory with the draft and the KV cache, vocabularies, compiled shapes; and \
      refuses what cannot hold. The guide is docs/trainium2.md.

      foretoken deploy --engine vllm-neuron --target Qwen/Qwen3-32B --draft Qwen/Qwen3-1.7B --with-baseline --output deploy/
      foretoken deploy … --sweep windows=3,5,7,10 --drafts Qwen/Qwen3-0.6B,Qwen/Qwen3-1.7B --output sweep/
      foretoken deploy --check deploy/
      """)

  @OptionGroup(title: "What to serve") var serving: DeployServingOptions
  @OptionGroup(title: "Where") var place: DeployPlaceOptions
  @OptionGroup(title: "Around the servers") var surroundings: DeploySurroundingOptions
  @OptionGroup(title: "Engine and neighbours") var engine: DeployEngineOptions
  @OptionGroup(title: "Trying drafts and windows") var sweep: DeploySweepOptions
  @OptionGroup(title: "Checking what is there") var checking: DeployCheckOptions

  @Option(
    name: [.short, .long], help: "Folder to write to (default: one YAML stream on standard output).",
    completion: .directory)
  var output: String?

  @Option(help: "How to write: \(BundleFormat.allNames) (default: kustomize with --output, else yaml).")
  var format: BundleFormat?

  @Flag(help: "Print a summary as JSON, in place of the one for people; with --check, the report.")
  var json = false

  func validate() throws {
    if checking.check == nil, serving.engine == nil || serving.target == nil {
      throw ValidationError("--engine and --target say what to deploy (or --check DIR what to check).")
    }
    if output == nil, let format, format != .yaml {
      throw ValidationError("--format \(format.rawValue) has several files; give --output DIR.")
    }
  }

  func run() throws {
    if let path = checking.check {
      try checking.run(path, json: json)
      return
    }
    guard let request = try request() else { throw CleanExit.helpRequest(self) }
    let format = format ?? (output == nil ? .yaml : .kustomize)
    let bundle: Deployment.Bundle
    let summary: DeploymentSummary
    do {
      if request.sweep == nil {
        let plan = try DeploymentPlan(request)
        bundle = try Bundle(plan, format: format)
        summary = try DeploymentSummary(plan, format: format, directory: output)
      } else {
        let sweep = try DeploymentSweep(request)
        bundle = try Bundle(sweep, format: format)
        summary = try DeploymentSummary(sweep, format: format, directory: output)
      }
    } catch let refusal as DeploymentRefusal {
      DeployText.show(refusal, json: json)
      throw ExitCode.failure
    }
    if let output {
      try bundle.write(to: output)
      if json { try emitJSON(summary) } else { DeployText.show(summary, files: bundle.files.count, in: output) }
    } else if json {
      try emitJSON(summary)
    } else {
      // What is done once, and scripts, come with a folder only.
      for file in bundle.files where file.path == "manifests.yaml" { emit(file.text) }
    }
  }

  private func request() throws -> DeploymentRequest? {
    guard var request = try serving.request() else { return nil }
    try place.fill(&request)
    surroundings.fill(&request)
    try engine.fill(&request)
    try sweep.fill(&request)
    return request
  }
}

extension CaseIterable where Self: RawRepresentable, RawValue == String {
  /// For help texts: "a, b or c".
  static var allNames: String {
    let names = allCases.map(\.rawValue)
    guard let last = names.last, names.count > 1 else { return names.first ?? "" }
    return names.dropLast().joined(separator: ", ") + " or " + last
  }
}

extension BundleFormat: ExpressibleByArgument {}
extension ServingEngine: ExpressibleByArgument {}
extension DeviceAllocation: ExpressibleByArgument {}
extension NodeProvisioning: ExpressibleByArgument {}
extension Autoscaling: ExpressibleByArgument {}
extension GatewayRouting: ExpressibleByArgument {}
extension Monitoring: ExpressibleByArgument {}
extension KubernetesVersion: ExpressibleByArgument {
  package init?(argument: String) { self.init(argument) }
}
extension ModelStorage: ExpressibleByArgument {
  /// `hub` says what `emptyDir` means: weights come from the hub.
  package init?(argument: String) { self.init(rawValue: argument == "hub" ? "emptyDir" : argument) }
}
