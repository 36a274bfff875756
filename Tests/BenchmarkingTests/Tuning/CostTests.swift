import Testing
import Tuning

@Suite struct CostTests {
  @Test("dollars per million tokens are the hour's price over the hour's tokens")
  func price() {
    let price = Price(dollarsPerHour: 3.6)
    #expect(price.perMillionTokens(at: 1000) == 1)
    #expect(price.perMillionTokens(at: 0) == nil)
  }

  @Test("a draft displaces positions by its weights, and a share of the rest by its own keys and values")
  func memory() throws {
    let memory = DraftMemory(
      draft: "d", weightBytes: 1000, keyValueBytesPerToken: 25, targetWeightBytes: 5000,
      targetKeyValueBytesPerToken: 100, budgetBytes: 15_000)
    #expect(memory.tokensDisplacedByWeights == 10 && memory.shareDisplacedByKeysAndValues == 0.2)
    let capacity = try #require(memory.capacity)
    #expect(capacity.without == 100 && capacity.with == 72)
    var small = memory
    small.budgetBytes = 100
    #expect(small.capacity?.without == 0 && small.capacity?.with == 0)
  }

  @Test("the built-in table has a source and a date for every price, and the instances that are named everywhere")
  func builtIn() throws {
    let table = try InstanceTable.builtIn()
    for instance in table.instances {
      #expect(instance.source.date.wholeMatch(of: /\d{4}-\d{2}-\d{2}/) != nil && !instance.source.text.isEmpty)
      #expect(instance.dollarsPerHour.map { $0 > 0.01 && $0 < 200 } ?? true)
    }
    for name in [
      "trn2.48xlarge", "trn2.3xlarge", "inf2.xlarge", "p5.48xlarge", "g6.xlarge", "c7i.4xlarge", "m8a.large",
    ] {
      #expect(try table.price(of: name).dollarsPerHour > 0)
    }
    #expect(try table.price(of: "trn2.3xlarge").source?.contains("capacity-block") == true)
  }

  private static func table(_ row: String) -> String {
    "sources:\n  s: {date: 2026-01-01, text: us}\ninstances:\n  - \(row)\n"
  }

  @Test(
    "a damaged table is refused with the instance and the fact",
    arguments: [
      ("{name: x, source: t, price_per_hour: 1}", "'t'"), ("{name: x, source: s, price_per_hour: -1}", "-1"),
      ("{name: x, source: s, price_per_hour: 1, memory_gib: 0}", "memory"), ("{name: x}", "source"), ("[1", "table"),
      ("{name: x, source: s}\n  - {name: x, source: s}", "twice"),
    ])
  func damaged(row: String, fact: String) {
    #expect {
      try InstanceTable(yaml: Self.table(row), name: "t.yaml")
    } throws: {
      "\($0)".contains("t.yaml") && "\($0)".contains(fact)
    }
  }

  @Test("an instance without a price, or one that is not there, is an error that says what to do")
  func missing() throws {
    let table = try InstanceTable(yaml: Self.table("{name: big.one, source: s}"), name: "t.yaml")
    #expect { try table.price(of: "big.one") } throws: { "\($0)".contains("--price-per-hour") }
    #expect { try table.price(of: "big.two") } throws: { "\($0)".contains("big.one") }
  }
}
