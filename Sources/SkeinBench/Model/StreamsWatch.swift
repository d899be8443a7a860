internal import SkeinCoordinator
internal import SkeinCore
internal import SkeinTelemetry

/// What streams that ran together left behind.
struct StreamsOutcome: Sendable {
    /// Tokens a second of all streams together, while all of them decoded.
    let tokensPerSecond: Double
    /// Times between two tokens of a stream, while all of them decoded, ascending.
    let gapsSeconds: [Double]
    /// Seconds from the first stream's request to its first token.
    let firstTokenSeconds: Double
    /// Seconds from the arrival of the long prompt to its token.
    let arrivalSeconds: Double?
    /// The stages when all streams decoded, and when the first one ended.
    let before: ClusterStatus
    let after: ClusterStatus
    /// What every node did meanwhile; `nil` where nobody traced.
    let trace: ClusterTrace?
}

/// How long a prompt took until its first token, alone: run in full, and found in the cache.
struct PrefixOutcome: Sendable {
    let firstSeconds: Double
    let repeatedSeconds: Double
}

/// Watches streams: when all of them decode, when the first one ends, and every gap between.
actor StreamsWatch {
    /// Tokens of each stream before times count: the schedule learns its steps first.
    static let settlingTokens = 8

    /// Tokens that a stream may produce before the last one decodes: prompts and decode take turns.
    static func headroomTokens(streamCount: Int, promptTokenCount: Int) -> Int {
        settlingTokens + streamCount * max(settlingTokens, promptTokenCount / 4)
    }

    private let streamCount: Int
    private let newTokenCount: Int
    private var tokenCounts: [Int]
    /// Tokens of each stream when the window began.
    private var firstCounts: [Int] = []
    private var lastTokens: [ContinuousClock.Instant?]
    private let beganAt = ContinuousClock.now
    private var firstTokenAt: ContinuousClock.Instant?
    private var gaps: [Double] = []
    private var windowTokens = 0
    private var before: (ClusterStatus, ContinuousClock.Instant)?
    private var after: (ClusterStatus, ContinuousClock.Instant)?
    private var trace: ClusterTrace?
    private var windowEnded: ContinuousClock.Instant?
    private var endedCount = 0
    private var arrivedAt: ContinuousClock.Instant?
    private var answeredAt: ContinuousClock.Instant?
    private var decodeWaits: [CheckedContinuation<Void, Never>] = []
    private var endWaits: [CheckedContinuation<Void, Never>] = []

    init(streamCount: Int, newTokenCount: Int) {
        self.streamCount = streamCount
        self.newTokenCount = newTokenCount
        tokenCounts = [Int](repeating: 0, count: streamCount)
        lastTokens = [ContinuousClock.Instant?](repeating: nil, count: streamCount)
    }

    func onToken(of stream: Int) {
        let now = ContinuousClock.now
        tokenCounts[stream] += 1
        firstTokenAt = firstTokenAt ?? now
        if let last = lastTokens[stream], isInWindow {
            // With an arrival, only the gaps while its prompt is on its way tell of it.
            if arrivedAt == nil || (answeredAt == nil && last >= (arrivedAt ?? last)) {
                gaps.append((now - last) / .seconds(1))
            }
            windowTokens += 1
        }
        lastTokens[stream] = now
        if tokenCounts.allSatisfy({ $0 >= Self.settlingTokens }) { resume(&decodeWaits) }
        if isInWindow, tokenCounts[stream] - firstCounts[stream] >= windowTokensMax {
            endWindow(now)
        }
    }

    func onEnd() {
        endedCount += 1
        resume(&decodeWaits)
        endWindow(.now)
    }

    func waitUntilAllDecode() async {
        let isSettled = tokenCounts.allSatisfy { $0 >= Self.settlingTokens }
        guard endedCount == 0, !isSettled else { return }
        await withCheckedContinuation { decodeWaits.append($0) }
    }

    func waitUntilOneEnds() async {
        guard windowEnded == nil else { return }
        await withCheckedContinuation { endWaits.append($0) }
    }

    func begin(_ status: ClusterStatus) {
        firstCounts = tokenCounts
        before = (status, .now)
    }
    func end(_ status: ClusterStatus) { after = (status, .now) }
    func note(_ trace: ClusterTrace) { self.trace = trace }
    func onArrival() {
        arrivedAt = .now
        gaps = []
    }
    func onArrivalAnswered() { answeredAt = .now }

    /// - Throws: a `Refusal` where the streams were too short to be watched.
    func outcome() throws(Refusal) -> StreamsOutcome {
        guard let before, let after, let windowEnded, windowTokens > 0,
            before.1 < windowEnded, !gaps.isEmpty
        else {
            throw Refusal(
                "--new-tokens",
                "the streams ended before they could be watched; \(newTokenCount) is too few")
        }
        return StreamsOutcome(
            tokensPerSecond: Double(windowTokens) / ((windowEnded - before.1) / .seconds(1)),
            gapsSeconds: gaps.sorted(),
            firstTokenSeconds: firstTokenAt.map { ($0 - beganAt) / .seconds(1) } ?? 0,
            arrivalSeconds: arrivedAt.flatMap { arrived in
                answeredAt.map { ($0 - arrived) / .seconds(1) }
            },
            before: before.0, after: after.0, trace: trace)
    }

    private var windowTokensMax: Int { max(newTokenCount - Self.settlingTokens, 1) }

    private var isInWindow: Bool { before != nil && windowEnded == nil }

    private func endWindow(_ now: ContinuousClock.Instant) {
        if windowEnded == nil { windowEnded = now }
        resume(&endWaits)
    }

    private func resume(_ waits: inout [CheckedContinuation<Void, Never>]) {
        for wait in waits { wait.resume() }
        waits = []
    }
}
