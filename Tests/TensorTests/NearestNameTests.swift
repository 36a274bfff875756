import Tensor
import Testing

@Suite struct NearestNameTests {
  private static let commands = ["chat", "serve", "generate", "models", "doctor", "pull", "deploy"]

  @Test(
    "a name with a few mistakes is taken for the one that was meant",
    arguments: [
      ("serv", "serve"), ("chta", "chat"), ("genrate", "generate"), ("MODELS", "models"), ("docter", "doctor"),
      ("pul", "pull"), ("model", "models"), ("depoly", "deploy"),
    ])
  func meant(name: String, command: String) { #expect(Self.commands.nearest(to: name) == command) }

  @Test("what is like none, is nothing, or is too long is taken for none", arguments: ["xyz", "", "help me", "banana"])
  func none(name: String) {
    #expect(Self.commands.nearest(to: name) == nil)
    #expect([String(repeating: "a", count: 10_000)].nearest(to: String(repeating: "a", count: 10_001)) == nil)
    #expect([String]().nearest(to: "chat") == nil)
  }

  @Test("of several the one with the fewest mistakes is meant, and never the name itself")
  func fewest() {
    #expect(["Q4_0", "Q4_K_M", "Q4_K_S"].nearest(to: "Q4_KM") == "Q4_K_M")
    #expect(["chat"].nearest(to: "chat") == nil)
  }
}
