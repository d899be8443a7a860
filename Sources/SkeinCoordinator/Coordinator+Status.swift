public import SkeinCore
internal import SkeinMembership
internal import SkeinScheduling
internal import SkeinTransport
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
        /// Seconds with nothing to compute while remote experts were awaited.
        public let waitingCombineSeconds: Double

        /// The share of its time that the stage computed; 0 before its first step.
        public var busyShare: Double {
            let sum = busySeconds + waitingInSeconds + waitingCombineSeconds + sendingSeconds
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
        /// Whether it holds nothing until a node is lost.
        public var isStandby = false
        /// The experts that it holds for stages; empty where it has no shard.
        public var shard: [ShardPart] = []
        /// What it did with them; `nil` where it has no shard or has not said.
        public var expertWork: ExpertWork?
        /// The version it runs; `nil` before it came.
        public var softwareVersion: String?
        /// The fingerprint of its checkpoint; `nil` before it came.
        public var fingerprint: String?
        /// The widest instruction set its kernels use; `nil` before it came.
        public var instructionSet: String?
        /// Threads that compute.
        public var threadCount = 0
        /// Bytes of weights that its slices touch; 0 before they are loaded.
        public var weightBytes: UInt64 = 0
        /// Its resident memory, as it last said.
        public var residentBytes: UInt64 = 0
        /// Memory that it may still take; 0 where it does not say.
        public var memoryAvailableBytes: UInt64 = 0
        /// Latent cache pages of the sequences it knows of.
        public var usedPageCount = 0
        /// Steps since the placement began.
        public var stepCount: UInt64 = 0
        /// Half of the recent steps took no longer.
        public var stepP50Seconds = 0.0
        /// 99 of 100 recent steps took no longer.
        public var stepP99Seconds = 0.0
        /// Rows a second over the last ten seconds.
        public var rowsPerSecond = 0.0
        /// The smoothed round trip of a heartbeat; `nil` before the first.
        public var roundTripSeconds: Double?
        /// The last round trip of a heartbeat.
        public var lastRoundTripSeconds: Double?
        /// Seconds since it was last heard; `nil` where it is not here.
        public var silentSeconds: Double?
        /// Seconds since its process started; `nil` where it is not here.
        public var upSeconds: Double?
        /// The last thing that went wrong there, in one line; empty where nothing did.
        public var lastError = ""
        /// How long ago that was.
        public var lastErrorAgeSeconds: Double?
    }

    /// What an expert host has done since the placement began.
    public struct ExpertWork: Sendable {
        /// Its number in the placement.
        public let host: Int
        /// Seconds spent computing.
        public let busySeconds: Double
        /// Seconds of packing and handing over.
        public let sendingSeconds: Double
        /// Dispatches done.
        public let stepCount: UInt64
        /// Rows of them.
        public let rowCount: UInt64
        /// Experts applied to these rows.
        public let choiceCount: UInt64
        /// Rows by expert, all layers summed; experts without are left out.
        public let rowCounts: [Int: UInt64]
    }

    /// The cluster's name.
    public let name: String
    /// How slices lie on nodes.
    public let kind: PlacementKind
    /// The number of the placement.
    public let epoch: Epoch
    /// Whether every stage can run.
    public let isReady: Bool
    /// The version that the head runs.
    public let softwareVersion: String
    /// The fingerprint of the head's checkpoint.
    public let fingerprint: String
    /// Where the coordinator listens for nodes.
    public let address: String
    /// Seconds since the coordinator started.
    public let upSeconds: Double
    /// The nodes in ring order, then those that stand by.
    public let nodes: [Node]
    /// Positions that one sequence may have.
    public let positionCountMax: Int
    /// The form in which every node keeps its latent rows.
    public let latentForm: LatentForm
    /// Whether the pages of equal beginnings are shared.
    public let reusesPrefixes: Bool
    /// What the schedule holds and has done.
    public let counts: ScheduleCounts

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
    ///
    /// Where experts are remote, seconds for which a step holds one of the stage's places up.
    public let stageSeconds: [Double]
    /// Seconds of latency and payload of all hops of a round.
    public let waySeconds: Double
    /// For every stage, the number of the compute threads that run it.
    public let computeOwners: [Int]
    /// The same for every expert host, by its number.
    public let expertOwners: [Int]
    /// Micro-batches that a stage with remote experts may have begun.
    public let stepsAtOnce: Int
}

extension Coordinator {
    /// Why the cluster has ended; `nil` while it lives.
    public var endReason: Refusal? {
        if case .ended(let refusal) = readiness { refusal } else { nil }
    }

    /// Whether micro-batches can run now; a lost node has not come back where they cannot.
    public var isReady: Bool { if case .ready = readiness { true } else { false } }

    /// What the schedule holds and has done.
    public var scheduleCounts: ScheduleCounts { schedule.counts }

    /// What is known now.
    public func status() -> ClusterStatus {
        ClusterStatus(
            name: settings.clusterName, kind: membership.placement.kind, epoch: membership.epoch,
            isReady: membership.isReady, softwareVersion: settings.softwareVersion,
            fingerprint: settings.fingerprint, address: inbox.address,
            upSeconds: now / .seconds(1), nodes: knownNodes.map(status(of:)),
            positionCountMax: schedule.plan.positionCountMax,
            latentForm: settings.serving.latentForm,
            reusesPrefixes: schedule.plan.reusesPrefixes, counts: schedule.counts,
            pipeline: PipelineTimes(
                decodeMicroBatchCount: schedule.plan.decodeMicroBatchCount,
                stageSeconds: schedule.decodeStageTimes.map { $0 / .seconds(1) },
                waySeconds: schedule.decodeWayTime / .seconds(1),
                computeOwners: schedule.plan.computeOwners, expertOwners: expertOwners,
                stepsAtOnce: settings.serving.stepsAtOnce))
    }

    /// Those of the placement, then the others.
    var knownNodes: [String] { membership.placement.nodes + membership.unplaced }

    /// The compute threads of every expert host, numbered as those of stages are.
    private var expertOwners: [Int] {
        let placement = membership.placement
        return placement.expertHosts.map { host in
            settings.sharesCompute ? 0 : placement.nodes.firstIndex(of: host.node) ?? 0
        }
    }

    private func status(of name: String) -> ClusterStatus.Node {
        let record = nodes[name] ?? NodeRecord()
        let known = membership.nodes[name]
        let times = record.alive?.stageTimes ?? []
        let stages = membership.placement.stages(of: name).map { stage in
            ClusterStatus.Stage(
                stage, times.first { $0.stage == stage.stage } ?? StageTimes(stage: stage.stage))
        }
        var node = ClusterStatus.Node(
            name: name, state: (known?.state ?? .waiting).rawValue,
            address: nodeAddresses[name], stages: stages)
        node.isStandby = known?.isPlaced == false
        node.shard = membership.placement.shard(of: name)
        node.softwareVersion = record.hello?.softwareVersion
        node.fingerprint = record.hello?.fingerprint
        node.instructionSet = record.hello?.cpuISA
        node.threadCount = record.hello?.threadCount ?? 0
        node.weightBytes = record.weightBytes ?? 0
        node.note(record.alive)
        node.roundTripSeconds = record.roundTrip.map { $0.smoothed / .seconds(1) }
        node.lastRoundTripSeconds = record.roundTrip.map { $0.last / .seconds(1) }
        node.silentSeconds = membership.silence(of: name, now: now).map { $0 / .seconds(1) }
        if let error = record.lastError(now: now) {
            node.lastError = error.line
            node.lastErrorAgeSeconds = error.age / .seconds(1)
        } else if let trouble = known?.lastError ?? record.refusal {
            node.lastError = trouble.description
            node.lastErrorAgeSeconds = record.troubleAt.map { (now - $0) / .seconds(1) }
        }
        return node
    }

    /// Asks every node for its vital signs and waits for the answers, one second at most.
    public func freshStatus() async -> ClusterStatus {
        let asked = membership.placement.nodes.filter { membership.isHere($0) }
        guard case .ready = readiness, !asked.isEmpty else { return status() }
        await withCheckedContinuation { continuation in
            statusWaits.append(StatusWait(awaited: Set(asked), since: now, continuation))
            beat()
        }
        return status()
    }

    /// A node has answered: those that wait for it may go on.
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

extension ClusterStatus.Stage {
    fileprivate init(_ placed: StagePlacement, _ times: StageTimes) {
        self.init(
            index: placed.stage, slice: placed.slice,
            busySeconds: Double(times.busyMicroseconds) / 1e6,
            waitingInSeconds: Double(times.waitingInMicroseconds) / 1e6,
            sendingSeconds: Double(times.sendingMicroseconds) / 1e6,
            waitingCombineSeconds: Double(times.waitingCombineMicroseconds) / 1e6)
    }
}

extension ClusterStatus.Node {
    /// Takes over what the node says of itself.
    fileprivate mutating func note(_ alive: Alive?) {
        guard let alive else { return }
        residentBytes = alive.residentBytes
        memoryAvailableBytes = alive.memoryAvailableBytes
        usedPageCount = alive.usedPageCount
        stepCount = alive.doneStepCount
        stepP50Seconds = Double(alive.stepP50Microseconds) / 1e6
        stepP99Seconds = Double(alive.stepP99Microseconds) / 1e6
        rowsPerSecond = alive.tokensPerSecond
        upSeconds = Double(alive.sentAtMicroseconds) / 1e6
        expertWork = shard.isEmpty ? nil : alive.expertTimes.map(ClusterStatus.ExpertWork.init)
    }
}

extension ClusterStatus.ExpertWork {
    fileprivate init(_ times: ExpertTimes) {
        self.init(
            host: times.host, busySeconds: Double(times.busyMicroseconds) / 1e6,
            sendingSeconds: Double(times.sendingMicroseconds) / 1e6,
            stepCount: times.doneStepCount, rowCount: times.doneRowCount,
            choiceCount: times.doneChoiceCount, rowCounts: times.rowCounts)
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
