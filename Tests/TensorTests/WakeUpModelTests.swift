import Testing

@Suite struct WakeUpModelTests {
  static let plans: [[WakeUpModel.Job]] = [
    [.shared(parts: 2), .everyWorker], [.everyWorker, .shared(parts: 3)], [.shared(parts: 1), .shared(parts: 2)],
  ]

  @Test("in every interleaving of a caller and three workers all parts are done once and all threads end")
  func everyInterleaving() throws {
    for plan in Self.plans {
      let (states, finishesAlone) = try WakeUpModel(jobs: plan).walk()
      #expect(states > 10_000)
      // Only work that is every worker's own waits for workers that have not begun.
      let isShared = if case .shared = plan[0] { true } else { false }
      #expect(finishesAlone == isShared)
    }
  }

  @Test("the walk finds what goes wrong with a mistake in the protocol", arguments: WakeUpModel.Fault.allCases)
  func mistakes(fault: WakeUpModel.Fault) {
    let found = Self.plans.contains { plan in
      do {
        _ = try WakeUpModel(jobs: plan, fault: fault).walk()
        return false
      } catch { return true }
    }
    #expect(found)
  }
}
