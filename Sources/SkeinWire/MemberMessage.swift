// What nodes and the coordinator say about themselves and each other: joining, places, signs of
// life.

public import SkeinCore

/// A node's first message to the coordinator.
public struct Hello: Equatable, Sendable {
    /// The node's name in the cluster file.
    public var nodeName: String
    /// The wire version the node speaks.
    public var wireVersion: UInt32
    /// The program's version, for people.
    public var softwareVersion: String
    /// The fingerprint of the node's checkpoint folder.
    public var fingerprint: String
    /// Where the node's inbox listens.
    public var inboxAddress: String
    /// The node's process.
    public var processID: UInt64
    /// Memory that the node may use.
    public var memoryAvailableBytes: UInt64
    /// The widest instruction set its kernels use, for example `avx512`.
    public var cpuISA: String
    /// Threads that compute.
    public var threadCount: Int

    /// Introduces a node.
    public init(
        nodeName: String, wireVersion: UInt32 = WireVersion.current, softwareVersion: String,
        fingerprint: String, inboxAddress: String, processID: UInt64,
        memoryAvailableBytes: UInt64, cpuISA: String, threadCount: Int
    ) {
        self.nodeName = nodeName
        self.wireVersion = wireVersion
        self.softwareVersion = softwareVersion
        self.fingerprint = fingerprint
        self.inboxAddress = inboxAddress
        self.processID = processID
        self.memoryAvailableBytes = memoryAvailableBytes
        self.cpuISA = cpuISA
        self.threadCount = threadCount
    }
}

/// One place of the ring and who holds it.
public struct RingStage: Equatable, Sendable {
    /// The place, from 0; equal to the element's position in the ring.
    public var index: StageIndex
    /// The node that holds it.
    public var nodeName: String
    /// Where that node's inbox listens; empty in one process.
    public var address: String
    /// That node's CURVE key as Z85 text; `nil` where links stay on loopback.
    public var publicKey: String?
    /// The layers, and whether the embedding and the head are with them.
    public var slice: Slice

    /// Describes one place of the ring.
    public init(
        index: StageIndex, nodeName: String, address: String, publicKey: String?, slice: Slice
    ) {
        self.index = index
        self.nodeName = nodeName
        self.address = address
        self.publicKey = publicKey
        self.slice = slice
    }
}

/// Who holds which slice from an epoch on.
public struct Placement: Equatable, Sendable {
    /// The placement's number.
    public var epoch: Epoch
    /// The receiver's own place among the nodes.
    public var nodeIndex: Int
    /// How slices are laid over nodes.
    public var kind: PlacementKind
    /// The stages in the order that a micro-batch visits; their layers follow each other from 0.
    public var ring: [RingStage]
    /// Latent rows a page; always `Limits.pageRowCount`, and compared to be sure.
    public var pageRowCount: Int
    /// Credits: micro-batches in the ring at a time.
    public var microBatchesInFlight: Int
    /// The checkpoint's fingerprint, that every node must share.
    public var fingerprint: String
    /// Who holds experts that are not with their layers; their places here are their numbers.
    public var expertHosts: [ExpertHost]
    /// What every stage must know of how the cluster serves.
    public var settings: StageSettings

    /// Describes a placement.
    public init(
        epoch: Epoch, nodeIndex: Int, kind: PlacementKind, ring: [RingStage],
        pageRowCount: Int = Limits.pageRowCount, microBatchesInFlight: Int, fingerprint: String,
        expertHosts: [ExpertHost] = [], settings: StageSettings
    ) {
        self.epoch = epoch
        self.nodeIndex = nodeIndex
        self.kind = kind
        self.ring = ring
        self.pageRowCount = pageRowCount
        self.microBatchesInFlight = microBatchesInFlight
        self.fingerprint = fingerprint
        self.expertHosts = expertHosts
        self.settings = settings
    }

    /// Where the experts lie.
    public var distribution: ExpertDistribution {
        ExpertDistribution(shards: expertHosts.map(\.shard))
    }
}

/// How far a node is with its slices.
public struct Loading: Equatable, Sendable {
    /// Bytes that are in memory.
    public var doneBytes: UInt64
    /// Bytes of all the node's slices.
    public var totalBytes: UInt64

    /// Tells how far loading is.
    public init(doneBytes: UInt64, totalBytes: UInt64) {
        self.doneBytes = doneBytes
        self.totalBytes = totalBytes
    }
}

/// A node has loaded its slices and opened its links.
public struct Ready: Equatable, Sendable {
    /// Bytes of weights the node's slices touch.
    public var loadedWeightBytes: UInt64
    /// The node's resident memory.
    public var residentBytes: UInt64

    /// Tells what loading has cost.
    public init(loadedWeightBytes: UInt64, residentBytes: UInt64) {
        self.loadedWeightBytes = loadedWeightBytes
        self.residentBytes = residentBytes
    }
}

/// Where a stage's time went since the placement began.
public struct StageTimes: Equatable, Sendable {
    /// The stage.
    public var stage: StageIndex
    /// Computing.
    public var busyMicroseconds: UInt64
    /// Without a micro-batch to run.
    public var waitingInMicroseconds: UInt64
    /// With nothing to compute while remote experts were awaited.
    public var waitingCombineMicroseconds: UInt64 = 0
    /// With a result that the next stage does not take yet.
    public var waitingOutMicroseconds: UInt64
    /// Packing and giving frames to the link.
    public var sendingMicroseconds: UInt64
    /// The micro-batch that is computed now; `nil` where there is none.
    public var currentMicroBatch: MicroBatchID?
    /// For how long it has been computed.
    public var currentStepMicroseconds: UInt64 = 0
    /// The micro-batch that was finished last; `nil` before the first.
    public var lastMicroBatch: MicroBatchID?

    /// Tells where a stage's time went.
    public init(
        stage: StageIndex, busyMicroseconds: UInt64 = 0, waitingInMicroseconds: UInt64 = 0,
        waitingOutMicroseconds: UInt64 = 0, sendingMicroseconds: UInt64 = 0
    ) {
        self.stage = stage
        self.busyMicroseconds = busyMicroseconds
        self.waitingInMicroseconds = waitingInMicroseconds
        self.waitingOutMicroseconds = waitingOutMicroseconds
        self.sendingMicroseconds = sendingMicroseconds
    }
}

/// A heartbeat, with the vital signs of its sender.
public struct Alive: Equatable, Sendable {
    /// Counts the sender's heartbeats.
    public var sequenceNumber: UInt64
    /// The sender's clock, from 0 at its start.
    public var sentAtMicroseconds: UInt64
    /// Resident memory.
    public var residentBytes: UInt64 = 0
    /// Latent cache pages of sequences that the stages have not been told to forget.
    public var usedPageCount = 0
    /// Steps since the placement began.
    public var doneStepCount: UInt64 = 0
    /// Half of the recent steps took no longer.
    public var stepP50Microseconds: UInt64 = 0
    /// 99 of 100 recent steps took no longer.
    public var stepP99Microseconds: UInt64 = 0
    /// Rows run a second, recently.
    public var tokensPerSecond: Double = 0
    /// Where the time of each of the sender's stages went.
    public var stageTimes: [StageTimes] = []
    /// The last thing that went wrong, in one line; empty where nothing did.
    public var lastError = ""
    /// How long ago that was.
    public var lastErrorAgeMicroseconds: UInt64 = 0
    /// The clock of the heartbeat that this one answers; 0 where it answers none.
    public var echoedAtMicroseconds: UInt64 = 0
    /// When the sender heard that heartbeat, on its own clock; 0 where it does not say.
    public var heardAtMicroseconds: UInt64 = 0
    /// Memory that may still be taken; 0 where the system does not say.
    public var memoryAvailableBytes: UInt64 = 0
    /// Where the time of the sender's expert host went; `nil` where it has none.
    public var expertTimes: ExpertTimes?

    /// A heartbeat without vital signs.
    public init(sequenceNumber: UInt64, sentAtMicroseconds: UInt64) {
        self.sequenceNumber = sequenceNumber
        self.sentAtMicroseconds = sentAtMicroseconds
    }
}

/// A step that a stage could not finish.
public struct Fault: Equatable, Sendable {
    /// The stage.
    public var stage: StageIndex
    /// The micro-batch; `nil` where the fault belongs to none.
    public var microBatch: MicroBatchID?
    /// What happened, in one line.
    public var reason: String

    /// Reports a fault.
    public init(stage: StageIndex, microBatch: MicroBatchID?, reason: String) {
        self.stage = stage
        self.microBatch = microBatch
        self.reason = reason
    }
}
