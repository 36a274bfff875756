internal import CPJRT
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// A plugin, loaded. It stays loaded until the process ends: the libraries behind it do not survive being unloaded.
@safe package struct PJRTPlugin {
  /// The library.
  package let path: String
  /// Version of the interface that it speaks, as "0.81".
  package let version: String
  @unsafe let api: OpaquePointer

  /// Loads the library and checks its version.
  ///
  /// - Throws: `PJRTError` when the file is not a plugin that can be loaded here.
  package init(_ location: PJRTPluginLocation) throws(PJRTError) {
    path = location.path
    Self.prepareEnvironment(for: location)
    try LibraryFile(path: path).check()
    // A name without a slash would be looked for among the system's libraries.
    guard let library = unsafe dlopen(path.contains("/") ? path : "./" + path, RTLD_NOW | RTLD_LOCAL) else {
      let reason = unsafe dlerror().map { unsafe String(cString: $0) } ?? "for no reason that the system names"
      throw .notLoadable(path: path, reason: reason)
    }
    guard let symbol = unsafe dlsym(library, "GetPjrtApi"), let api = unsafe ft_pjrt_get_api(symbol) else {
      throw .notAPlugin(path: path)
    }
    unsafe self.api = api
    let major = unsafe Int(ft_pjrt_major(api))
    version = unsafe "\(major).\(ft_pjrt_minor(api))"
    guard major == FT_PJRT_MAJOR else { throw .version(path: path, found: version, expected: FT_PJRT_MAJOR) }
    try unsafe check(ft_pjrt_initialize(api), "initialize the plugin")
  }

  /// What plugins read from the environment while they are loaded; what the user has set stays.
  private static func prepareEnvironment(for location: PJRTPluginLocation) {
    unsafe setenv("TF_CPP_MIN_LOG_LEVEL", "3", 0)
    guard location.path.contains("neuron") else { return }
    // Neuron's plugin compares struct sizes; this tells it whose they are. Rounding at random would make answers differ.
    unsafe setenv("NEURON_INTERNAL_PJRT_C_API_VERSION", "\(FT_PJRT_MAJOR).\(FT_PJRT_MINOR)", 0)
    unsafe setenv("NEURON_RT_STOCHASTIC_ROUNDING_EN", "0", 0)
  }

  /// What the plugin tells about itself, such as the versions of StableHLO that it takes (13 000 for 0.13.0); empty when
  /// it tells nothing.
  package var attributes: [(name: String, value: String)] {
    var found: [(String, String)] = []
    var attribute = unsafe ft_pjrt_attribute()
    while unsafe ft_pjrt_get_attribute(api, found.count, &attribute) {
      let number = unsafe "\(attribute.number)"
      found.append(
        unsafe (Self.string(attribute.name), attribute.text.start == nil ? number : Self.string(attribute.text)))
    }
    return found
  }

  /// Turns a plugin's error into ours, and frees it.
  @unsafe func check(_ error: OpaquePointer?, _ operation: String) throws(PJRTError) {
    guard let error = unsafe error else { return }
    guard unsafe error != ft_pjrt_missing() else { throw .missingFunction(path: path, function: operation) }
    let message = unsafe Self.string(ft_pjrt_message(api, error))
    unsafe ft_pjrt_free_error(api, error)
    throw .reported(operation: operation, message: message.isEmpty ? "an error without a message" : message)
  }

  @unsafe static func string(_ text: ft_pjrt_text) -> String {
    guard let start = unsafe text.start else { return "" }
    return unsafe String(decoding: UnsafeRawBufferPointer(start: start, count: text.size), as: UTF8.self)
  }
}
