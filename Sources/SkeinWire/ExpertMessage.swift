// What stages and expert hosts send each other.

public import SkeinCore

/// Rows of one layer of one micro-batch for the experts of one host.
public struct Dispatch: Equatable, Sendable {
    /// The micro-batch that waits for them.
    public var microBatch: MicroBatchID
    /// The stage that asks.
    public var stage: StageIndex
    /// The layer whose experts are wanted.
    public var layer: LayerIndex
    /// For each row the number of its experts here.
    public var choiceCounts: [Int]
    /// The experts, row after row.
    public var experts: [Int]
    /// `[row, hidden]`, BF16, or FP8 with scales.
    public var rows: TensorFrame
    /// `[row, tile]`, F32, where the rows are FP8.
    public var scales: TensorFrame?

    /// Asks for experts.
    public init(
        microBatch: MicroBatchID, stage: StageIndex, layer: LayerIndex, choiceCounts: [Int],
        experts: [Int], rows: TensorFrame, scales: TensorFrame? = nil
    ) {
        self.microBatch = microBatch
        self.stage = stage
        self.layer = layer
        self.choiceCounts = choiceCounts
        self.experts = experts
        self.rows = rows
        self.scales = scales
    }
}

/// What the experts of one host give for one dispatch.
public struct Combine: Equatable, Sendable {
    /// Outputs, or why there are none.
    public enum Outcome: Equatable, Sendable {
        /// BF16 `[choice, hidden]`, in the order of the dispatch.
        case outputs(TensorFrame)
        /// One line.
        case refused(reason: String)
    }

    /// The micro-batch that waits.
    public var microBatch: MicroBatchID
    /// The layer at which it waits.
    public var layer: LayerIndex
    /// What came of it.
    public var outcome: Outcome

    /// Answers a dispatch.
    public init(microBatch: MicroBatchID, layer: LayerIndex, outcome: Outcome) {
        self.microBatch = microBatch
        self.layer = layer
        self.outcome = outcome
    }
}

/// One expert shard of a placement and who holds it.
public struct ExpertHost: Equatable, Sendable {
    /// The node that holds it.
    public var nodeName: String
    /// Where that node's inbox listens; empty in one process.
    public var address: String
    /// That node's CURVE key as Z85 text; `nil` where links stay on loopback.
    public var publicKey: String?
    /// Its experts.
    public var shard: [ShardPart]

    /// Describes who holds a shard.
    public init(nodeName: String, address: String, publicKey: String?, shard: [ShardPart]) {
        self.nodeName = nodeName
        self.address = address
        self.publicKey = publicKey
        self.shard = shard
    }
}

/// Where an expert host's time went since the placement began.
public struct ExpertTimes: Equatable, Sendable {
    /// Its number in the placement.
    public var host: Int
    /// Computing.
    public var busyMicroseconds: UInt64 = 0
    /// Packing and handing over.
    public var sendingMicroseconds: UInt64 = 0
    /// Dispatches done.
    public var doneStepCount: UInt64 = 0
    /// Rows of them.
    public var doneRowCount: UInt64 = 0
    /// Experts applied to these rows.
    public var doneChoiceCount: UInt64 = 0
    /// The rows that each expert was applied to, all layers summed; experts without are left out.
    public var rowCounts: [Int: UInt64] = [:]

    /// An expert host that has done nothing yet.
    public init(host: Int) { self.host = host }
}
