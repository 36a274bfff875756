internal import Foundation
internal import Synchronization

/// Threads that compute without pause until they leave: whoever measures beside them competes for the processors.
final class Crowd: Sendable {
  private let isOver = Atomic<Bool>(false)

  init(_ count: Int) {
    for _ in 0..<count {
      let thread = Thread { [self] in
        var value: UInt64 = 1
        while !isOver.load(ordering: .relaxed) {
          for _ in 0..<4096 { value = value &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407 }
          if value == 0 { return }
        }
      }
      thread.start()
    }
    if count > 0 { Thread.sleep(forTimeInterval: 0.1) }
  }

  func leave() { isOver.store(true, ordering: .relaxed) }
}
