internal import CPJRT

/// Buffers in the memory of a client's devices, in the order of a program's arguments or results.
///
/// Owns them: they are freed when it goes, or when a program that they are given to is done. With several devices every
/// buffer is one per device, a part or a copy of the whole.
@safe package struct PJRTBuffers: ~Copyable {
  let client: PJRTClient
  /// By device, then by place.
  var handles: [[PJRTHandle]]

  /// No buffers.
  package init(_ client: PJRTClient) {
    self.client = client
    handles = Array(repeating: [], count: client.deviceCount)
  }

  init(_ client: PJRTClient, handles: [[PJRTHandle]]) {
    self.client = client
    self.handles = handles
  }

  deinit {
    for handle in handles.joined() { unsafe ft_pjrt_free_buffer(client.plugin.api, handle.pointer) }
  }

  /// Number of buffers.
  package var count: Int { handles[0].count }

  /// Adds the buffers of `other` after these.
  package mutating func append(_ other: consuming PJRTBuffers) {
    let added = other.release()
    for device in handles.indices { handles[device] += added[device] }
  }

  /// Takes the first `count` buffers out.
  package mutating func removeFirst(_ count: Int) -> PJRTBuffers {
    precondition(count >= 0 && count <= self.count)
    let taken = PJRTBuffers(client, handles: handles.map { Array($0.prefix(count)) })
    for device in handles.indices { handles[device].removeFirst(count) }
    return taken
  }

  /// The handles of some buffers, by device; they are still these buffers' to free.
  borrowing func handles(at places: [Int]) -> [[PJRTHandle]] {
    handles.map { device in places.map { device[$0] } }
  }

  /// Gives the handles away: whoever takes them frees them.
  private mutating func release() -> [[PJRTHandle]] {
    let released = handles
    handles = handles.map { _ in [] }
    return released
  }

  /// Copies the buffer at `place` of the first device to the host, as floats.
  ///
  /// - Throws: `PJRTError` when the device fails, or the buffer is not of `floats.count` floats.
  package borrowing func read(_ place: Int, into floats: inout [Float]) throws(PJRTError) {
    var failure: PJRTError?
    unsafe floats.withUnsafeMutableBytes { bytes in
      do throws(PJRTError) { try unsafe read(place, into: bytes) } catch { failure = error }
    }
    if let failure { throw failure }
  }

  /// Copies the buffer at `place` of the first device to the host, as whole numbers.
  ///
  /// - Throws: `PJRTError` when the device fails, or the buffer is not of `integers.count` numbers of 32 bits.
  package borrowing func read(_ place: Int, into integers: inout [Int32]) throws(PJRTError) {
    var failure: PJRTError?
    unsafe integers.withUnsafeMutableBytes { bytes in
      do throws(PJRTError) { try unsafe read(place, into: bytes) } catch { failure = error }
    }
    if let failure { throw failure }
  }

  @unsafe private borrowing func read(_ place: Int, into bytes: UnsafeMutableRawBufferPointer) throws(PJRTError) {
    precondition(place >= 0 && place < count)
    let plugin = client.plugin
    let buffer = unsafe handles[0][place].pointer
    var size = 0
    try unsafe plugin.check(ft_pjrt_host_size(plugin.api, buffer, &size), "size of a result")
    guard size == bytes.count else { throw .size(of: "a result", found: size, expected: bytes.count) }
    var done: OpaquePointer?
    try unsafe plugin.check(ft_pjrt_download(plugin.api, buffer, bytes.baseAddress, size, &done), "read a result")
    if let done = unsafe done { try unsafe PJRTEvent(done, plugin).wait(for: "read a result") }
  }
}

/// An object of the plugin's; whoever holds it says who frees it.
@safe struct PJRTHandle {
  @unsafe let pointer: OpaquePointer

  @unsafe init(_ pointer: OpaquePointer) { unsafe self.pointer = pointer }
}
