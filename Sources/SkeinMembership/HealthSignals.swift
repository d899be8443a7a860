public import SkeinCore

/// How patient the judgement of a cluster's health is.
public struct HealthPatience: Equatable, Sendable {
    /// How long a caller waits for a probe.
    public var probeWait: Duration = .seconds(5)

    /// How old a probe's result may be to be given to the next who asks.
    public var probeReuse: Duration = .seconds(1)

    /// How long a ring with work may stand still before that is said: a node may wait for another
    /// that it cannot reach, though the head hears from both.
    public var standstillAfter: Duration = .seconds(3)

    /// How long a ring with work may stand still before it is called down.
    ///
    /// A step of a large prefill on a slow host takes seconds; one that reads its weights from disk
    /// takes more.
    public var stallAfter: Duration = .seconds(30)

    /// The usual bounds.
    public init() {}
}

/// What became of a probe.
public enum ProbeSign: Equatable, Sendable {
    /// Nobody asked for one, or the ring could not take one.
    case none
    /// Its token came back after this time.
    case answered(Duration)
    /// Its token has not come back for this time.
    case late(Duration)
    /// A stage could not run it.
    case failed(Refusal)
}

/// Everything that a cluster's health is judged by.
public struct HealthSignals: Equatable, Sendable {
    /// What is known of one node.
    public struct Node: Equatable, Sendable {
        /// Its name.
        public var name: String
        /// Where it stands.
        public var state: NodeState
        /// Whether it holds nothing until a node is lost.
        public var isStandby = false
        /// How long it has been silent; `nil` where it is not here.
        public var silence: Duration?
        /// How long ago its connection broke; `nil` where it has given a sign of life since.
        public var brokenFor: Duration?
        /// The version it runs; `nil` before it came.
        public var version: String?
        /// The checkpoint it has; `nil` before it came.
        public var fingerprint: String?
        /// Memory that it may still take; `nil` where it does not say.
        public var memoryAvailableBytes: Int?
        /// How much of its weights is loaded, 0 to 1.
        public var loadedShare = 0.0
        /// Why it was lost or not let in.
        public var trouble: Refusal?

        /// Whether it has never come, and nothing is known of why.
        var isAbsent: Bool { state == .waiting && trouble == nil }

        /// Names a node.
        public init(name: String, state: NodeState) {
            self.name = name
            self.state = state
        }
    }

    /// Why the cluster has ended; `nil` while it lives.
    public var ending: Refusal?
    /// Whether no further request is taken because the server was asked to end.
    public var isDraining = false
    /// Whether every stage can run.
    public var isReady = false
    /// The nodes of the placement, and those that stand by.
    public var nodes: [Node] = []
    /// The version that all should run.
    public var version = ""
    /// The checkpoint that all should have.
    public var fingerprint = ""
    /// Why requests cannot be written down; `nil` where they are, or need not be.
    public var journalTrouble: Refusal?
    /// What became of the probe.
    public var probe = ProbeSign.none
    /// For how long nothing has moved in a ring with work; `nil` where it has none.
    public var standstill: Duration?
    /// Where the oldest micro-batch was last seen.
    public var whereabouts: RingProgress.Whereabouts?
    /// Sequences that wait for their start, and how many may.
    public var waitingCount = 0
    /// Sequences that may wait.
    public var waitingMax = Int.max

    /// Describes a cluster of which nothing is known yet.
    public init() {}
}
