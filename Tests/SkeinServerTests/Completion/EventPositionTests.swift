import Testing

@testable import SkeinServer

@Suite struct EventPositionTests {
    @Test func whatAClientGivesBackIsReadAsItWasTold() throws {
        var position = EventPosition(answerCount: 2)
        #expect(position.text == "0.0")
        position.step(of: 0)
        position.step(of: 1)
        position.step(of: 1)
        #expect(position.text == "1.2")
        position.step(of: nil)
        #expect(position.text == "1.2+1")
        #expect(EventPosition("1.2+1", answerCount: 2) == position)
    }

    @Test func aClientHasWhatItsPositionCounts() throws {
        let known = try #require(EventPosition("2.1", answerCount: 2))
        var newest = EventPosition(answerCount: 2)
        newest.step(of: 0)
        #expect(known.holds(newest, of: 0))
        newest.step(of: 1)
        #expect(known.holds(newest, of: 1))
        newest.step(of: 1)
        #expect(!known.holds(newest, of: 1))
        newest.step(of: nil)
        #expect(!known.holds(newest, of: nil))
    }

    @Test(arguments: ["", "1", "1.2.3", "a.b", "1.2+0", "1.2+x", "1.2+1+1", "-1.2", "1..2"])
    func whatNoStreamHasToldIsNoPosition(_ text: String) {
        #expect(EventPosition(text, answerCount: 2) == nil)
    }
}
