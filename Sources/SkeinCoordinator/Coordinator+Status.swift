public import SkeinCore
internal import SkeinMembership
internal import SkeinScheduling
internal import SkeinWire

/// The state of a cluster, as the coordinator sees it.
public struct ClusterStatus: Sendable {
    /// One stage of a node.
    public struct Stage: Sendable {
        /// Its place in the ring.
        public let index: StageIndex
        /// Its layers.
        public let slice: Slice
        /// Seconds spent computing since the placement began.
        public let busySeconds: Double
        /// Seconds without a micro-batch to run.
        public let waitingInSeconds: Double
        /// Seconds of packing and handing over what it computed.
        public let sendingSeconds: Double

        /// The share of its time that the stage computed; 0 before its first step.
        public var busyShare: Double {
            let sum = busySeconds + waitingInSeconds + sendingSeconds
            return sum > 0 ? busySeconds / sum : 0
        }
    }

    /// One node.
    public struct Node: Sendable {
        /// Its name.
        public let name: String
        /// Where it stands: waiting, placed, loading, ready, suspect, dead or left.
        public let state: String
        /// Where its inbox listens, once it has come.
        public let address: String?
        /// Its stages in ring order.
        public let stages: [Stage]
        /// Its resident memory, as it last said.
        public let residentBytes: UInt64
        /// The last thing that went wrong there, in one line; empty where nothing did.
        public let lastError: String
    }

    /// The cluster's name.
    public let name: String
    /// How slices lie on nodes.
    public let kind: PlacementKind
    /// The number of the placement.
    public let epoch: Epoch
    /// Whether every stage can run.
    public let isReady: Bool
    /// The nodes in ring order.
    public let nodes: [Node]
    /// Pages of every stage's pool, and those that sequences own.
    public let pageCount: Int
    /// Pages owned by sequences.
    public let ownedPageCount: Int
    /// Sequences that have arrived and not departed.
    public let liveSequenceCount: Int
    /// What the reuse of equal beginnings has brought.
    public let prefixCache: PrefixCache

    /// What the schedule has measured of the ring.
    public let pipeline: PipelineTimes

    /// Every stage in ring order.
    public var stages: [Stage] { nodes.flatMap(\.stages).sorted { $0.index < $1.index } }
}

/// What the schedule has measured of the ring, and how it uses it.
public struct PipelineTimes: Sendable {
    /// Decode micro-batches that the ring should hold.
    public let decodeMicroBatchCount: Int
    /// Seconds that each stage computes for a decode micro-batch (medians of late), in ring order;
    /// empty before the first one.
    public let stageSeconds: [Double]
    /// Seconds of latency and payload of all hops of a round.
    public let waySeconds: Double
    /// For every stage, the number of the compute threads that run it.
    public let computeOwners: [Int]
}

extension Coordinator {
    /// Why the cluster has ended; `nil` while it lives.
    public var endReason: Refusal? {
        if case .ended(let refusal) = readiness { refusal } else { nil }
    }

    /// What is known now.
    public func status() -> ClusterStatus {
        let placement = membership.placement
        let nodes = placement.nodes.map { name in
            let times = vitalSigns[name]?.stageTimes ?? []
            let stages = placement.stages(of: name).map { stage in
                let times =
                    times.first { $0.stage == stage.stage } ?? StageTimes(stage: stage.stage)
                return ClusterStatus.Stage(
                    index: stage.stage, slice: stage.slice,
                    busySeconds: Double(times.busyMicroseconds) / 1e6,
                    waitingInSeconds: Double(times.waitingInMicroseconds) / 1e6,
                    sendingSeconds: Double(times.sendingMicroseconds) / 1e6)
            }
            return ClusterStatus.Node(
                name: name, state: membership.nodes[name]?.state.rawValue ?? "waiting",
                address: nodeAddresses[name], stages: stages,
                residentBytes: vitalSigns[name]?.residentBytes ?? 0,
                lastError: vitalSigns[name]?.lastError ?? "")
        }
        return ClusterStatus(
            name: settings.clusterName, kind: placement.kind, epoch: membership.epoch,
            isReady: membership.isReady, nodes: nodes, pageCount: schedule.plan.pageCount,
            ownedPageCount: schedule.ownedPageCount, liveSequenceCount: schedule.liveCount,
            prefixCache: ClusterStatus.PrefixCache(schedule),
            pipeline: PipelineTimes(
                decodeMicroBatchCount: schedule.plan.decodeMicroBatchCount,
                stageSeconds: schedule.decodeStageTimes.map { $0 / .seconds(1) },
                waySeconds: schedule.decodeWayTime / .seconds(1),
                computeOwners: schedule.plan.computeOwners))
    }

    /// Asks every node for its vital signs and waits for the answers, one second at most.
    public func freshStatus() async -> ClusterStatus {
        let asked = membership.placement.nodes.filter { membership.isHere($0) }
        guard case .ready = readiness, !asked.isEmpty else { return status() }
        await withCheckedContinuation { continuation in
            statusWaits.append(StatusWait(awaited: Set(asked), since: now, continuation))
            Task { await beat() }
        }
        return status()
    }

    /// A node has answered: whoever waits for it may go on.
    func settleStatusWaits(answered name: String? = nil) {
        for index in statusWaits.indices.reversed() {
            if let name { statusWaits[index].awaited.remove(name) }
            let isLate = now - statusWaits[index].since > .seconds(1)
            if statusWaits[index].awaited.isEmpty || isLate {
                statusWaits.remove(at: index).continuation.resume()
            }
        }
    }
}

/// Somebody who waits for the vital signs of some nodes.
struct StatusWait {
    var awaited: Set<String>
    let since: Duration
    let continuation: CheckedContinuation<Void, Never>

    init(
        awaited: Set<String>, since: Duration, _ continuation: CheckedContinuation<Void, Never>
    ) {
        self.awaited = awaited
        self.since = since
        self.continuation = continuation
    }
}
