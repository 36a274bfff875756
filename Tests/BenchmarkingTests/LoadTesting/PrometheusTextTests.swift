import LoadTesting
import Testing

@Suite struct PrometheusTextTests {
  private func samples(_ text: String) throws -> [MetricSample] { try PrometheusText.samples(Array(text.utf8)) }

  @Test("names, labels with escapes, values and time stamps are read")
  func page() throws {
    let found = try samples(
      """
      # HELP a:b_total What it is.
      # TYPE a:b_total counter
      a:b_total 3
      c{x="1",y="a \\"q\\" \\\\ \\n b",} 1.5e3 1395066363000
        d { z = "}" } +Inf
      e NaN

      """)
    #expect(found.map(\.name) == ["a:b_total", "c", "d", "e"])
    #expect(found[1].labels == ["x": "1", "y": "a \"q\" \\ \n b"] && found[1].value == 1500)
    #expect(found[2].labels == ["z": "}"] && found[2].value == .infinity && found[3].value.isNaN)
  }

  @Test(
    "an error names the line and what was expected",
    arguments: [
      ("a 1\nb", 2, "a number"), ("a{x=1} 1", 1, "a quoted value"), ("a{x=\"1\" 1", 1, "'}'"), ("1a 2", 1, "name"),
      ("a{x=\"1} 1", 1, "end"), ("a 1 2 3", 1, "time stamp"), ("a one", 1, "a number"), ("a{=\"1\"} 1", 1, "label"),
    ])
  func errors(text: String, line: Int, words: String) {
    #expect {
      try samples(text)
    } throws: { error in
      guard let error = error as? PrometheusTextError else { return false }
      return error.line == line && error.description.contains(words)
    }
  }

  @Test("any bytes are read or refused", arguments: 0..<300)
  func fuzz(seed: UInt64) {
    var random = Random(seed)
    let alphabet = Array("ab_:{}=\",\\ \n#0.1eE+-NaInf\t".utf8) + [0, 0xFF, 0xC3]
    let bytes = (0..<Int.random(in: 0...200, using: &random)).map { _ in
      alphabet[Int.random(in: alphabet.indices, using: &random)]
    }
    if let found = try? PrometheusText.samples(bytes) {
      #expect(found.count <= bytes.split(separator: 10).count && found.allSatisfy { !$0.name.isEmpty })
    }
  }

  @Test(
    "counters that no server has are left out, and figures are made of what remains",
    arguments: ["1e19", "1e300", "-1e300", "9223372036854775807", "-5", "NaN", "+Inf", "1e13", "3.7", "1e12"])
  func absurdCounters(value: String) throws {
    func page(_ counts: String, position: String = "0") throws -> SpeculationCounters? {
      SpeculationCounters(
        try samples(
          """
          vllm:spec_decode_num_drafts_total \(counts)
          vllm:spec_decode_num_draft_tokens_total \(counts)
          vllm:spec_decode_num_draft_tokens_total{engine="2"} 7
          vllm:spec_decode_num_accepted_tokens_total \(counts)
          vllm:spec_decode_num_accepted_tokens_per_pos_total{position="\(position)"} \(counts)
          """))
    }
    let before = try #require(try page("0"))
    for position in ["0", "-5", "99999999999", "9223372036854775807", "x"] {
      guard let after = try page(value, position: position), let found = after.since(before) else { continue }
      #expect(found.drafts >= 0 && found.draftTokens >= 0 && found.acceptedTokens >= 0)
      #expect(found.acceptedPerPosition.count <= 1024 && found.acceptedPerPosition.allSatisfy { $0 >= 0 })
    }
  }

  @Test("what speculation did is the difference of two pages, summed over engines")
  func counters() throws {
    func counters(_ drafts: Int, _ proposed: Int, _ accepted: [Int]) throws -> SpeculationCounters? {
      var page = ""
      for engine in 0..<2 {
        page += "vllm:spec_decode_num_drafts_total{engine=\"\(engine)\"} \(drafts)\n"
        page += "vllm:spec_decode_num_draft_tokens_total{engine=\"\(engine)\"} \(proposed)\n"
        page += "vllm:spec_decode_num_accepted_tokens_total{engine=\"\(engine)\"} \(accepted.reduce(0, +))\n"
        for (position, count) in accepted.enumerated() {
          page +=
            "vllm:spec_decode_num_accepted_tokens_per_pos_total{engine=\"\(engine)\",position=\"\(position)\"} \(count)\n"
        }
      }
      return SpeculationCounters(try samples(page))
    }
    let before = try #require(try counters(10, 40, [8, 4, 1]))
    let after = try #require(try counters(20, 80, [17, 9, 2, 0]))
    let found = try #require(after.since(before))
    #expect(found.drafts == 20 && found.draftTokens == 80 && found.acceptedTokens == 30)
    #expect(found.acceptedPerPosition == [18, 10, 2])
    #expect(found.acceptanceRate == 30.0 / 80 && found.acceptanceLength == 2.5)
    #expect(found.acceptanceRatePerPosition == [0.9, 0.5, 0.1])
    #expect(after.since(after) == nil && before.since(after) == nil)
    #expect(SpeculationCounters(try samples("vllm:generation_tokens_total 4\n")) == nil)
  }
}
