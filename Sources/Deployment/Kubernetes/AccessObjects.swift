/// What a role allows.
package struct RoleRule: Codable, Sendable, Equatable {
  var apiGroups: [String]
  var resources: [String]
  var verbs: [String]
}

/// What may be done in a namespace: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
package struct Role: KubernetesObject {
  package var apiVersion = "rbac.authorization.k8s.io/v1"
  package var kind = "Role"
  package var metadata: ObjectMeta
  var rules: [RoleRule]
}

/// Who may do it.
package struct RoleBinding: KubernetesObject {
  package var apiVersion = "rbac.authorization.k8s.io/v1"
  package var kind = "RoleBinding"
  package var metadata: ObjectMeta
  var roleRef: [String: String]
  var subjects: [[String: String]]
}
