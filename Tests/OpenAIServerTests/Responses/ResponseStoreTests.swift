import OpenAIServer
import Testing

@Suite struct ResponseStoreTests {
  private static func entry(_ bytes: Int, _ letter: Character = "r") -> ResponseStore.Entry {
    ResponseStore.Entry(input: [], response: Array(String(repeating: letter, count: bytes).utf8))
  }

  @Test func `a response is given out until it is removed`() {
    let store = ResponseStore(maximumCount: 4, maximumBytes: 10_000)
    store.keep(Self.entry(10), as: "a")
    #expect(store.entry("a") == Self.entry(10) && store.entry("b") == nil)
    #expect(store.remove("a") && !store.remove("a") && store.entry("a") == nil)
    #expect(store.count == 0 && store.byteCount == 0)
  }

  @Test func `of too many, the one that was used longest ago goes first`() {
    let store = ResponseStore(maximumCount: 3, maximumBytes: 10_000)
    for id in ["a", "b", "c"] { store.keep(Self.entry(10), as: id) }
    _ = store.entry("a")
    store.keep(Self.entry(10), as: "d")
    #expect(store.entry("b") == nil && store.count == 3)
    #expect(["a", "c", "d"].allSatisfy { store.entry($0) != nil })
  }

  @Test func `the bound on bytes holds, whatever comes`() {
    let limit = 5000
    let store = ResponseStore(maximumCount: 1000, maximumBytes: limit)
    for number in 0..<200 {
      store.keep(Self.entry(number * 37 % 1500), as: "r\(number)")
      #expect(store.byteCount <= limit)
      #expect(store.entry("r\(number)") != nil)
    }
    store.keep(Self.entry(limit), as: "large")
    #expect(store.entry("large") == nil && store.entry("r199") != nil)
    for number in 0..<200 { _ = store.remove("r\(number)") }
    #expect(store.byteCount == 0 && store.count == 0)
  }

  @Test func `the same id again takes the place of what was there`() {
    let store = ResponseStore(maximumCount: 3, maximumBytes: 10_000)
    store.keep(Self.entry(1000), as: "a")
    let before = store.byteCount
    store.keep(Self.entry(10, "s"), as: "a")
    #expect(store.entry("a") == Self.entry(10, "s") && store.count == 1 && store.byteCount == before - 990)
  }

  @Test(arguments: [(0, 1000), (10, 0)])
  func `a store without room keeps nothing`(count: Int, bytes: Int) {
    let store = ResponseStore(maximumCount: count, maximumBytes: bytes)
    store.keep(Self.entry(1), as: "a")
    #expect(store.entry("a") == nil && store.count == 0 && store.byteCount == 0)
  }
}
