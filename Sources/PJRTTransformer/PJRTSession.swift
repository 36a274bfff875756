public import PJRT
internal import StableHLO

/// A plugin's devices with what is compiled for them: what the models of one engine share.
public final class PJRTSession {
  /// The devices.
  public let client: PJRTClient
  /// What was asked for.
  public let options: PJRTOptions
  /// Format of matrices and of the KV cache.
  public let element: PJRTOptions.Element

  /// Loads the plugin and opens its devices.
  ///
  /// - Throws: `PJRTError` when there is no such plugin, or it finds too few devices.
  public init(_ options: PJRTOptions) throws(PJRTError) {
    let plugin = try PJRTPlugin(try PJRTPluginLocation(options.plugin))
    client = try PJRTClient(plugin, deviceCount: options.partitionCount)
    self.options = options
    element = options.element ?? (client.platform == "cpu" ? .float32 : .bfloat16)
  }

  /// Compiles a program.
  func load(_ program: Program) throws(PJRTError) -> LoadedProgram {
    let options = PJRTCompileOptions(partitionCount: program.partitionCount)
    return LoadedProgram(try PJRTExecutable(client, stableHLO: program.text, options: options))
  }
}

/// A program on the devices, to be kept among others.
final class LoadedProgram {
  let executable: PJRTExecutable

  init(_ executable: consuming PJRTExecutable) { self.executable = executable }
}
