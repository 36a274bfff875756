internal import CPJRT

/// A plugin's devices, opened. Buffers and programs belong to a client and keep it open.
///
/// Used from one thread at a time.
@safe package final class PJRTClient {
  package let plugin: PJRTPlugin
  /// Kind of devices in the plugin's words: "cpu", "cuda", "neuron".
  package let platform: String
  /// Version of what compiles programs, in the plugin's words.
  package let platformVersion: String
  @unsafe let handle: OpaquePointer
  /// Devices that programs of this client run on, one per partition.
  let deviceHandles: [PJRTHandle]

  /// Opens the plugin's devices.
  ///
  /// - Parameters:
  ///   - plugin: a loaded plugin.
  ///   - deviceCount: how many to use; `nil` for all. XLA's CPU plugin makes as many as it is asked for.
  /// - Throws: `PJRTError` when the plugin finds no devices, or fewer.
  package init(_ plugin: PJRTPlugin, deviceCount: Int? = nil) throws(PJRTError) {
    self.plugin = plugin
    let option = plugin.path.hasSuffix("xla_cpu_pjrt.so") ? "cpu_device_count" : nil
    var opened: OpaquePointer?
    try unsafe plugin.check(
      ft_pjrt_open(plugin.api, option, Int64(deviceCount ?? 1), &opened), "open the devices of '\(plugin.path)'")
    guard let opened = unsafe opened else { throw .devices(found: 0, expected: deviceCount ?? 1) }
    unsafe handle = opened
    do throws(PJRTError) {
      var (name, version) = (unsafe ft_pjrt_text(), unsafe ft_pjrt_text())
      try unsafe plugin.check(ft_pjrt_platform(plugin.api, opened, &name, &version), "name the platform")
      platform = unsafe PJRTPlugin.string(name)
      platformVersion = unsafe PJRTPlugin.string(version)
      var first: UnsafePointer<OpaquePointer?>?
      var count = 0
      try unsafe plugin.check(ft_pjrt_devices(plugin.api, opened, &first, &count), "list the devices")
      let found = unsafe UnsafeBufferPointer(start: first, count: count).compactMap {
        unsafe $0.map { unsafe PJRTHandle($0) }
      }
      let wanted = deviceCount ?? found.count
      guard wanted > 0, found.count >= wanted else { throw .devices(found: found.count, expected: max(wanted, 1)) }
      deviceHandles = Array(found.prefix(wanted))
    } catch {
      unsafe ft_pjrt_close(plugin.api, opened)
      throw error
    }
  }

  deinit { unsafe ft_pjrt_close(plugin.api, handle) }

  /// Number of devices in use.
  package var deviceCount: Int { deviceHandles.count }

  /// The devices in use.
  ///
  /// - Throws: `PJRTError` when the plugin cannot describe them.
  package func devices() throws(PJRTError) -> [PJRTDevice] {
    var devices: [PJRTDevice] = []
    for device in deviceHandles {
      var facts = unsafe ft_pjrt_device_facts()
      try unsafe plugin.check(ft_pjrt_describe(plugin.api, device.pointer, &facts), "describe a device")
      devices.append(unsafe PJRTDevice(facts))
    }
    return devices
  }
}

/// What a plugin tells about one of its devices.
package struct PJRTDevice: Sendable, Equatable {
  /// The plugin's number for it.
  package let id: Int
  /// The kind, such as "cpu" or "NVIDIA H200".
  package let kind: String
  /// The plugin's own line about it.
  package let text: String
  /// Memory that programs can use, and how much of it is in use, in bytes; `nil` where the plugin does not say.
  package let memoryBytes, usedBytes: Int?

  @unsafe init(_ facts: ft_pjrt_device_facts) {
    id = unsafe Int(facts.id)
    kind = unsafe PJRTPlugin.string(facts.kind)
    text = unsafe PJRTPlugin.string(facts.text)
    memoryBytes = unsafe facts.bytes_limit < 0 ? nil : Int(facts.bytes_limit)
    usedBytes = unsafe facts.bytes_in_use < 0 ? nil : Int(facts.bytes_in_use)
  }
}
