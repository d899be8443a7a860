import SkeinCore

/// What all requests of one load come to.
struct ServingFigures: Sendable {
    /// One second of the load.
    struct Second: Sendable, Equatable {
        /// Tokens that came in it.
        var outputTokenCount = 0.0
        /// Requests that ended well in it.
        var completedCount = 0
        /// Requests under way, the mean over the second.
        var runningCount = 0.0
    }

    let duration: Duration
    let requestCount: Int
    let completedCount: Int
    let goodCount: Int?
    let interruptedCount: Int
    let failures: [String: Int]
    /// One line of each sort of failure.
    let failureDetails: [String: String]
    let retryCount: Int
    /// Tokens of all prompts; `nil` where those of one are not known.
    let inputTokenCount: Int?
    let cachedTokenCount: Int?
    /// Tokens that the server guessed ahead, in the answers that tell of any.
    let drafts: DraftCounts?
    /// Tokens of all answers; `nil` where those of one are not known.
    let outputTokenCount: Int?
    /// Tokens that all these answers might have had.
    let wantedTokenCount: Int?
    /// Answers that ended before they had as many tokens as they might have had.
    let shortAnswerCount: Int
    /// Answers whose tokens were counted by events, because the server did not tell.
    let countedAnswerCount: Int
    /// Answers that have ended without an event that carried tokens.
    let silentAnswerCount: Int
    let emissionCount: Int
    let runningCountPeak: Int
    let timeToFirstToken: LatencyFigures
    let timePerOutputToken: LatencyFigures
    let interTokenLatency: LatencyFigures
    let latency: LatencyFigures
    /// Counted from the moment of sending: without the wait for a slot or for a late client.
    let timeToFirstTokenFromSend: LatencyFigures
    let latencyFromSend: LatencyFigures
    /// From the time at which a request was due to its sending.
    let sendDelay: LatencyFigures
    let seconds: [Second]
    /// Requests a second that were due, from the first to the last.
    let offeredRate: Double?
    /// Requests a second that ended well, from the first end to the last.
    let completionRate: Double?

    init(_ run: ServingRun.Outcome, serviceLevel: ServiceLevel?) {
        let records = run.records.filter { $0.failure == nil }
        duration = run.duration
        requestCount = run.records.count
        completedCount = records.count
        goodCount = serviceLevel.flatMap { level in
            Self.sum(records.map { level.isKept(by: $0).map { $0 ? 1 : 0 } })
        }
        var failures: [String: Int] = [:]
        var details: [String: String] = [:]
        for failure in run.records.compactMap(\.failure) where failure != .interrupted {
            failures[failure.kind, default: 0] += 1
            details[failure.kind] = details[failure.kind] ?? failure.detail
        }
        self.failures = failures
        failureDetails = details
        interruptedCount = run.records.count { $0.failure == .interrupted }
        retryCount = run.records.reduce(0) { $0 + $1.retryCount }
        inputTokenCount = Self.sum(records.map(\.promptTokenCount))
        let cached = records.compactMap(\.cachedTokenCount)
        cachedTokenCount = cached.isEmpty ? nil : cached.reduce(0, +)
        drafts = DraftCounts(sumOf: records.compactMap(\.drafts))
        outputTokenCount = Self.sum(records.map(\.outputTokenCount))
        wantedTokenCount = Self.sum(records.map(\.wantedTokenCount))
        shortAnswerCount = records.count { $0.isShort }
        countedAnswerCount = records.count { $0.toldTokenCount == nil && !$0.emissions.isEmpty }
        silentAnswerCount = records.count { $0.emissions.isEmpty }
        emissionCount = records.reduce(0) { $0 + $1.emissions.count }
        runningCountPeak = run.runningCountPeak
        timeToFirstToken = LatencyFigures(records.lazy.compactMap(\.timeToFirstToken))
        timePerOutputToken = LatencyFigures(records.lazy.compactMap(\.timePerOutputToken))
        interTokenLatency = LatencyFigures(records.lazy.flatMap(\.interTokenLatencies))
        latency = LatencyFigures(records.lazy.map(\.latency))
        timeToFirstTokenFromSend = LatencyFigures(
            records.lazy.compactMap { record in record.emissions.first.map { $0 - record.sent } })
        latencyFromSend = LatencyFigures(records.lazy.map { $0.ended - $0.sent })
        sendDelay = LatencyFigures(run.records.lazy.map { $0.sent - $0.due })
        seconds = Self.seconds(run.records, duration: run.duration)
        offeredRate = Self.rate(run.records.map(\.due))
        completionRate = Self.rate(records.map(\.ended))
    }

    /// Something a second over the whole load; `nil` where it is not known or nothing was answered.
    func perSecond(_ count: Int?) -> Double? {
        guard let count, completedCount > 0, duration > .zero else { return nil }
        return Double(count) / (duration / .seconds(1))
    }

    /// Output tokens a second.
    var outputThroughput: Double? { perSecond(outputTokenCount) }

    /// Tokens of prompts and answers; `nil` where some are not known.
    var tokenCount: Int? { Self.sum([inputTokenCount, outputTokenCount]) }

    /// The most tokens that came within one second of the load; `nil` where no event carried any.
    var outputTokenPeak: Double? {
        emissionCount > 0 ? seconds.map(\.outputTokenCount).max() : nil
    }

    /// Output tokens for each event that carried some.
    var tokensPerEmission: Double? {
        guard emissionCount > 0 else { return nil }
        return outputTokenCount.map { Double($0) / Double(emissionCount) }
    }

    /// A number for each answer that came to its end.
    func perAnswer(_ count: Int?) -> Double? {
        guard let count, completedCount > 0 else { return nil }
        return Double(count) / Double(completedCount)
    }

    /// The sum of counts; `nil` where one of them is not known.
    private static func sum(_ counts: [Int?]) -> Int? {
        let known = counts.compactMap { $0 }
        return known.count < counts.count ? nil : known.reduce(0, +)
    }

    /// Requests that failed; one that was broken off with the run has not.
    var failedCount: Int { failures.values.reduce(0, +) }

    /// The rate of events from the first to the last of them.
    ///
    /// Unlike a count over the whole load it is not lowered by the time that the last answer takes,
    /// so that the rate of arrivals and that of ends can be held against each other.
    static func rate(_ times: [Duration]) -> Double? {
        guard let first = times.min(), let last = times.max(), last > first else { return nil }
        return Double(times.count - 1) / ((last - first) / .seconds(1))
    }

    private static func seconds(_ records: [ServingRecord], duration: Duration) -> [Second] {
        let count = min(Int(duration / .seconds(1)) + 1, Int(Limits.loadDuration / .seconds(1)))
        var seconds = [Second](repeating: Second(), count: count)
        func index(_ time: Duration) -> Int { min(max(0, Int(time / .seconds(1))), count - 1) }
        for record in records {
            let end = index(record.ended)
            if record.failure == nil { seconds[end].completedCount += 1 }
            // Tokens that came together are spread over the events that brought them.
            let weight =
                Double(record.outputTokenCount ?? 0) / Double(max(1, record.emissions.count))
            for time in record.emissions { seconds[index(time)].outputTokenCount += weight }
            for place in index(record.sent)...max(index(record.sent), end) {
                let from = max(record.sent, .seconds(place))
                let to = min(record.ended, .seconds(place + 1))
                seconds[place].runningCount += max(0, (to - from) / .seconds(1))
            }
        }
        return seconds
    }
}
