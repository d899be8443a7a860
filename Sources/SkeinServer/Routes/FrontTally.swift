internal import SkeinCore
internal import SkeinTelemetry

/// What the front has answered since it began (a pure value).
struct FrontTally: Sendable {
    /// A path and the status that was answered there.
    struct Outcome: Hashable, Sendable {
        let path: String
        let status: Int
    }

    private(set) var requestCounts: [Outcome: Int] = [:]
    private(set) var finishCounts: [String: Int] = [:]
    private(set) var promptTokenCount = 0
    private(set) var completionTokenCount = 0

    private(set) var timesToFirstToken = Histogram(bounds: Self.longBounds)
    private(set) var gaps = Histogram(bounds: Self.shortBounds)
    private(set) var timesPerOutputToken = Histogram(bounds: Self.shortBounds)
    private(set) var endToEnds = Histogram(bounds: Self.longBounds)
    private(set) var queueTimes = Histogram(bounds: Self.longBounds)

    /// Milliseconds to an hour: a long prompt on a few hosts takes minutes.
    private static let longBounds: [Double] = [
        0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
        163.84, 327.68, 655.36, 1_310.72, 3_600,
    ]

    /// Milliseconds to ten seconds for one token.
    private static let shortBounds: [Double] = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1,
        2.5, 5, 10,
    ]

    /// A request was answered.
    ///
    /// - Parameter path: a route's label; what is no route has one name, so that strangers cannot
    ///   fill the page.
    mutating func onResponse(path: String, status: Int) {
        requestCounts[Outcome(path: path, status: status), default: 0] += 1
    }

    /// An answer has got tokens, some time after those before.
    mutating func onGap(_ gap: Duration) { gaps.record(gap.seconds) }

    /// A completion is over, whole or not.
    mutating func onCompletion(
        _ usage: Usage, timelines: [RequestTimeline], finishWords: [String]
    ) {
        promptTokenCount += usage.promptTokenCount
        completionTokenCount += usage.completionTokenCount
        for word in finishWords { finishCounts[word, default: 0] += 1 }
        for timeline in timelines {
            if let time = timeline.queueTime { queueTimes.record(time.seconds) }
            if let time = timeline.timeToFirstToken { timesToFirstToken.record(time.seconds) }
            if let time = timeline.timePerOutputToken { timesPerOutputToken.record(time.seconds) }
            if let time = timeline.endToEnd { endToEnds.record(time.seconds) }
        }
    }
}

extension Duration {
    /// The duration in seconds.
    var seconds: Double { self / .seconds(1) }
}
