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
    let inputTokenCount: Int
    let cachedTokenCount: Int?
    let outputTokenCount: Int
    /// Answers whose tokens were counted by events, because the server did not tell.
    let countedAnswerCount: Int
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
        goodCount = serviceLevel.map { level in records.count { level.isKept(by: $0) } }
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
        inputTokenCount = records.reduce(0) { $0 + ($1.promptTokenCount ?? 0) }
        let cached = records.compactMap(\.cachedTokenCount)
        cachedTokenCount = cached.isEmpty ? nil : cached.reduce(0, +)
        outputTokenCount = records.reduce(0) { $0 + $1.outputTokenCount }
        countedAnswerCount = records.count { $0.usageTokenCount == nil }
        emissionCount = records.reduce(0) { $0 + $1.emissions.count }
        runningCountPeak = run.runningCountPeak
        timeToFirstToken = LatencyFigures(records.lazy.map(\.timeToFirstToken))
        timePerOutputToken = LatencyFigures(records.lazy.compactMap(\.timePerOutputToken))
        interTokenLatency = LatencyFigures(records.lazy.flatMap(\.interTokenLatencies))
        latency = LatencyFigures(records.lazy.map(\.latency))
        timeToFirstTokenFromSend = LatencyFigures(
            records.lazy.map { ($0.emissions.first ?? $0.ended) - $0.sent })
        latencyFromSend = LatencyFigures(records.lazy.map { $0.ended - $0.sent })
        sendDelay = LatencyFigures(run.records.lazy.map { $0.sent - $0.due })
        seconds = Self.seconds(run.records, duration: run.duration)
        offeredRate = Self.rate(run.records.map(\.due))
        completionRate = Self.rate(records.map(\.ended))
    }

    /// Something a second over the whole load.
    func perSecond(_ count: Int) -> Double {
        duration > .zero ? Double(count) / (duration / .seconds(1)) : 0
    }

    /// The most tokens that came within one second of the load.
    var outputTokenPeak: Double { seconds.map(\.outputTokenCount).max() ?? 0 }

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
                record.emissions.isEmpty
                ? 0 : Double(record.outputTokenCount) / Double(record.emissions.count)
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
