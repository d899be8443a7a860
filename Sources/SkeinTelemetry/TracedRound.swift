public import SkeinCore

/// What a decode micro-batch takes of a ring: at every stage its compute, and apart from it what it
/// waits for remote experts.
///
/// It is taken from those micro-batches of a trace that were seen on their whole round. Compute is
/// the median. Waits and hops are the shortest: those of a micro-batch that queued behind no other,
/// as the arithmetic of a ring wants them; what a micro-batch usually waits stands beside them.
public struct TracedRound: Equatable, Sendable {
    /// One stage.
    public struct Stage: Equatable, Sendable {
        /// Its place in the ring.
        public var index: StageIndex
        /// Seconds that it computes.
        public var computeSeconds: Double
        /// Seconds from dispatch to combine, all layers together; 0 where experts are local.
        public var expertSeconds: Double
        /// Seconds of these in which it computes for the micro-batch itself.
        public var ownSeconds: Double
        /// Seconds that it usually waits for experts beyond what it computes meanwhile itself, the
        /// queues of busy hosts included (median).
        public var usualAwaySeconds: Double
        /// Seconds of the hop that reaches it; of stage 0 those of the return and of the step.
        public var hopSeconds: Double

        /// Seconds that it waits for experts beyond what it computes meanwhile itself.
        public var awaySeconds: Double { max(0, expertSeconds - ownSeconds) }

        /// Describes a stage's part.
        public init(
            index: StageIndex, computeSeconds: Double, expertSeconds: Double = 0,
            ownSeconds: Double = 0, usualAwaySeconds: Double = 0, hopSeconds: Double = 0
        ) {
            self.index = index
            self.computeSeconds = computeSeconds
            self.expertSeconds = expertSeconds
            self.ownSeconds = ownSeconds
            self.usualAwaySeconds = usualAwaySeconds
            self.hopSeconds = hopSeconds
        }
    }

    /// The stages in ring order.
    public var stages: [Stage]

    /// Seconds that each expert host computes, by its number.
    public var expertHostSeconds: [Int: Double]

    /// Describes a round.
    public init(stages: [Stage], expertHostSeconds: [Int: Double] = [:]) {
        self.stages = stages
        self.expertHostSeconds = expertHostSeconds
    }

    /// Whether some stage waits for remote experts.
    public var hasRemoteExperts: Bool { stages.contains { $0.expertSeconds > 0 } }

    /// Seconds of all hops.
    public var waySeconds: Double { stages.reduce(0) { $0 + $1.hopSeconds } }

    /// Takes a trace apart; `nil` where it holds no whole round of a decode micro-batch.
    public init?(_ trace: ClusterTrace) {
        var visits: [TraceLane: [MicroBatchID: Visit]] = [:]
        var hostTimes: [Int: [MicroBatchID: Int64]] = [:]
        for interval in trace.nodes.lazy.flatMap(\.intervals) {
            guard let microBatch = interval.microBatch else { continue }
            switch interval.lane {
            case .stage:
                visits[interval.lane, default: [:]][microBatch, default: Visit()].add(interval)
            case .expertHost(let host) where interval.kind == .shard:
                hostTimes[host, default: [:]][microBatch, default: 0] +=
                    interval.endMicroseconds - interval.startMicroseconds
            case .expertHost, .coordinator: continue
            }
        }
        let lanes = trace.stages.map { TraceLane.stage($0.index) }
        var whole = Set((lanes.first.flatMap { visits[$0] } ?? [:]).keys)
        for lane in lanes {
            whole.formIntersection((visits[lane] ?? [:]).filter(\.value.isWholeDecode).keys)
        }
        guard !whole.isEmpty else { return nil }
        var hops: [TraceLane: Int64] = [:]
        for hop in trace.hops where whole.contains(hop.microBatch) {
            let length = hop.endMicroseconds - hop.startMicroseconds
            hops[hop.to] = min(hops[hop.to] ?? length, length)
        }
        stages = zip(trace.stages, lanes).map { stage, lane in
            let seen = whole.compactMap { visits[lane]?[$0] }
            let waits = seen.map(\.waits)
            let shortest = waits.min { $0.all - $0.own < $1.all - $1.own }
            let isFirst = lane == lanes.first
            return Stage(
                index: stage.index, computeSeconds: Self.median(seen.map(\.computeTime)),
                expertSeconds: Self.seconds(shortest?.all ?? 0),
                ownSeconds: Self.seconds(shortest?.own ?? 0),
                usualAwaySeconds: Self.median(waits.map { $0.all - $0.own }),
                hopSeconds: Self.seconds(
                    (hops[lane] ?? 0) + (isFirst ? hops[.coordinator] ?? 0 : 0)))
        }
        expertHostSeconds = hostTimes.mapValues { times in
            Self.median(whole.map { times[$0] ?? 0 })
        }
    }

    private static func median(_ times: [Int64]) -> Double {
        let sorted = times.sorted()
        return sorted.isEmpty ? 0 : seconds(sorted[sorted.count / 2])
    }

    private static func seconds(_ microseconds: Int64) -> Double { Double(microseconds) / 1e6 }
}

/// A micro-batch at one stage.
private struct Visit {
    private var compute: [HiddenTime.Span] = []
    private var waiting: [HiddenTime.Span] = []
    private var hasCome = false
    private var hasLeft = false
    private var isPrefill = false

    mutating func add(_ interval: TracedInterval) {
        let span = interval.startMicroseconds..<interval.endMicroseconds
        if interval.kind.isCompute { compute.append(span) }
        switch interval.kind {
        case .prefill: isPrefill = true
        case .waitingCombine: waiting.append(span)
        case .receiving: hasCome = true
        // What belongs to one layer is a dispatch.
        case .sending where interval.layer == nil: hasLeft = true
        default: break
        }
    }

    /// Whether it was seen from its arrival to its leaving, and decodes.
    var isWholeDecode: Bool { hasCome && hasLeft && !isPrefill }

    var computeTime: Int64 { compute.reduce(0) { $0 + $1.length } }

    /// All time from dispatch to combine, and how much of it the stage computed for it itself.
    var waits: (all: Int64, own: Int64) {
        let (all, hidden) = HiddenTime.measure(waiting, under: compute)
        return (all, hidden)
    }
}
