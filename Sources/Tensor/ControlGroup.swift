internal import Foundation

/// The control groups of Linux that this process is in: what a container, a service or a job may use.
///
/// Versions 1 and 2 are read, and every group above up to where the hierarchy is mounted, as each of them limits those
/// below.
package struct ControlGroup: Sendable {
  /// Folder that stands for `/`.
  private let root: String

  /// The groups of this process.
  ///
  /// - Parameter root: folder in which `proc/self` and the mount points are looked up.
  package init(root: String = "/") { self.root = root }

  /// Processor time per time, in cores, that the tightest group grants; `nil` without a limit.
  package var cores: Double? {
    let second = folders(of: nil).compactMap { folder -> Double? in
      let words = text(folder + "/cpu.max")?.split(separator: " ") ?? []
      guard words.count == 2, let quota = Double(words[0]), let period = Double(words[1]) else { return nil }
      return Self.ratio(quota, period)
    }
    let first = folders(of: "cpu").compactMap { folder -> Double? in
      guard let quota = text(folder + "/cpu.cfs_quota_us").flatMap(Double.init),
        let period = text(folder + "/cpu.cfs_period_us").flatMap(Double.init)
      else { return nil }
      return Self.ratio(quota, period)
    }
    return (second + first).min()
  }

  /// Bytes of memory that the tightest group grants; `nil` without a limit.
  package var memoryBytes: Int? {
    let limits =
      folders(of: nil).map { $0 + "/memory.max" } + folders(of: "memory").map { $0 + "/memory.limit_in_bytes" }
    // "max" is no number, and version 1 writes a number beyond all memory instead.
    return limits.compactMap { text($0).flatMap { Int($0) } }.filter { $0 > 0 && $0 < 1 << 60 }.min()
  }

  private static func ratio(_ quota: Double, _ period: Double) -> Double? {
    quota > 0 && period > 0 ? quota / period : nil
  }

  /// Folders of the process's group and of those above it.
  ///
  /// - Parameter controller: of version 1; `nil` for version 2.
  private func folders(of controller: String?) -> [String] {
    guard let path = groupPath(of: controller), let mount = mount(of: controller) else { return [] }
    // In a container the hierarchy may be mounted from the container's own group on.
    var rest = path
    if mount.root != "/" {
      guard path == mount.root || path.hasPrefix(mount.root + "/") else { return [mount.point] }
      rest = String(path.dropFirst(mount.root.count))
    }
    var folders = [mount.point]
    for step in rest.split(separator: "/") where step != "." {
      // A group above the mount point is out of sight.
      guard step != ".." else { return [mount.point] }
      folders.append(folders[folders.count - 1] + "/" + step)
    }
    return folders
  }

  /// From lines such as `0::/user.slice` and `4:cpu,cpuacct:/docker/1f`.
  private func groupPath(of controller: String?) -> String? {
    for line in lines("/proc/self/cgroup") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      if let controller {
        if fields[1].split(separator: ",").contains(Substring(controller)) { return String(fields[2]) }
      } else if fields[0] == "0", fields[1].isEmpty {
        return String(fields[2])
      }
    }
    return nil
  }

  /// From lines such as `36 25 0:31 /docker/1f /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct`.
  private func mount(of controller: String?) -> (root: String, point: String)? {
    for line in lines("/proc/self/mountinfo") {
      let fields = line.split(separator: " ")
      guard let dash = fields.firstIndex(of: "-"), dash >= 5, fields.count > dash + 3 else { continue }
      let isWanted =
        if let controller {
          fields[dash + 1] == "cgroup" && fields[dash + 3].split(separator: ",").contains(Substring(controller))
        } else {
          fields[dash + 1] == "cgroup2"
        }
      if isWanted { return (Self.unescaped(fields[3]), Self.unescaped(fields[4])) }
    }
    return nil
  }

  /// Paths there have octal escapes for spaces, tabs, line breaks and backslashes.
  private static func unescaped(_ path: Substring) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")].reduce(String(path)) {
      $0.replacingOccurrences(of: $1.0, with: $1.1)
    }
  }

  private func lines(_ path: String) -> [Substring] { text(path)?.split(separator: "\n") ?? [] }

  private func text(_ path: String) -> String? {
    (try? String(contentsOfFile: root + path, encoding: .utf8))?.trimmingCharacters(in: .whitespacesAndNewlines)
  }
}
