import SkeinCore
import Testing

@testable import SkeinJournal

@Suite struct RequestMemoryTests {
    @Test func itsRecordsGiveItAgain() {
        let memory = Sample.memory
        var again = RequestMemory()
        for record in memory.records { again.apply(record) }
        #expect(again.requests == memory.requests)
        #expect(again.epoch == memory.epoch)
        #expect(again.newestSequence == memory.newestSequence)
    }

    @Test func everyRecordIsReadAsItWasWritten() {
        let further: [JournalRecord] = [
            .opened(version: 1, cluster: "a \"b\"", fingerprint: "f"),
            .ended(SequenceID(rawValue: 1), .failed(Refusal("stage 2", "broke\nin two"))),
            .rested(SequenceID(rawValue: .max)), .forgotten(request: "req_1"),
        ]
        for record in Sample.records + further {
            let line = JournalLine.bytes(of: record)
            #expect(line.last == UInt8(ascii: "\n"))
            #expect(JournalLine.record(in: line.dropLast()) == record)
        }
    }

    @Test func aLineWithAnotherBitIsNoRecord() {
        let line = JournalLine.bytes(of: Sample.records[1]).dropLast()
        for place in line.indices {
            var damaged = line
            damaged[place] ^= 0x10
            #expect(JournalLine.record(in: damaged) == nil, "\(place)")
        }
    }

    @Test func theChecksumIsTheOneThatOthersCompute() {
        #expect(CRC32C.checksum(of: Array("123456789".utf8)) == 0xE306_9283)
    }

    @Test func aRequestIsInvisibleToOthers() {
        let memory = Sample.memory
        #expect(memory.request(named: "req_1", of: "key 0") != nil)
        #expect(memory.request(named: "mine", of: "key 0") != nil)
        #expect(memory.request(withKey: "k", of: "key 0") != nil)
        #expect(memory.request(named: "req_1", of: "key 1") == nil)
        #expect(memory.request(named: "mine", of: "key 1") == nil)
        #expect(memory.request(withKey: "k", of: "key 1") == nil)
    }

    @Test func anAnswerGoesOnUnderAnotherSequence() {
        var memory = Sample.memory
        memory.apply(.rested(SequenceID(rawValue: 8)))
        #expect(memory.requests["req_1"]?.answers[0]?.rests == true)
        memory.apply(
            .drawing(
                SequenceID(rawValue: 12), request: "req_1", answer: 0, prompt: Sample.prompt))
        memory.apply(.drawn(SampledToken(sequence: SequenceID(rawValue: 8), position: 6, token: 1)))
        memory.apply(
            .drawn(SampledToken(sequence: SequenceID(rawValue: 12), position: 6, token: 2)))
        let answer = memory.answer(of: SequenceID(rawValue: 12))
        #expect(answer?.rests == false)
        #expect(answer?.tokens.map(\.token) == [11, 12, 2])
    }

    @Test func whatIsForgottenIsGone() {
        var memory = Sample.memory
        memory.apply(.forgotten(request: "req_1"))
        #expect(memory.requests.isEmpty)
        #expect(memory.request(withKey: "k", of: "key 0") == nil)
        #expect(memory.records == [.placed(Epoch(rawValue: 3))])
        #expect(memory.newestSequence == SequenceID(rawValue: 9))
    }
}
