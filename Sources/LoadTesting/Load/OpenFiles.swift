internal import Foundation

/// The number of files and sockets that this process may have open at one time.
package enum OpenFiles {
  /// Raises the limit as far as the system lets a process do so by itself: each stream needs a socket.
  ///
  /// - Returns: the limit from now on.
  @discardableResult
  package static func raiseLimit() -> Int {
    var limit = rlimit()
    #if canImport(Darwin)
    let resource = RLIMIT_NOFILE
    let most = rlim_t(OPEN_MAX)
    #elseif canImport(Musl)
    let resource = RLIMIT_NOFILE
    let most = rlim_t(1 << 20)
    #else
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    let most = rlim_t(1 << 20)
    #endif
    guard unsafe getrlimit(resource, &limit) == 0 else { return 0 }
    limit.rlim_cur = min(limit.rlim_max, max(most, limit.rlim_cur))
    unsafe setrlimit(resource, &limit)
    guard unsafe getrlimit(resource, &limit) == 0 else { return 0 }
    return Int(clamping: limit.rlim_cur)
  }
}
