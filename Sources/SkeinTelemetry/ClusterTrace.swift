public import SkeinCore

/// The intervals of all nodes over one window, on the coordinator's clock.
public struct ClusterTrace: Equatable, Sendable {
    /// A node's part.
    public struct Node: Equatable, Sendable {
        /// Its name.
        public var name: String
        /// How far its clock is ahead of the coordinator's; taken off already.
        public var clockLeadMicroseconds: Int64
        /// By how much that may be wrong.
        public var clockErrorMicroseconds: Int64
        /// Intervals that it had given up before they could be read.
        public var missedCount: Int
        /// What its lanes did, in the order of their beginnings.
        public var intervals: [TracedInterval]

        /// Describes a node's part.
        public init(
            name: String, clockLeadMicroseconds: Int64 = 0, clockErrorMicroseconds: Int64 = 0,
            missedCount: Int = 0, intervals: [TracedInterval]
        ) {
            self.name = name
            self.clockLeadMicroseconds = clockLeadMicroseconds
            self.clockErrorMicroseconds = clockErrorMicroseconds
            self.missedCount = missedCount
            self.intervals = intervals
        }
    }

    /// Who holds a stage.
    public struct Stage: Equatable, Sendable {
        /// Its place in the ring.
        public var index: StageIndex
        /// The place of its node among the nodes.
        public var node: Int
        /// The number of the compute threads that run it; nodes of one process share theirs.
        public var owner: Int

        /// Describes a stage.
        public init(index: StageIndex, node: Int, owner: Int) {
            self.index = index
            self.node = node
            self.owner = owner
        }
    }

    /// What a micro-batch carried.
    public struct MicroBatch: Equatable, Sendable {
        /// Rows, one for each token.
        public var rowCount: Int
        /// The requests that they belong to, by their places among the trace's; the first ones of
        /// many.
        public var requests: [Int]

        /// Describes a micro-batch.
        public init(rowCount: Int, requests: [Int] = []) {
            self.rowCount = rowCount
            self.requests = requests
        }
    }

    /// When the window began, on the coordinator's clock.
    public var startMicroseconds: Int64
    /// When it ended.
    public var endMicroseconds: Int64
    /// The nodes, in the order of the placement; the coordinator first.
    public var nodes: [Node]
    /// The stages in ring order.
    public var stages: [Stage]
    /// The requests' names, as logs and answers have them.
    public var requests: [String] = []
    /// What each micro-batch carried, as far as the coordinator has noted it.
    public var microBatches: [MicroBatchID: MicroBatch] = [:]

    /// Describes a trace.
    ///
    /// - Precondition: the first node is the coordinator.
    public init(
        startMicroseconds: Int64, endMicroseconds: Int64, nodes: [Node], stages: [Stage]
    ) {
        precondition(!nodes.isEmpty, "the coordinator has a part in every trace")
        self.startMicroseconds = startMicroseconds
        self.endMicroseconds = endMicroseconds
        self.nodes = nodes
        self.stages = stages
    }

    /// Intervals of all nodes.
    public var intervalCount: Int { nodes.reduce(0) { $0 + $1.intervals.count } }

    /// The most by which moments of two nodes may be out of order.
    public var clockErrorMicroseconds: Int64 {
        let errors = nodes.map(\.clockErrorMicroseconds).sorted()
        return errors.suffix(2).reduce(0, +)
    }
}

extension ClusterTrace {
    /// A micro-batch on its way from one lane to the next one of the ring.
    public struct Hop: Equatable, Sendable {
        /// The micro-batch.
        public var microBatch: MicroBatchID
        /// From where; the last stage's hop goes to the coordinator.
        public var from: TraceLane
        /// To where; the coordinator's hop goes to stage 0.
        public var to: TraceLane
        /// When its sender had computed it.
        public var startMicroseconds: Int64
        /// When its receiver had it in its queue.
        public var endMicroseconds: Int64
    }

    /// Every hop of which both ends were seen, in the order of the ring and of time.
    ///
    /// Moments are of two clocks: where a hop would end before it began, by the clocks' error, it
    /// is taken to have lasted no time.
    public var hops: [Hop] {
        guard let last = stages.last else { return [] }
        var sent: [TraceLane: [MicroBatchID: Int64]] = [:]
        var received: [TraceLane: [MicroBatchID: Int64]] = [:]
        for interval in nodes.lazy.flatMap(\.intervals) {
            // What belongs to one layer is about remote experts and no hop of the ring.
            guard let microBatch = interval.microBatch, interval.layer == nil else { continue }
            switch interval.kind {
            case .sending:
                sent[interval.lane, default: [:]][microBatch] = interval.startMicroseconds
            case .receiving:
                received[interval.lane, default: [:]][microBatch] = interval.endMicroseconds
            default: continue
            }
        }
        var ways = [(TraceLane.coordinator, TraceLane.stage(StageIndex(0)))]
        for stage in stages.dropLast() {
            ways.append((.stage(stage.index), .stage(StageIndex(stage.index.rawValue + 1))))
        }
        ways.append((.stage(last.index), .coordinator))
        return ways.flatMap { from, to in
            let hops = (sent[from] ?? [:]).compactMap { microBatch, start -> Hop? in
                guard let end = received[to]?[microBatch] else { return nil }
                return Hop(
                    microBatch: microBatch, from: from, to: to, startMicroseconds: start,
                    endMicroseconds: max(start, end))
            }
            return hops.sorted {
                ($0.startMicroseconds, $0.microBatch) < ($1.startMicroseconds, $1.microBatch)
            }
        }
    }
}
