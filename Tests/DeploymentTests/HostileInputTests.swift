import Decoding
import Foundation
import JSON
import TestSupport
import Testing
import Yams

import Deployment

/// Nothing that comes from outside becomes more than the text that it is: no key, no variable, no word of a shell.
struct HostileInputTests {
  private func request(_ change: (inout DeploymentRequest) -> Void) -> DeploymentRequest {
    var request = Combination(engine: .vllmNeuron, method: .eagle3, storage: .s3, allocation: .dra).request
    change(&request)
    return request
  }

  private static let config = Places.root.path + "/Models/foretoken-reference-target/config.json"

  /// What is refused, and a part of the sentence.
  private static let refused: [(String, @Sendable (inout DeploymentRequest) -> Void)] = [
    ("is no image's name", { $0.image = "::::" }),
    ("is no image's name", { $0.image = "UPPER/case:1" }),
    ("is no image's name", { $0.image = "a/b:" + String(repeating: "x", count: 129) }),
    ("neither a tag nor a digest", { $0.image = "registry.example:5000/a" }),
    ("names no registry", { $0.benchmarkImage = "foretoken:0.1.0" }),
    ("--benchmark-image is missing", { $0.benchmarkImage = nil }),
    ("expected one of structured, open-ended, aws-trainium2, all", { $0.workload = "; rm -rf /" }),
    ("--prometheus is", { $0.prometheus = "javascript:alert(1)" }),
    ("--prometheus is", { $0.prometheus = "http://x\"\n  evil: 1" }),
    ("--prometheus is", { $0.prometheus = "http://user:secret@host" }),
    ("a port from 1 to 65535", { $0.prometheus = "http://host:99999" }),
    ("no two dots", { $0.bucket = "my..bucket" }),
    ("not an IP address", { $0.bucket = "192.168.1.1" }),
    ("'xn--'", { $0.bucket = "xn--abc" }),
    ("'--x-s3'", { $0.bucket = "a--x-s3" }),
    ("a namespace of your own", { $0.namespace = "kube-system" }),
    ("a namespace of your own", { $0.namespace = "default" }),
    ("expected 1.30 or newer", { $0.kubernetes = KubernetesVersion(minor: 28) }),
    ("expected a directory, or ORG/NAME", { $0.draft = "x y; $(id)" }),
    ("expected a directory, or ORG/NAME", { $0.draft = "a/../../b" }),
    ("expected a directory, or ORG/NAME", { $0.draft = "$(HF_TOKEN)" }),
    ("expected a directory, or ORG/NAME", { $0.draft = "-x/y" }),
    ("is a model that stands alone", { $0.draft = "Qwen/Qwen3-0.6B" }),
    ("a branch, tag or commit", { $0.revision = "../main" }),
    ("a branch, tag or commit", { $0.draftRevision = "a b" }),
    ("a region such as", { $0.region = "here" }),
    ("a reservation's id", { $0.capacityBlock = "cr-$(id)" }),
    ("needs --zones", { ($0.region, $0.capacityBlock) = ("us-east-2", "cr-0123456789abcdef0") }),
    ("zones of that region", { ($0.region, $0.zones) = ("us-east-2", ["us-east-2a", "us-east-1b"]) }),
    ("two at least", { ($0.region, $0.zones) = ("us-east-2", ["us-east-2a"]) }),
    ("--tensor-parallel-size is -1", { $0.tensorParallel = -1 }),
    ("GiB are needed", { $0.nodeVolume = 200 }),
    ("expected one of 512, 1024", { ($0.maximumLength, $0.prefillBuckets) = (32_768, [128]) }),
  ]

  @Test(arguments: refused.indices)
  func `each is refused with a sentence`(index: Int) throws {
    let (words, change) = Self.refused[index]
    let problems: [String]
    do {
      _ = try DeploymentPlan(request(change))
      problems = []
    } catch let refusal as DeploymentRefusal {
      problems = refusal.problems
    } catch let error as DeploymentError { problems = [error.description] }
    #expect(problems.contains { $0.contains(words) }, "\(words): \(problems)")
  }

  private static let fields: [@Sendable (inout DeploymentRequest, String) -> Void] = [
    { $0.target = $1 }, { $0.draft = $1 }, { $0.revision = $1 }, { $0.draftRevision = $1 }, { $0.bucket = $1 },
    { ($0.storage, $0.bucket, $0.storageClass) = (.pvc, nil, $1) }, { $0.namespace = $1 }, { $0.image = $1 },
    { $0.benchmarkImage = $1 }, { ($0.nodes, $0.cluster) = (.karpenter, $1) }, { $0.machineImage = $1 },
    { ($0.region, $0.cluster) = ("us-east-2", $1) }, { ($0.region, $0.zones) = ("us-east-2", ["us-east-2a", $1]) },
    { $0.region = $1 },
    { ($0.nodes, $0.capacityBlock) = (.karpenter, $1) }, { $0.apiKeySecret = $1 }, { $0.hubTokenSecret = $1 },
    { $0.prometheus = $1 }, { $0.gateway = $1 }, { $0.workload = $1 }, { $0.instanceType = $1 },
    { $0.engineVersion = $1 },
  ]

  private static let hostile = [
    "yes", "no", "null", "~", "on", "1e3", "0x10", "0o7", "1_000", "12:30:45", "2026-11-27", ".inf", "<<", "=", "-",
    "--",
    "'", "\"", "\\", "a: b", "a #b", "- a", "{a: b}", "[a]", "&a", "*a", "!!binary eA==", "|", ">", "%TAG", "@a",
    "`id`",
    "---\nkind: Secret", "a\nb: c", "a\r\nb", "a\tb", "a\u{0}b", "a\u{85}b", "a\u{2028}b", "\u{202E}a", "🙂", "é",
    "$(id)", "$(HF_TOKEN)", "$$(HF_TOKEN)", "${HOME}", "$HOME", "; touch PWNED", "&& touch PWNED", "| tee PWNED",
    "' ; touch PWNED ; '", "{{ .Values.x }}", "{{- fail \"x\" }}", "{{/* */}}", "../../etc/passwd", "/etc/passwd",
    "a/b", "a/b/c", "A/B:c", "a.b", "a..b", "a--b", "a/yes", "a/1e3", "a:1.0", "a/b:0x10", "http://a", "http://a/{{x}}",
    "https://a:80/b", "-rf", "--version", "%s%n", "", " ", "\n", String(repeating: "a", count: 70),
    String(repeating: "a/", count: 300),
  ]

  /// What the objects say, whatever YAML makes of it.
  private func values(_ manifests: [Manifest]) throws -> [JSONValue] {
    try manifests.map { manifest in
      let encoder = JSONEncoder()
      return try JSONValue.json(try encoder.encode(AnyObjectText(manifest.object)), name: manifest.file)
    }
  }

  private struct AnyObjectText: Encodable {
    let object: any KubernetesObject
    init(_ object: any KubernetesObject) { self.object = object }
    func encode(to encoder: any Encoder) throws { try object.encode(to: encoder) }
  }

  private func words(_ value: JSONValue) -> [String] {
    switch value {
    case .string(let text): [text]
    case .array(let values): values.flatMap(words)
    case .object(let members): members.values.flatMap(words)
    default: []
    }
  }

  @Test(arguments: fields.indices)
  func `what is accepted reads back equal, and nothing expands`(index: Int) throws {
    var accepted = 0
    for text in Self.hostile {
      var request = request { _ in }
      request.targetConfiguration = Self.config
      request.tensorParallel = 1
      request.maximumLength = 256
      Self.fields[index](&request, text)
      let plan: DeploymentPlan
      do { plan = try DeploymentPlan(request) } catch is DeploymentRefusal { continue } catch is DeploymentError {
        continue
      }
      accepted += 1
      // Every text is written out in a third of the fields, every field with a third of the texts.
      guard (accepted + index) % 3 == 0 else { continue }
      let manifests = try ManifestBuilder(plan).manifests()
      let read = try ManifestReader.documents(text: try Bundle.stream(manifests), shown: "stream").map(\.value)
      #expect(read.map(\.text) == (try values(manifests)).map(\.text), "\(text)")
      for document in read {
        for container in ["initContainers", "containers"].flatMap({
          document["spec", "template", "spec", $0]?.elements ?? []
        }) {
          let literal = ["command", "args", "env"].compactMap { container[$0] }.flatMap(words)
          #expect(!literal.contains { $0.replacing("$$", with: "").contains("$") }, "\(text): \(literal)")
        }
      }
      for (path, file) in try Bundle(plan, format: .kustomize).files where path.hasSuffix(".yaml") {
        let documents = try ManifestReader.documents(text: file, shown: path)
        #expect(documents.count == 1, "\(path): \(text)")
      }
      let check = try ManifestCheck(schemas: nil, versions: []).run(text: try Bundle.stream(manifests), name: "x")
      #expect(check.findings == [], "\(text)")
    }
    // Some of the texts are proper names: that they are refused would prove nothing of those that are not.
    if index < 2 || index == 6 { #expect(accepted > 0) }
  }

  /// The words of a printed line, as a shell takes them apart.
  private func spoken(_ line: String, in folder: String) throws -> [String] {
    let names = ["kubectl", "helm", "make", "eksctl", "bash"]
    let functions = names.map { "\($0)() { printf '%s\\0' \($0) \"$@\"; }" }.joined(separator: "\n")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = ["-c", functions + "\n" + line]
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return output.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
  }

  @Test(arguments: BundleFormat.allCases)
  func `printed commands are words to a shell, whatever the folder is called`(format: BundleFormat) throws {
    let place = try TemporaryDirectory()
    var request = request { _ in }
    request.region = "us-east-2"
    let plan = try DeploymentPlan(request)
    for text in Self.hostile where !text.isEmpty && !text.contains("\u{0}") {
      let summary = try DeploymentSummary(plan, format: format, directory: text)
      let folder = text.count > 1 && text.hasSuffix("/") ? String(text.dropLast()) : text
      var found = false
      for line in summary.next {
        let words = try spoken(line, in: place.path)
        #expect(["kubectl", "helm", "make", "eksctl", "bash"].contains(words.first ?? ""), "\(line)")
        found = found || words.contains { $0 == folder || $0.hasPrefix(folder + "/") }
      }
      #expect(found, "\(text): \(summary.next)")
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: place.path).isEmpty)
  }

  @Test func `two models never share names`() throws {
    func slug(_ name: String) throws -> String {
      var request = DeploymentRequest(engine: .foretoken, target: name)
      request.image = Combination.ownImage
      if ServedModel.known(name) == nil { request.targetConfiguration = Self.config }
      return ManifestBuilder(try DeploymentPlan(request)).modelSlug
    }
    let names =
      ServedModel.knownNames + [
        "orgA/model.v1", "orgB/model-v1", "orgB/model_v1", "orgA/Model.v1", "other/Qwen3-32B", "qwen/qwen3-32b",
        "/x/qwen3-32b", "/x/Qwen3-32B", "/x/model-v1", "/x/Model-v1", "a/1", "a/m-1", "a/x-", "a/_x",
        "a/" + String(repeating: "n", count: 60), "a/" + String(repeating: "n", count: 61),
      ]
    var seen: [String: String] = [:]
    for name in names where (try? ModelPlace(name)) != nil {
      // One that fits a machine of CPUs.
      if let known = ServedModel.known(name), known.weightBytes > 20 << 30 { continue }
      let slug = try slug(name)
      #expect(seen.updateValue(name, forKey: slug) == nil, "\(name) and \(seen[slug] ?? ""): \(slug)")
      #expect(slug.count <= 34 && slug.wholeMatch(of: /[a-z]([-a-z0-9]*[a-z0-9])?/) != nil, "\(slug)")
    }
    #expect(seen["qwen3-8b"] == "Qwen/Qwen3-8B")
  }
}
