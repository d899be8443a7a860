import Foundation
import Testing

@testable import SkeinBench

@Suite struct HostFactsTests {
    @Test(
        arguments: [
            ("processor\t: 0\nmodel name\t: A: B 9\n\nmodel name\t: C", "A: B 9"),
            ("processor\t: 0\nBogoMIPS\t: 50.0", nil), ("", nil), ("model name", nil),
        ] as [(String, String?)])
    func theProcessorIsTheFirstOfTheList(_ list: String, _ name: String?) {
        #expect(HostFacts.processorName(in: Data(list.utf8)) == name)
    }

    @Test func aSystemWithoutSuchAListHasNoName() {
        #expect(HostFacts.processorName(in: nil) == nil)
        #expect(HostFacts.read().coreCount > 0)
    }
}
