internal import Foundation

/// Where a plugin is: a path, or a name that stands for the file which a Python package installs.
package struct PJRTPluginLocation: Sendable, Equatable {
  /// Names that can be given instead of a path.
  package static let names = files.map(\.name)

  /// What was asked for, a name or a path.
  package let request: String
  /// The library.
  package let path: String

  /// Names, and where the packages put the library below `site-packages`.
  private static let files: [(name: String, paths: [String])] = [
    ("cpu", ["xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so"]),
    ("cuda", ["jax_plugins/xla_cuda13/xla_cuda_plugin.so", "jax_plugins/xla_cuda12/xla_cuda_plugin.so"]),
    ("neuron", ["libneuronxla/libneuronpjrt.so"]),
    ("tpu", ["libtpu/libtpu.so"]),
  ]

  /// Finds a plugin.
  ///
  /// - Parameter request: one of `names`, or a path. A name is looked for in the folder `FORETOKEN_PJRT_PLUGIN_DIR`, in
  ///   `.build/pjrt`, and among the packages of the `python3` on `PATH`.
  /// - Throws: `PJRTError.notFound` with the places where it is not.
  package init(_ request: String) throws(PJRTError) {
    try self.init(request, environment: ProcessInfo.processInfo.environment)
  }

  /// The same, in another environment than this process has.
  package init(_ request: String, environment: [String: String]) throws(PJRTError) {
    self.request = request
    guard let files = Self.files.first(where: { $0.name == request }) else {
      path = request
      return
    }
    let candidates = Self.folders(environment).flatMap { folder in files.paths.map { folder + "/" + $0 } }
    guard let found = candidates.first(where: { FileManager.default.fileExists(atPath: $0) }) else {
      throw .notFound(name: request, places: candidates)
    }
    path = found
  }

  /// Folders that are laid out as Python's `site-packages` is.
  private static func folders(_ environment: [String: String]) -> [String] {
    var folders: [String] = []
    if let folder = environment["FORETOKEN_PJRT_PLUGIN_DIR"], !folder.isEmpty { folders.append(folder) }
    folders.append(".build/pjrt")
    let programs = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
    if let bin = programs.first(where: { FileManager.default.isExecutableFile(atPath: $0 + "/python3") }) {
      folders += packages(in: URL(fileURLWithPath: bin).deletingLastPathComponent().path)
    }
    return folders + packages(in: NSHomeDirectory() + "/.local")
  }

  /// The folders of packages below a Python's prefix, of the newest version first.
  private static func packages(in prefix: String) -> [String] {
    [prefix + "/lib", prefix + "/local/lib"].flatMap { library in
      let versions = (try? FileManager.default.contentsOfDirectory(atPath: library)) ?? []
      return versions.filter { $0.hasPrefix("python3") }
        .sorted { $0.compare($1, options: .numeric) == .orderedDescending }
        .flatMap { ["\(library)/\($0)/site-packages", "\(library)/\($0)/dist-packages"] }
    }.filter { FileManager.default.fileExists(atPath: $0) }
  }
}
