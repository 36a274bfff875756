internal import ArgumentParser
internal import Demonstration

/// The program that `make demo` runs: `foretoken demo`, built without all else.
@main
struct ForetokenDemo {
  static func main() async { await Demo.main() }
}
