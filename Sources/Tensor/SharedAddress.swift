/// An address that several threads use at once, each on its own part or only reading.
///
/// The one place where the compiler's check of data races is set aside: `WorkerPool` hands disjoint parts of a matrix
/// to its threads, and packed weights are never written again.
@unsafe struct SharedAddress: @unchecked Sendable {
  let pointer: UnsafeMutableRawPointer

  init(_ pointer: UnsafeMutableRawPointer) { unsafe self.pointer = pointer }
  init(_ pointer: UnsafeRawPointer) { unsafe self.pointer = UnsafeMutableRawPointer(mutating: pointer) }
}
