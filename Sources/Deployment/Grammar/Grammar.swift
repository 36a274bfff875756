internal import ModelFiles

/// The grammars of what comes from outside: each is here once, by its standard.
///
/// Every function answers `nil` when `text` conforms, else what was expected.
package enum Grammar {
  /// A DNS label, RFC 1123: names of namespaces.
  package static func label(_ text: String) -> String? {
    text.wholeMatch(of: /[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/) != nil
      ? nil : "1 to 63 lower-case letters, digits and hyphens, the first and last none of these (RFC 1123)"
  }

  /// A DNS subdomain, RFC 1123: names of secrets, storage classes, gateways.
  package static func subdomain(_ text: String) -> String? {
    let labels = text.split(separator: ".", omittingEmptySubsequences: false)
    return text.utf8.count <= 253 && labels.allSatisfy { label(String($0)) == nil }
      ? nil : "lower-case letters, digits and hyphens in parts with dots between, at most 253 in all (RFC 1123)"
  }

  /// A namespace of one's own: the rendered one is labelled for pod security, which would hold for all that is there.
  package static func namespace(_ text: String) -> String? {
    if let problem = label(text) { return problem }
    return text == "default" || text.hasPrefix("kube-")
      ? "a namespace of your own: pod security 'restricted' is enforced in it" : nil
  }

  /// The name of a general-purpose S3 bucket.
  ///
  /// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
  package static func bucket(_ text: String) -> String? {
    guard text.wholeMatch(of: /[a-z0-9][-.a-z0-9]{1,61}[a-z0-9]/) != nil else {
      return "3 to 63 lower-case letters, digits, dots and hyphens, the first and last a letter or digit"
    }
    if text.contains("..") { return "no two dots in a row" }
    if isAddress(text) { return "a name, not an IP address" }
    if let prefix = ["xn--", "sthree-", "amzn-s3-demo-"].first(where: text.hasPrefix) {
      return "another beginning than '\(prefix)', which S3 keeps for itself"
    }
    if let suffix = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"].first(where: text.hasSuffix) {
      return "another end than '\(suffix)', which S3 keeps for itself"
    }
    return nil
  }

  /// The base of an HTTP URL: scheme, host, and perhaps a port and a path.
  package static func url(_ text: String) -> String? {
    let expected = "http:// or https://, a host, and perhaps a port and a path"
    let form = /https?:\/\/([^\/:\[\]]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?(\/[-A-Za-z0-9._~\/]*)?/
    guard let match = text.wholeMatch(of: form) else { return expected }
    let host = String(match.1)
    guard host.hasPrefix("[") || subdomain(host.lowercased()) == nil else { return expected }
    if let port = match.2, !(1...65_535).contains(Int(port) ?? 0) { return "a port from 1 to 65535" }
    return nil
  }

  /// ORG/NAME of the Hugging Face hub.
  package static func repository(_ text: String) -> String? {
    ModelName(text) != nil ? nil : "ORG/NAME of the hub: letters, digits, '.', '_' and '-'"
  }

  /// The last part of a directory's path, by which pods know its model.
  package static func folder(_ text: String) -> String? {
    text.wholeMatch(of: /[A-Za-z0-9][-A-Za-z0-9._]{0,95}/) != nil && !text.contains("..")
      ? nil : "a directory whose name has letters, digits, '.', '_' and '-', and begins with one of the first two"
  }

  /// A branch, tag or commit of the hub: what git takes (git-check-ref-format), without characters that shells read.
  package static func revision(_ text: String) -> String? {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    let isProper =
      text.utf8.count <= 200
      && parts.allSatisfy { part in
        part.wholeMatch(of: /[A-Za-z0-9_][-A-Za-z0-9._+]*/) != nil && !part.contains("..") && !part.hasSuffix(".lock")
          && !part.hasSuffix(".")
      }
    return isProper ? nil : "a branch, tag or commit"
  }

  /// An EKS cluster's name. https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html
  package static func cluster(_ text: String) -> String? {
    text.wholeMatch(of: /[0-9A-Za-z][A-Za-z0-9_-]{0,99}/) != nil
      ? nil : "the name of an EKS cluster: letters, digits, hyphens and underscores, at most 100"
  }

  /// A machine image of Karpenter, as an alias with a version. https://karpenter.sh/docs/concepts/nodeclasses/
  package static func machineImage(_ text: String) -> String? {
    text.wholeMatch(of: /[a-z0-9]+@v[0-9]+(\.[0-9]+)*/) != nil
      ? nil : "a version such as al2023@v20260828, never @latest"
  }

  /// A region of AWS, such as us-east-2.
  package static func region(_ text: String) -> String? {
    text.wholeMatch(of: /[a-z]{2}(-[a-z]+)+-[0-9]/) != nil ? nil : "a region such as us-east-2"
  }

  /// An availability zone, such as us-east-2b.
  package static func zone(_ text: String) -> String? {
    text.wholeMatch(of: /[a-z]{2}(-[a-z]+)+-[0-9][a-z]/) != nil ? nil : "an availability zone such as us-east-2b"
  }

  /// A capacity reservation, which a Capacity Block is too.
  package static func capacityReservation(_ text: String) -> String? {
    text.wholeMatch(of: /cr-[0-9a-f]{8,17}/) != nil ? nil : "a reservation's id such as cr-0123456789abcdef0"
  }

  /// Bytes of a Kubernetes quantity; `nil` for what is none.
  ///
  /// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
  package static func quantity(_ text: String) -> Double? {
    guard let match = text.wholeMatch(of: /([0-9]+(?:\.[0-9]+)?)([KMGTPE]i|[mkMGTPE]|e[0-9]{1,2})?/),
      let number = Double(match.1)
    else { return nil }
    guard let suffix = match.2 else { return number }
    if suffix == "m" { return number / 1000 }
    if suffix.hasPrefix("e") { return Double("\(match.1)\(suffix)") }
    let base: Double = suffix.hasSuffix("i") ? 1024 : 1000
    let powers = ["k": 1, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6]
    return (0..<(powers[String(suffix.prefix(1))] ?? 0)).reduce(number) { value, _ in value * base }
  }

  private static func isAddress(_ text: String) -> Bool {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts.allSatisfy { $0.wholeMatch(of: /[0-9]{1,3}/) != nil }
  }
}
