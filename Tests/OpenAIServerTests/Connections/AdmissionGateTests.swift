import HTTPTypes
import OpenAIServer
import Testing

@Suite struct AdmissionGateTests {
  @Test("places come back when tickets are dropped")
  func tickets() throws {
    let gate = AdmissionGate(limit: 3)
    var first: AdmissionGate.Ticket? = try gate.admit(2)
    let second = try gate.admit(1)
    let error = #expect(throws: APIError.self) { try gate.admit(1) }
    #expect(error?.status.code == 429 && error?.retryAfterSeconds == 1)
    withExtendedLifetime(first) {}
    first = nil
    withExtendedLifetime((second, try gate.admit(2))) {}
  }

  @Test("what never fits is the request's own fault")
  func neverFits() {
    let gate = AdmissionGate(limit: 3)
    #expect(throws: APIError.self) { try gate.admit(4) }
    let error = #expect(throws: APIError.self) { try gate.admit(4) }
    #expect(error?.status.code == 400 && error?.parameter == "n")
  }
}
