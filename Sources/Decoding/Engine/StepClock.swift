internal import Tensor

/// What a step's time went into.
struct StepClock {
  private let started = ContinuousClock.now
  /// Seconds that proposing took.
  private(set) var proposingSeconds = 0.0
  /// Seconds that the target's pass took.
  private(set) var passSeconds = 0.0
  /// Times the pass and what is decided from it.
  private(set) var timer = PassTimer()

  /// Times proposing.
  mutating func proposing<Result>(_ body: () throws -> Result) rethrows -> Result {
    let began = ContinuousClock.now
    defer { proposingSeconds = (ContinuousClock.now - began) / .seconds(1) }
    return try body()
  }

  /// Times the target's pass.
  mutating func running<Result, Failure>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    timer = PassTimer()
    defer { passSeconds = timer.seconds }
    return try body()
  }

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
