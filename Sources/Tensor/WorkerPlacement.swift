internal import CForetokenKernels

/// Whether threads stay on the processors of one memory node (`--cpu-affinity`).
public enum CPUAffinity: String, Sendable, CaseIterable {
  /// Threads are divided among the memory nodes and stay there, where there are several.
  case auto
  /// The system moves threads as it likes.
  case none
}

/// On which memory node each worker of a pool runs.
///
/// A processor reads its own node's memory faster than another's. Workers are therefore kept on nodes, those of
/// neighbouring numbers together, and memory that a worker begins with is first touched by it, so that its node gives it.
package struct WorkerPlacement: Sendable, Equatable {
  /// For every worker, the processors that it may run on.
  package let processors: [[Int]]

  /// Workers on the nodes of `share`, as many on each as it has cores for; all on one node when they fit there.
  ///
  /// - Returns: `nil` where it makes no difference: on a machine of one node.
  package init?(threadCount: Int, on share: ProcessorShare) {
    let nodes = share.nodes.filter { $0.cores > 0 }
    guard nodes.count > 1 else { return nil }
    if let node = nodes.first(where: { $0.cores >= threadCount }) {
      processors = Array(repeating: node.processors, count: threadCount)
      return
    }
    let cores = nodes.reduce(0) { $0 + $1.cores }
    processors = (0..<threadCount).map { worker in
      // The core that the worker would have if cores were dealt evenly.
      var core = (2 * worker + 1) * cores / (2 * threadCount)
      for node in nodes {
        if core < node.cores { return node.processors }
        core -= node.cores
      }
      return nodes[nodes.count - 1].processors
    }
  }

  /// Keeps the calling thread where `worker` belongs; without an effect where the system does not allow it.
  func bind(worker: Int) {
    let mask = Self.mask(of: processors[worker])
    _ = unsafe ft_bind_thread(mask, mask.count)
  }

  /// Runs `body` where `worker` belongs, and lets the calling thread go where it could before.
  func with(worker: Int, _ body: () -> Void) {
    var before = [UInt64](repeating: 0, count: Self.maskWords)
    let isKnown = unsafe ft_thread_processors(&before, before.count)
    bind(worker: worker)
    body()
    if isKnown { _ = unsafe ft_bind_thread(before, before.count) }
  }

  private static func mask(of processors: [Int]) -> [UInt64] {
    var mask = [UInt64](repeating: 0, count: maskWords)
    for processor in processors where processor / 64 < maskWords { mask[processor / 64] |= 1 << UInt64(processor % 64) }
    return mask
  }

  /// Room for the processors of the largest machines that Linux knows.
  private static let maskWords = 8192 / 64
}

extension WorkerPool {
  /// Keeps the calling thread, which is to be the one that runs the pool's work from now on, on its node.
  package func bindCaller() { placement?.bind(worker: 0) }

  /// Has the system give memory that nobody has touched yet from the nodes of the workers that will read it.
  ///
  /// What workers begin with comes from their own nodes; what is claimed by whoever is free comes from all in turns.
  package func settle(_ memory: [Upcoming]) {
    guard let placement else { return }
    run { worker in
      let touch = {
        for part in memory.flatMap({ $0.shares(of: worker, workers: self.threadCount) }) {
          for address in stride(from: part.lowerBound, to: part.upperBound, by: Self.pageBytes) {
            guard let byte = unsafe UnsafeMutablePointer<UInt8>(bitPattern: address) else { continue }
            unsafe byte.pointee = 0
          }
        }
      }
      if worker == 0 { placement.with(worker: 0, touch) } else { touch() }
    }
  }

  private static let pageBytes = 4096
}

extension WorkerPool.Upcoming {
  /// The memory that worker `worker` is to touch first: its own part, and its share of what is claimed, as addresses.
  package func shares(of worker: Int, workers: Int) -> [Range<UInt>] {
    let job = WorkerJob(claiming: count, inMultiplesOf: unit, workers: workers)
    let (rest, first) = (job.count - job.firstClaim, job.firstClaim)
    let claimed = first + rest * worker / workers..<first + rest * (worker + 1) / workers
    return [worker < job.ownParts ? job.ownPart(worker) : 0..<0, claimed].filter { !$0.isEmpty }.map { items in
      address + UInt(items.lowerBound * bytesPerUnit)..<address + UInt(items.upperBound * bytesPerUnit)
    }
  }
}
