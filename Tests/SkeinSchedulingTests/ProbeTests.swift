import SkeinCore
import SkeinScheduling
import Testing

/// What the schedule does for the cluster's own questions, and for the names of clients' requests.
@Suite struct ProbeTests {
    typealias Harness = ScheduleHarness

    private static func probe(_ number: UInt64) -> SequenceRequest {
        var request = Harness.request(number, prompt: 1, tokens: 1)
        request.isProbe = true
        return request
    }

    private static func named(_ number: UInt64, prompt: Int, tokens: Int = 4) -> SequenceRequest {
        var request = Harness.request(number, prompt: prompt, tokens: tokens)
        request.label = "req_\(number)"
        return request
    }

    @Test func aProbeIsTakenWhereAClientWouldBeToldToComeLater() {
        var harness = Harness(smallPlan(waiting: 1))
        harness.arrive(Harness.request(1, prompt: 4), Harness.request(2, prompt: 4))
        #expect(harness.refused[2] != nil)
        harness.arrive(Self.probe(3))
        #expect(harness.refused[3] == nil && harness.schedule.liveCount == 2)
    }

    @Test func aProbeIsCountedInNoTotal() throws {
        var harness = Harness(smallPlan())
        harness.arrive(Harness.request(1, prompt: 10, tokens: 3), Self.probe(2))
        #expect(harness.schedule.counts.liveCount == 1)
        try harness.runDry()
        #expect(harness.finished == [1: .length, 2: .length])
        let totals = harness.schedule.totals
        #expect(totals.arrivalCount == 1 && totals.finishCount == 1)
        #expect(totals.prefillRowCount == 10 && totals.decodeRowCount == 2)
        #expect(harness.schedule.ownedPageCount == 0)
    }

    @Test func onlyTheFirstMicroBatchCarriesTheName() throws {
        var harness = Harness(smallPlan(inFlight: 8, prefill: 8))
        harness.arrive(Self.named(1, prompt: 70))
        let sent = harness.fill()
        #expect(sent.map { $0.spans[0].label } == ["req_1", "", ""])
        for _ in sent { try harness.comeBack() }
        #expect(harness.fill().map { $0.spans[0].label } == [""])
    }

    @Test func aReplayTellsTheNameAgain() throws {
        var harness = Harness(smallPlan())
        harness.arrive(Self.named(1, prompt: 20))
        harness.fill()
        try harness.comeBack()
        harness.fill()
        harness.ring = []
        harness.note(harness.schedule.onEpoch(Epoch(rawValue: 2)))
        #expect(harness.fill().map { $0.spans[0].label } == ["req_1"])
    }
}
