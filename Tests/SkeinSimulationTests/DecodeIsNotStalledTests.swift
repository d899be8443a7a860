import SkeinCore
import SkeinPlanning
import SkeinScheduling
import Testing

/// Streams that decode while a long prompt arrives, on a virtual clock and with the costs of a
/// mixture of experts: a few rows read some experts, many rows read all of them.
@Suite struct DecodeIsNotStalledTests {
    /// Milliseconds of a step of a model of which 1.2 GB are read for one token and 4.6 GB for
    /// many, at 29 GB/s, with 5 ms of compute a row where that is longer.
    private static func stepTime(rows: Int, stages: Int) -> Duration {
        var missed = 1.0
        for _ in 0..<rows { missed *= 7.0 / 8 }
        let read = (0.7 + 3.9 * (1 - missed)) / 29 * 1_000
        return .milliseconds(max(read, Double(rows) * 5) / Double(stages))
    }

    /// Times between tokens of the streams, in ring order of events.
    private static func gaps(
        stages: Int, streams: Int, promptTokenCount: Int
    ) throws(Refusal) -> [Duration] {
        var schedule = PipelineSchedule(
            plan: SchedulePlan(
                stageCount: stages, pageCount: 512, positionCountMax: 8_192,
                microBatchesInFlightMax: 4 * stages, decodeMicroBatchCount: stages,
                prefillMicroBatchCount: stages + 1),
            epoch: Epoch(rawValue: 1))
        var timeline = Timeline<(microBatch: MicroBatch, stageTimes: [Duration])>()
        var servers = [VirtualServer](repeating: VirtualServer(), count: stages)
        var lastTokens: [SequenceID: Duration] = [:]
        var gaps: [Duration] = []
        var now = Duration.zero
        var stepCount = 0

        func carryOut(_ directives: [Directive]) {
            for directive in directives {
                switch directive {
                case .send(let microBatch):
                    var time = UInt64(now / .nanoseconds(1))
                    let step = stepTime(rows: microBatch.rowCount, stages: stages)
                    for stage in 0..<stages {
                        time = servers[stage].serve(UInt64(step / .nanoseconds(1)), from: time).end
                    }
                    let times = [Duration](repeating: step, count: stages)
                    timeline.plan((microBatch, times), at: time)
                case .deliver(let id, _) where id.rawValue <= UInt64(streams):
                    if let last = lastTokens[id], stepCount > 40 * stages {
                        gaps.append(now - last)
                    }
                    lastTokens[id] = now
                default: break
                }
            }
        }
        func arrive(_ number: Int, prompt: Int, tokens: Int) {
            let tokens = StopRule(completionTokensMax: tokens)
            carryOut(
                schedule.onArrival(
                    SequenceRequest(
                        id: SequenceID(rawValue: UInt64(number)),
                        promptTokens: [TokenID](repeating: 5, count: prompt), stopRule: tokens)))
        }
        for number in 1...streams { arrive(number, prompt: 16, tokens: 400) }
        carryOut(schedule.fillRing())
        while let (time, event) = timeline.next() {
            now = .nanoseconds(Int64(time))
            stepCount += 1
            if stepCount == 50 * stages, promptTokenCount > 0 {
                arrive(streams + 1, prompt: promptTokenCount, tokens: 1)
            }
            var answer = TokenReturn(
                microBatch: event.microBatch.id, epoch: event.microBatch.epoch, tokens: [],
                stageTimes: event.stageTimes)
            for span in event.microBatch.spans where span.demand != nil {
                answer.tokens.append(
                    SampledToken(
                        sequence: span.sequence,
                        position: span.firstPosition + span.tokens.count, token: 9))
            }
            carryOut(try schedule.onReturn(answer))
            carryOut(schedule.fillRing())
        }
        return gaps.sorted()
    }

    @Test(arguments: [(1, 8), (2, 8), (4, 16), (4, 2), (1, 1)])
    func aLongPromptDoesNotDoubleTheTimeBetweenTokens(_ stages: Int, _ streams: Int) throws {
        let without = try Self.gaps(stages: stages, streams: streams, promptTokenCount: 0)
        let with = try Self.gaps(stages: stages, streams: streams, promptTokenCount: 2_000)
        let place = { (gaps: [Duration]) in gaps[gaps.count * 99 / 100] }
        // A round of a tenth of a second is never too long.
        let (usual, most) = (place(without), place(with))
        #expect(most < max(usual * 2, .milliseconds(105)), "\(most) against \(usual)")
        #expect(with[with.count - 1] < max(usual * 3, .milliseconds(200)))
    }
}
