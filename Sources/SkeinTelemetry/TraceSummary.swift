public import SkeinCore

/// Where the time of each stage of a trace went.
///
/// All of it is within the trace's window; intervals that reach out of it are cut.
public struct TraceSummary: Equatable, Sendable {
    /// One stage.
    public struct Stage: Equatable, Sendable {
        /// Its place in the ring.
        public var index: StageIndex
        /// Who holds it.
        public var node: String
        /// Steps that it computed, those cut by the window included.
        public var stepCount: Int
        /// Computing.
        public var busySeconds: Double
        /// Without a micro-batch to run.
        public var waitingInSeconds: Double
        /// With a packed result, until the link has taken it.
        public var waitingOutSeconds: Double
        /// For remote experts, all micro-batches summed.
        public var waitingCombineSeconds: Double
        /// Packing results.
        public var sendingSeconds: Double
        /// `busySeconds` ÷ window.
        public var busyShare: Double
        /// The share of the window in which its compute threads did nothing, for no stage of
        /// theirs.
        public var bubbleShare: Double
        /// Hops that reach it, and waits for remote experts, all summed.
        public var communicationSeconds: Double
        /// The part of them under which its node computed.
        public var hiddenSeconds: Double
        /// The mean time of a hop that reaches it; 0 without one.
        public var hopSeconds: Double

        /// `hiddenSeconds` ÷ `communicationSeconds`; `nil` where nothing was communicated.
        public var hiddenShare: Double? {
            communicationSeconds > 0 ? hiddenSeconds / communicationSeconds : nil
        }
    }

    /// The window's length.
    public var windowSeconds: Double
    /// The stages in ring order.
    public var stages: [Stage]

    /// The hidden share of all communication; `nil` where there was none.
    public var hiddenShare: Double? {
        let all = stages.reduce(0) { $0 + $1.communicationSeconds }
        return all > 0 ? stages.reduce(0) { $0 + $1.hiddenSeconds } / all : nil
    }

    /// Sums a trace up.
    ///
    /// A hop belongs to the node that it reaches, who would else have to wait for it. The ring's
    /// first stage has two: the return that gives the credit back, and the step that spends it.
    public init(_ trace: ClusterTrace) {
        let window = trace.startMicroseconds..<max(trace.startMicroseconds, trace.endMicroseconds)
        let parts = LaneParts(trace, window: window)
        var hops: [TraceLane: [HiddenTime.Span]] = [:]
        for hop in trace.hops {
            let receiver = hop.to == .coordinator ? TraceLane.stage(StageIndex(0)) : hop.to
            let span = (hop.startMicroseconds..<hop.endMicroseconds).clamped(to: window)
            hops[receiver, default: []].append(span)
        }
        let length = window.length
        windowSeconds = Double(length) / 1e6
        stages = trace.stages.map { stage in
            let lane = TraceLane.stage(stage.index)
            let compute = parts.compute(ofOwner: stage.owner)
            let busy = parts.time(of: lane) { $0.isCompute }
            let hopSpans = hops[lane] ?? []
            let communications = hopSpans + parts.spans(of: lane) { $0 == .waitingCombine }
            let (all, hidden) = HiddenTime.measure(communications, under: compute)
            let working = compute.reduce(0) { $0 + $1.length }
            let hopTime = hopSpans.reduce(0) { $0 + $1.length }
            return Stage(
                index: stage.index, node: trace.nodes[stage.node].name,
                stepCount: parts.stepCount(of: lane), busySeconds: busy.seconds,
                waitingInSeconds: parts.time(of: lane) { $0 == .waitingIn }.seconds,
                waitingOutSeconds: parts.time(of: lane) { $0 == .waitingOut }.seconds,
                waitingCombineSeconds: parts.time(of: lane) { $0 == .waitingCombine }.seconds,
                sendingSeconds: parts.time(of: lane) { $0 == .sending }.seconds,
                busyShare: length > 0 ? Double(busy) / Double(length) : 0,
                bubbleShare: length > 0 ? 1 - Double(working) / Double(length) : 0,
                communicationSeconds: all.seconds, hiddenSeconds: hidden.seconds,
                hopSeconds: hopSpans.isEmpty ? 0 : hopTime.seconds / Double(hopSpans.count))
        }
    }
}

extension Int64 {
    /// Microseconds as seconds.
    fileprivate var seconds: Double { Double(self) / 1e6 }
}

/// The intervals of a trace by lane and by compute threads, cut to its window.
private struct LaneParts {
    private var lanes:
        [TraceLane: [(kind: IntervalKind, microBatch: MicroBatchID?, HiddenTime.Span)]] = [:]
    private var unions: [Int: [HiddenTime.Span]] = [:]

    init(_ trace: ClusterTrace, window: HiddenTime.Span) {
        var owners: [TraceLane: Int] = [:]
        var ownerOfNode: [Int: Int] = [:]
        for stage in trace.stages {
            owners[.stage(stage.index)] = stage.owner
            ownerOfNode[stage.node] = stage.owner
        }
        var compute: [Int: [HiddenTime.Span]] = [:]
        for (place, node) in trace.nodes.enumerated() {
            for interval in node.intervals {
                let span = (interval.startMicroseconds..<interval.endMicroseconds)
                    .clamped(to: window)
                guard !span.isEmpty else { continue }
                lanes[interval.lane, default: []].append(
                    (interval.kind, interval.microBatch, span))
                // An expert host may share its node, and then the threads, with a stage.
                guard interval.kind.isCompute,
                    let owner = owners[interval.lane] ?? ownerOfNode[place]
                else { continue }
                compute[owner, default: []].append(span)
            }
        }
        unions = compute.mapValues(HiddenTime.union)
    }

    /// When the compute threads of a number were at work.
    func compute(ofOwner owner: Int) -> [HiddenTime.Span] { unions[owner] ?? [] }

    func spans(of lane: TraceLane, where isMeant: (IntervalKind) -> Bool) -> [HiddenTime.Span] {
        (lanes[lane] ?? []).filter { isMeant($0.kind) }.map(\.2)
    }

    func time(of lane: TraceLane, where isMeant: (IntervalKind) -> Bool) -> Int64 {
        spans(of: lane, where: isMeant).reduce(0) { $0 + $1.length }
    }

    func stepCount(of lane: TraceLane) -> Int {
        Set((lanes[lane] ?? []).filter { $0.kind.isCompute }.compactMap(\.microBatch)).count
    }
}
