public import SkeinCore

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
