internal import CPJRT

/// A program that is compiled and loaded onto a client's devices.
@safe public struct PJRTExecutable: ~Copyable {
  private let client: PJRTClient
  @unsafe private let handle: OpaquePointer
  /// Number of its results.
  public let resultCount: Int

  /// Compiles StableHLO text.
  ///
  /// - Throws: `PJRTError` with the compiler's message.
  public init(_ client: PJRTClient, stableHLO text: String, options: PJRTCompileOptions) throws(PJRTError) {
    let code = Array(text.utf8CString)
    let serialized = options.serialized
    var loaded: OpaquePointer?
    try unsafe client.plugin.check(
      ft_pjrt_compile(
        client.plugin.api, client.handle, code, code.count - 1, serialized, serialized.count, &loaded),
      "compile a program")
    try unsafe self.init(client, loaded)
  }

  @unsafe private init(_ client: PJRTClient, _ loaded: OpaquePointer?) throws(PJRTError) {
    guard let loaded = unsafe loaded else {
      throw .reported(operation: "compile a program", message: "no program came back")
    }
    var count = 0
    do throws(PJRTError) {
      try unsafe client.plugin.check(
        ft_pjrt_count_results(client.plugin.api, loaded, &count), "count a program's results")
    } catch {
      unsafe ft_pjrt_free_executable(client.plugin.api, loaded)
      throw error
    }
    self.client = client
    unsafe handle = loaded
    resultCount = count
  }

  deinit { unsafe ft_pjrt_free_executable(client.plugin.api, handle) }

  /// Runs the program and waits for it.
  ///
  /// - Parameters:
  ///   - constants: buffers that stay.
  ///   - places: which of `constants` are the first arguments, in order.
  ///   - inputs: the arguments after them. They are gone afterwards, whether the program reuses their memory or not.
  /// - Returns: the results.
  /// - Throws: `PJRTError` when the program does not start, or fails on a device.
  public borrowing func run(
    _ constants: borrowing PJRTBuffers, at places: [Int], _ inputs: consuming PJRTBuffers
  ) throws(PJRTError) -> PJRTBuffers {
    let plugin = client.plugin
    var arguments: [OpaquePointer?] = unsafe []
    for device in 0..<client.deviceCount {
      for place in places { unsafe arguments.append(constants.handles[device][place].pointer) }
      for handle in inputs.handles[device] { unsafe arguments.append(handle.pointer) }
    }
    var results = unsafe [OpaquePointer?](repeating: nil, count: client.deviceCount * resultCount)
    var events = unsafe [OpaquePointer?](repeating: nil, count: client.deviceCount)
    let error = unsafe ft_pjrt_run(
      plugin.api, handle, client.deviceCount, arguments, places.count + inputs.count, &results, resultCount, &events)
    try unsafe plugin.check(error, "run a program")
    let count = resultCount
    let buffers = PJRTBuffers(
      client,
      handles: (0..<client.deviceCount).map { device in
        unsafe results[device * count..<(device + 1) * count].compactMap { unsafe $0.map { unsafe PJRTHandle($0) } }
      })
    var failure: PJRTError?
    for index in unsafe events.indices {
      guard let event = unsafe events[index] else { continue }
      do throws(PJRTError) { try unsafe PJRTEvent(event, plugin).wait(for: "run a program") } catch { failure = error }
    }
    if let failure { throw failure }
    return buffers
  }
}
