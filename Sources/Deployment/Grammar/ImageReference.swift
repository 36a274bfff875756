/// A container image's name, by the grammar that registries share: `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`.
///
/// https://pkg.go.dev/github.com/distribution/reference
package struct ImageReference: Sendable, Equatable {
  /// Host and port, where the name has them.
  package let registry: String?
  /// What stands between registry and tag.
  package let path: String
  package let tag: String?
  package let digest: String?

  /// `nil` for what is no image's name.
  package init?(_ text: String) {
    guard
      let match = text.wholeMatch(
        of: /([^@]+?)(?::([A-Za-z0-9_][-A-Za-z0-9_.]{0,127}))?(?:@([a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-f]{32,}))?/)
    else { return nil }
    let name = String(match.1)
    tag = match.2.map(String.init)
    digest = match.3.map(String.init)
    let parts = name.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let isHost = parts.count == 2 && (parts[0] == "localhost" || parts[0].contains(".") || parts[0].contains(":"))
    registry = isHost ? parts[0] : nil
    path = isHost ? parts[1] : name
    let host = /[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*(:[0-9]+)?/
    let component = /[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*/
    guard name.utf8.count <= 255, registry.map({ $0.wholeMatch(of: host) != nil }) ?? true,
      path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy({ $0.wholeMatch(of: component) != nil })
    else { return nil }
  }

  /// Why an image must not be deployed, if it must not.
  package static func problem(_ image: String) -> String? {
    guard let reference = ImageReference(image) else {
      return "is no image's name ([HOST[:PORT]/]PATH[:TAG][@DIGEST], the path in lower case)"
    }
    if reference.digest != nil { return nil }
    guard let tag = reference.tag else { return "has neither a tag nor a digest" }
    return tag == "latest" ? "has the tag latest, which means another image tomorrow" : nil
  }

  /// Why a cluster could not pull an image that nobody publishes: it names no registry.
  package static func problemOfOwn(_ image: String) -> String? {
    if let problem = problem(image) { return problem }
    guard let reference = ImageReference(image), reference.registry == nil, !reference.path.contains("/") else {
      return nil
    }
    return "names no registry, so clusters look for it at docker.io/library, where it is not"
  }
}
