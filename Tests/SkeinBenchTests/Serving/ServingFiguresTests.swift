import Testing

@testable import SkeinBench

@Suite struct ServingFiguresTests {
    static func record(
        _ index: Int, due: Int = 0, sent: Int = 0, emissions: [Int], ended: Int? = nil,
        tokens: Int? = nil, failure: ServingFailure? = nil
    ) -> ServingRecord {
        var record = ServingRecord(
            index: index, due: .milliseconds(due), sent: .milliseconds(sent),
            ended: .milliseconds(ended ?? emissions.last ?? 0))
        record.emissions = emissions.map { .milliseconds($0) }
        record.promptTokenCount = 10
        record.toldTokenCount = tokens
        record.failure = failure
        return record
    }

    private static func figures(
        _ records: [ServingRecord], goodput: [String] = []
    ) throws -> ServingFigures {
        var run = ServingRun.Outcome()
        run.records = records
        run.duration = records.map(\.ended).max() ?? .zero
        return ServingFigures(
            run, serviceLevel: goodput.isEmpty ? nil : try ServiceLevel(words: goodput))
    }

    @Test func latenciesCountFromTheTimeAtWhichARequestWasDue() throws {
        let figures = try Self.figures([
            Self.record(0, due: 100, sent: 400, emissions: [500, 600, 900], ended: 950, tokens: 4)
        ])
        #expect(figures.timeToFirstToken.percentileMs(50) == 400)
        #expect(figures.timeToFirstTokenFromSend.percentileMs(50) == 100)
        #expect(figures.latency.percentileMs(50) == 850)
        #expect(figures.latencyFromSend.percentileMs(50) == 550)
        #expect(figures.timePerOutputToken.percentileMs(50) == 150)
        #expect(figures.interTokenLatency.count == 2)
        #expect(try #require(figures.interTokenLatency.meanMs).isClose(to: 200, share: 0.001))
        #expect(figures.sendDelay.percentileMs(99) == 300)
        #expect(figures.outputTokenCount == 4 && figures.emissionCount == 3)
        #expect(figures.countedAnswerCount == 0)
    }

    @Test func failedRequestsCountOnlyAsFailures() throws {
        let failure = ServingFailure(kind: "http_500", detail: "no")
        let figures = try Self.figures([
            Self.record(0, emissions: [100, 200]),
            Self.record(1, emissions: [5], ended: 5_000, failure: failure),
            Self.record(2, emissions: [], ended: 10, failure: failure),
            Self.record(3, emissions: [], ended: 10, failure: .interrupted),
        ])
        #expect(figures.completedCount == 1 && figures.failedCount == 2)
        #expect(figures.failures == ["http_500": 2] && figures.interruptedCount == 1)
        #expect(figures.timeToFirstToken.count == 1)
        #expect(figures.outputTokenCount == 2 && figures.countedAnswerCount == 1)
        #expect(figures.perSecond(figures.completedCount) == 0.2)
    }

    @Test func goodputCountsAnswersThatKeepEveryLimit() throws {
        let records = [
            Self.record(0, emissions: [100, 150, 200], tokens: 3),
            Self.record(1, emissions: [600, 650, 700], tokens: 3),
            Self.record(2, emissions: [100, 500, 1_000], tokens: 3),
            Self.record(3, emissions: [400]),
        ]
        #expect(try Self.figures(records, goodput: ["ttft:500", "tpot:50"]).goodCount == 2)
        #expect(try Self.figures(records, goodput: ["ttft:400"]).goodCount == 3)
        #expect(try Self.figures(records, goodput: ["e2el:800"]).goodCount == 3)
        #expect(try Self.figures(records, goodput: []).goodCount == nil)
    }

    @Test(arguments: ["ttft", "ttft:", "ttft:-1", "ttft:x", "itl:5", "ttft:inf", ":4", ""])
    func aStrangeServiceLevelIsRefused(_ word: String) {
        #expect(throws: (any Error).self) { try ServiceLevel(words: [word]) }
    }

    @Test func aSecondHoldsWhatHappenedInIt() throws {
        let figures = try Self.figures([
            Self.record(0, due: 0, sent: 500, emissions: [900, 1_100], ended: 2_500, tokens: 4)
        ])
        #expect(figures.seconds.map(\.outputTokenCount) == [2, 2, 0])
        #expect(figures.seconds.map(\.completedCount) == [0, 0, 1])
        #expect(figures.seconds.map(\.runningCount) == [0.5, 1, 0.5])
        #expect(figures.outputTokenPeak == 2)
    }

    @Test func noRequestsGiveNoFigures() throws {
        let figures = try Self.figures([])
        #expect(figures.perSecond(5) == nil && figures.outputTokenPeak == nil)
        for latency in [figures.timeToFirstToken, figures.latency, figures.sendDelay] {
            #expect(latency.percentileMs(99) == nil && latency.meanMs == nil)
            #expect(latency.deviationMs == nil && latency.maxMs == nil)
        }
        #expect(figures.offeredRate == nil && figures.tokensPerEmission == nil)
    }

    @Test func figuresOfFailuresAloneAreAbsent() throws {
        let failure = ServingFailure(kind: "http_503", detail: "busy")
        let figures = try Self.figures(
            (0..<4).map { Self.record($0, emissions: [], ended: 5 + $0, failure: failure) },
            goodput: ["ttft:5"])
        #expect(figures.failedCount == 4 && figures.completedCount == 0)
        #expect(figures.timeToFirstToken.percentileMs(50) == nil && figures.latency.meanMs == nil)
        #expect(figures.outputThroughput == nil && figures.perSecond(figures.goodCount) == nil)
        #expect(figures.outputTokenCount == 0 && figures.tokensPerEmission == nil)
    }

    @Test func anAnswerWithoutEventsHasAnEndAndNoFirstToken() throws {
        // The server counts five tokens at the end, but none of them came as text or id.
        let figures = try Self.figures(
            [Self.record(0, emissions: [], ended: 900, tokens: 5)], goodput: ["ttft:1000"])
        #expect(figures.timeToFirstToken.count == 0 && figures.timePerOutputToken.count == 0)
        #expect(figures.interTokenLatency.count == 0 && figures.timeToFirstTokenFromSend.count == 0)
        #expect(figures.latency.percentileMs(50) == 900 && figures.outputTokenCount == 5)
        #expect(figures.silentAnswerCount == 1 && figures.outputTokenPeak == nil)
        // Whether it kept the limit is not known.
        #expect(figures.goodCount == nil)
    }

    @Test func anAnswerOfOneTokenHasNoTimeBetweenTokens() throws {
        let figures = try Self.figures([Self.record(0, emissions: [30], ended: 40, tokens: 1)])
        #expect(figures.timeToFirstToken.percentileMs(50) == 30)
        #expect(figures.timePerOutputToken.meanMs == nil && figures.interTokenLatency.meanMs == nil)
        #expect(figures.timeToFirstToken.deviationMs == nil)
    }

    @Test func tokensThatComeInOneEventHaveNoTimeBetweenThem() throws {
        let figures = try Self.figures(
            [Self.record(0, emissions: [30], ended: 30, tokens: 3)], goodput: ["tpot:1"])
        #expect(figures.timePerOutputToken.meanMs == nil && figures.goodCount == 1)
        #expect(figures.tokensPerEmission == 3)
    }

    @Test func eventsThatCameInOneReadHaveNoGapBetweenThem() throws {
        let together = try Self.figures([Self.record(0, emissions: [30, 30, 30], tokens: 3)])
        #expect(together.interTokenLatency.meanMs == nil)
        #expect(together.timePerOutputToken.meanMs == nil)
        let partly = try Self.figures([Self.record(0, emissions: [30, 30, 90], tokens: 3)])
        #expect(partly.interTokenLatency.count == 1)
        #expect(partly.timePerOutputToken.percentileMs(50) == 30)
    }

    @Test func aSumOfWhichOnePartIsNotKnownIsNotKnown() throws {
        var unknown = Self.record(1, emissions: [], ended: 50)
        unknown.promptTokenCount = nil
        let figures = try Self.figures([Self.record(0, emissions: [10, 20], tokens: 2), unknown])
        #expect(figures.inputTokenCount == nil && figures.outputTokenCount == nil)
        #expect(figures.tokenCount == nil && figures.outputThroughput == nil)
        #expect(figures.perSecond(figures.completedCount) == 40)
    }

    @Test func anIntervalNarrowsWithMoreLatencies() throws {
        func interval(_ count: Int) -> ClosedRange<Double>? {
            LatencyFigures((0..<count).map { .milliseconds(100 + $0 % 50) })
                .percentileIntervalMs(50)
        }
        #expect(interval(0) == nil && interval(1) == nil)
        let (few, many) = (try #require(interval(50)), try #require(interval(5_000)))
        #expect(few.contains(124.5) && many.contains(124.5))
        #expect(many.upperBound - many.lowerBound < few.upperBound - few.lowerBound)
    }

    @Test(arguments: 0..<20)
    func percentilesAreThoseOfTheSortedTruth(_ seed: UInt64) throws {
        var numbers = SeededNumbers(seed: seed)
        let count = Int.random(in: 1...3_000, using: &numbers)
        let latencies = (0..<count).map { _ in
            // From microseconds to minutes.
            Duration.microseconds(Int64(10 * (numbers.gamma(shape: 0.3) * 1e6).rounded() + 1))
        }
        let figures = LatencyFigures(latencies)
        let sorted = latencies.sorted()
        for percent in [1, 25, 50, 90, 95, 99, 99.9, 100.0] {
            let place = Int((percent / 100 * Double(count)).rounded(.up))
            let truth = sorted[max(1, place) - 1] / .milliseconds(1)
            let found = try #require(figures.percentileMs(percent))
            #expect(found.isClose(to: truth, share: 0.001), "p\(percent), seed \(seed)")
        }
        let mean = latencies.reduce(.zero, +) / count / .milliseconds(1)
        #expect(try #require(figures.meanMs).isClose(to: mean, share: 0.001), "seed \(seed)")
        #expect(figures.count == count)
    }
}

extension Double {
    /// Whether the number differs from another by at most a share of it.
    func isClose(to other: Double, share: Double) -> Bool {
        abs(self - other) <= share * abs(other)
    }
}
