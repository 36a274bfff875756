/// An answer as it came: bytes, and when they arrived at the socket. Times are nanoseconds of the monotonic clock.
struct RawAnswer: Sendable {
  /// Bytes up to `end` had arrived at `time`.
  struct Mark: Sendable {
    let end: Int
    let time: UInt64
  }

  var status: Int?
  var contentType = ""
  var bytes: [UInt8] = []
  var marks: [Mark] = []
  var start: UInt64 = 0
  var end: UInt64 = 0
  /// What went wrong on the way; an error status is not among it.
  var failure: RequestFailure?
}
