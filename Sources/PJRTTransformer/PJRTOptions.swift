/// How a model is run on a plugin's devices.
public struct PJRTOptions: Sendable, Equatable {
  /// Formats of matrices and of the KV cache on the device.
  public enum Element: String, Sendable, CaseIterable {
    case float32, bfloat16

    /// Bytes per number.
    public var byteCount: Int { self == .float32 ? 4 : 2 }
  }

  /// The plugin: a path, or a name that `PJRTPluginLocation` knows.
  public var plugin: String
  /// Format of matrices and of the KV cache; `nil` for bf16, but on CPU devices, whose bf16 is slow, single precision.
  public var element: Element?
  /// Devices that share the model.
  public var partitionCount = 1
  /// Rows of the programs that passes are made of, ascending.
  ///
  /// With one number, a row is always computed by the same operations, whatever else is in the pass: the promise of equal
  /// tokens holds. With several, small passes are cheaper and prompts are read faster, and where the plugin's arithmetic
  /// differs between shapes, tokens that are nearly as good as one another may change places.
  public var rowBuckets = [8]
  /// Whether a draft of fixed windows runs in one program with the target (`PJRTSpeculator`), where requests allow it.
  public var fusesSpeculation = false
  /// One device of a plugin.
  public init(plugin: String = "cpu") { self.plugin = plugin }
}
