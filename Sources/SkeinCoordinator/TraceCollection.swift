internal import SkeinCore
internal import SkeinTelemetry
internal import SkeinWire

/// The answers of a trace as they come in (a pure value; the caller asks and reads the clock).
///
/// Nodes keep half a second of intervals, so they are asked again and again; what each one says is
/// on its own clock until the trace ends and the clocks are known best.
struct TraceCollection: Sendable {
    /// What one node has said.
    private struct Part: Sendable {
        /// The last interval known; `nil` until the node has said where it begins.
        var lastNumber: UInt64?
        var missedCount = 0
        var intervals: [TracedInterval] = []
        var openIntervals: [TracedInterval] = []
        var isLost = false
        var askedCount = 0
        var answeredCount = 0
    }

    private var parts: [String: Part]
    private var ownIntervals: [TracedInterval] = []
    private var intervalCount = 0
    private var requests: [String] = []
    private var placesOfRequests: [String: Int] = [:]
    private var microBatches: [MicroBatchID: ClusterTrace.MicroBatch] = [:]

    /// When the window began, on the coordinator's clock.
    var since: Duration

    /// Whether nothing but the last answers is awaited.
    private(set) var isEnding = false

    /// Opens a trace of nodes.
    init(of nodes: [String], since: Duration) {
        self.since = since
        parts = Dictionary(uniqueKeysWithValues: nodes.map { ($0, Part()) })
    }

    /// What each node is to be asked now.
    mutating func ask() -> [(node: String, request: TraceRequest)] {
        parts.keys.sorted().compactMap { name in
            guard let part = parts[name], !part.isLost else { return nil }
            parts[name]?.askedCount += 1
            let request = TraceRequest(
                afterNumber: part.lastNumber ?? TraceRequest.fromNow, wantsOpenIntervals: isEnding)
            return (name, request)
        }
    }

    /// Whether no answer is awaited; links keep the order of questions and answers.
    var isSettled: Bool {
        parts.values.allSatisfy { $0.isLost || $0.answeredCount >= $0.askedCount }
    }

    /// From now on nodes are asked for what is under way, too.
    mutating func onEnding() { isEnding = true }

    /// The coordinator's own end of the ring did something.
    mutating func onOwn(_ interval: TracedInterval) {
        guard intervalCount < Limits.traceIntervalsMax else { return }
        ownIntervals.append(interval)
        intervalCount += 1
    }

    /// A micro-batch is in the ring: what it carries, for requests of these names.
    mutating func onMicroBatch(_ id: MicroBatchID, rowCount: Int, of names: [String]) {
        guard microBatches.count < Limits.traceMicroBatchesMax else { return }
        var places: [Int] = []
        for name in names where !name.isEmpty {
            if placesOfRequests[name] == nil, requests.count < Limits.traceRequestsMax {
                placesOfRequests[name] = requests.count
                requests.append(name)
            }
            guard let place = placesOfRequests[name], !places.contains(place) else { continue }
            places.append(place)
        }
        microBatches[id] = ClusterTrace.MicroBatch(rowCount: rowCount, requests: places)
    }

    /// A node is gone: what it said counts, and no more will come.
    mutating func onLost(_ name: String) { parts[name]?.isLost = true }

    /// A node has answered.
    mutating func onAnswer(_ answer: TraceAnswer, of name: String) {
        guard var part = parts[name], !part.isLost else { return }
        part.answeredCount += 1
        let expected = (part.lastNumber ?? answer.firstNumber - 1) + 1
        // An answer to a question that was asked twice brings what is known already.
        let known = Int(clamping: expected > answer.firstNumber ? expected - answer.firstNumber : 0)
        if answer.firstNumber > expected {
            part.missedCount += Int(clamping: answer.firstNumber - expected)
        }
        let fresh = answer.intervals.dropFirst(known)
        let taken = fresh.prefix(Limits.traceIntervalsMax - intervalCount)
        part.missedCount += fresh.count - taken.count
        part.intervals += taken
        intervalCount += taken.count
        part.lastNumber = max(
            part.lastNumber ?? 0, answer.firstNumber - 1 + UInt64(answer.intervals.count))
        part.openIntervals = answer.openIntervals
        parts[name] = part
    }

    /// Puts the parts on one clock.
    ///
    /// - Parameters:
    ///   - clocks: of each node, how far its clock is ahead and how wrong that may be.
    ///   - stages: in ring order; the coordinator is node 0, the first of `nodes` node 1.
    func trace(
        nodes: [String], stages: [ClusterTrace.Stage],
        clocks: [String: (lead: Duration, error: Duration)], until end: Duration
    ) -> ClusterTrace {
        let window = (Int64(since.wholeMicroseconds), Int64(end.wholeMicroseconds))
        var all = [ClusterTrace.Node(name: CoordinatorSettings.ownName, intervals: ownIntervals)]
        for name in nodes {
            let part = parts[name] ?? Part()
            let (lead, error) = clocks[name] ?? (.zero, .zero)
            let ahead = lead.microseconds
            let intervals = (part.intervals + part.openIntervals).compactMap {
                Self.moved($0, by: -ahead, error: error.microseconds, into: window)
            }
            all.append(
                ClusterTrace.Node(
                    name: name, clockLeadMicroseconds: ahead,
                    clockErrorMicroseconds: error.microseconds, missedCount: part.missedCount,
                    intervals: intervals.sorted { $0.startMicroseconds < $1.startMicroseconds }))
        }
        var trace = ClusterTrace(
            startMicroseconds: window.0, endMicroseconds: window.1, nodes: all, stages: stages)
        trace.requests = requests
        trace.microBatches = microBatches
        return trace
    }

    /// An interval on another clock, cut to the window; `nil` for one that lies outside of it by
    /// more than the clocks' error.
    ///
    /// One that lies outside by less may have been inside: it stays, as long as a moment.
    private static func moved(
        _ interval: TracedInterval, by microseconds: Int64, error: Int64,
        into window: (Int64, Int64)
    ) -> TracedInterval? {
        var moved = interval
        let (start, end) = (
            moved.startMicroseconds + microseconds, moved.endMicroseconds + microseconds
        )
        guard end + error >= window.0, start - error <= window.1 else { return nil }
        moved.startMicroseconds = min(max(start, window.0), window.1)
        moved.endMicroseconds = min(max(end, window.0), window.1)
        return moved
    }
}

extension Duration {
    /// Whole microseconds, of either sign.
    fileprivate var microseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000 + attoseconds / 1_000_000_000_000
    }
}
