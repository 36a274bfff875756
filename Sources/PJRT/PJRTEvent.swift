internal import CPJRT

/// Something that a device does in the background; waited for or not, it is freed once.
@safe struct PJRTEvent: ~Copyable {
  private let plugin: PJRTPlugin
  @unsafe private let handle: OpaquePointer

  @unsafe init(_ handle: OpaquePointer, _ plugin: PJRTPlugin) {
    self.plugin = plugin
    unsafe self.handle = handle
  }

  deinit { unsafe ft_pjrt_free_event(plugin.api, handle) }

  /// Waits until it is done.
  ///
  /// - Throws: what went wrong with `operation` in the background.
  consuming func wait(for operation: String) throws(PJRTError) {
    try unsafe plugin.check(ft_pjrt_await(plugin.api, handle), operation)
  }
}
