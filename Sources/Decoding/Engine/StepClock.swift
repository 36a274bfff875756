internal import Tensor

/// What a step's time went into.
struct StepClock {
  private let started = ContinuousClock.now
  /// Seconds until the pass began.
  private(set) var proposingSeconds = 0.0
  /// Seconds that the target's pass took.
  private(set) var passSeconds = 0.0
  /// Times the pass and what is decided from it.
  private(set) var timer = PassTimer()

  /// All is proposed: the pass begins.
  mutating func beginPass() {
    proposingSeconds = (ContinuousClock.now - started) / .seconds(1)
    timer = PassTimer()
  }

  /// The pass has been run.
  mutating func endPass() { passSeconds = timer.seconds }

  /// The step's time so far, by what it went into.
  var times: StepTimes {
    StepTimes(
      proposing: proposingSeconds, verifying: passSeconds,
      other: (ContinuousClock.now - started) / .seconds(1) - proposingSeconds - passSeconds)
  }
}

/// Seconds of one step by what they went into.
struct StepTimes {
  var proposing = 0.0
  var verifying = 0.0
  var other = 0.0

  /// One request's part, when `count` shared the step.
  func divided(by count: Int) -> StepTimes {
    StepTimes(
      proposing: proposing / Double(count), verifying: verifying / Double(count), other: other / Double(count))
  }
}
