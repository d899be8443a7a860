/// What a lane of a node did, or waited for.
public enum IntervalKind: UInt8, CaseIterable, Sendable {
    /// Computing a micro-batch of prompt rows, the whole slice at once.
    case prefill = 1
    /// Computing a decode micro-batch, the whole slice at once.
    case decode = 2
    /// Computing the part of a layer before its experts, where experts are remote.
    case attention = 3
    /// Computing local experts while others are asked, and summing what came back.
    case experts = 4
    /// An expert host computing the rows that a stage sent it.
    case shard = 5
    /// Without a micro-batch to run.
    case waitingIn = 6
    /// With a packed result, until the link has taken it.
    case waitingOut = 7
    /// From the dispatch of a layer's rows until all of them are back.
    case waitingCombine = 8
    /// Packing a result for the link.
    case sending = 9
    /// Reading an arrived message, until it waits for its turn.
    case receiving = 10

    /// Whether the compute threads were at work.
    public var isCompute: Bool {
        switch self {
        case .prefill, .decode, .attention, .experts, .shard: true
        case .waitingIn, .waitingOut, .waitingCombine, .sending, .receiving: false
        }
    }

    /// The kind's name in traces.
    public var name: String {
        switch self {
        case .prefill: "prefill"
        case .decode: "decode"
        case .attention: "attention"
        case .experts: "experts"
        case .shard: "shard"
        case .waitingIn: "waiting_in"
        case .waitingOut: "waiting_out"
        case .waitingCombine: "waiting_combine"
        case .sending: "sending"
        case .receiving: "receiving"
        }
    }

    /// The kind of a name.
    public init?(name: some StringProtocol) {
        guard let kind = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = kind
    }

    /// Computing a whole slice for a phase.
    public init(_ phase: Phase) { self = phase == .prefill ? .prefill : .decode }
}

/// Whose time an interval is: one line of a trace.
public enum TraceLane: Hashable, Comparable, Sendable {
    /// The coordinator's end of the ring: steps sent into it, returns received from it.
    case coordinator
    /// A stage.
    case stage(StageIndex)
    /// An expert host, by its number in the placement.
    case expertHost(Int)
}

/// Something that a lane did or waited for, from one moment to another of one clock.
public struct TracedInterval: Equatable, Sendable {
    /// Whose time it is.
    public var lane: TraceLane
    /// What it was spent on.
    public var kind: IntervalKind
    /// For which micro-batch; `nil` for none.
    public var microBatch: MicroBatchID?
    /// In which layer; `nil` where it is about all of a slice.
    public var layer: LayerIndex?
    /// When it began, in microseconds of the clock that it was noted by.
    public var startMicroseconds: Int64
    /// When it ended; not before it began.
    public var endMicroseconds: Int64

    /// Describes an interval.
    public init(
        lane: TraceLane, kind: IntervalKind, microBatch: MicroBatchID? = nil,
        layer: LayerIndex? = nil, startMicroseconds: Int64, endMicroseconds: Int64
    ) {
        self.lane = lane
        self.kind = kind
        self.microBatch = microBatch
        self.layer = layer
        self.startMicroseconds = startMicroseconds
        self.endMicroseconds = endMicroseconds
    }
}
