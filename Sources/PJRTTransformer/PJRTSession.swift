package import PJRT
internal import StableHLO

/// A plugin's devices with what is compiled for them: what the models of one engine share.
package final class PJRTSession {
  /// The devices.
  package let client: PJRTClient
  /// What was asked for.
  package let options: PJRTOptions
  /// Format of matrices and of the KV cache.
  package let element: PJRTOptions.Element
  private let cache: ProgramCache?
  /// Whether programs can be saved, as far as is known: a plugin that cannot, and a full disk, are reported once.
  private var savesPrograms = true

  /// Loads the plugin and opens its devices.
  ///
  /// - Parameter cache: where compiled programs are kept; `nil` to compile them at every start.
  /// - Throws: `PJRTError` when there is no such plugin, or it finds too few devices.
  package init(_ options: PJRTOptions, cache: ProgramCache? = nil) throws(PJRTError) {
    let plugin = try PJRTPlugin(try PJRTPluginLocation(options.plugin))
    client = try PJRTClient(plugin, deviceCount: options.partitionCount)
    self.options = options
    self.cache = cache
    element = options.element ?? (client.platform == "cpu" ? .float32 : .bfloat16)
  }

  /// Puts a program onto the devices, compiled now or at an earlier start.
  func load(_ program: Program) throws(PJRTError) -> LoadedProgram {
    let options = PJRTCompileOptions(partitionCount: program.partitionCount)
    let devices = try client.devices()
    let entry = cache?.entry(for: program, options: options, client: client, devices: devices)
    if let entry, let known = cache?.open(entry, client: client) { return known }
    let compiled = LoadedProgram(try PJRTExecutable(client, stableHLO: program.text, options: options))
    if savesPrograms, let entry, let cache {
      compiled.isKept = cache.save(compiled, as: entry)
      savesPrograms = compiled.isKept
    }
    return compiled
  }

  /// What `count` runs of a program give that takes nothing, made on the devices: the host may have no room for it.
  func buffers(of program: Program, count: Int) throws(PJRTError) -> PJRTBuffers {
    let loaded = try load(program)
    var buffers = PJRTBuffers(client)
    for _ in 0..<count { buffers.append(try loaded.executable.run(PJRTBuffers(client))) }
    return buffers
  }
}

/// A program on the devices, to be kept among others.
final class LoadedProgram {
  let executable: PJRTExecutable
  /// Whether it was compiled at an earlier start.
  let isFromCache: Bool
  /// Whether later starts will find it.
  fileprivate(set) var isKept: Bool

  init(_ executable: consuming PJRTExecutable, isFromCache: Bool = false) {
    self.executable = executable
    (self.isFromCache, isKept) = (isFromCache, isFromCache)
  }
}
