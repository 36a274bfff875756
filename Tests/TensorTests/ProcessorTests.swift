import Testing

import Tensor

@Suite struct ProcessorTests {
  @Test(arguments: [
    ("processor\t: 0\nmodel name\t: AMD EPYC\nmodel\t\t: 17\n", "AMD EPYC" as String?),
    ("processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd4f\n", "ARM Neoverse V2"),
    ("CPU implementer\t: 0x61\nCPU part\t: 0x039\n", "ARM, implementer 0x61, part 0x039"),
    ("model names: none\nprocessor: 0\n", nil),
  ]) func theNameIsFoundInWhatTheSystemSays(text: String, name: String?) {
    #expect(Processor.name(information: text) == name)
  }
}
