/// What one micro-batch costs at one stage.
///
///     MoE layer:  attention, gate ─► dispatch ──────────────► combine ─► next layer
///                                      └► shared, local experts ───┘
struct StageCost: Equatable, Sendable {
    /// Seconds of the messages that bring the micro-batch and take it on.
    var hopSeconds = 0.0

    /// Seconds of all dense layers.
    var denseSeconds = 0.0

    /// MoE layers.
    var mixtureCount = 0

    /// Seconds of a MoE layer before its rows go out, and of the messages out and back.
    var attendSeconds = 0.0

    /// Seconds of a MoE layer's shared experts, and of local routed ones, while others are away.
    var localSeconds = 0.0

    /// Seconds of the head.
    var headSeconds = 0.0

    /// The hosts that serve experts of its layers.
    var remotes: [Remote] = []

    /// One host's part in every MoE layer of a stage.
    struct Remote: Equatable, Sendable {
        /// The host's index.
        var host: Int
        /// Seconds that its experts compute, and that it receives and sends.
        var expertSeconds: Double
        /// Seconds there and back of messages without bytes.
        var latencySeconds: Double
        /// Seconds that the rows for it keep the wire busy.
        var sendingSeconds: Double
        /// Seconds that what comes back keeps the wire busy.
        var returningSeconds: Double
    }

    /// Seconds that the stage's host computes for it.
    var computeSeconds: Double {
        hopSeconds + denseSeconds + Double(mixtureCount) * (attendSeconds + localSeconds)
            + headSeconds
    }

    /// Seconds from a layer's dispatch to its combine: messages of one layer follow each other on
    /// the stage's wire, its experts compute side by side.
    var expertPhaseSeconds: Double {
        let slowest = remotes.map { $0.latencySeconds + $0.expertSeconds }.max() ?? 0
        return remotes.reduce(slowest) { $0 + $1.sendingSeconds + $1.returningSeconds }
    }

    /// Seconds that it waits for experts beyond what it computes meanwhile itself.
    var awaySeconds: Double {
        Double(mixtureCount) * max(0, expertPhaseSeconds - localSeconds)
    }
}

/// How long hosts are busy with one micro-batch, beside the ring's own computing.
struct HostLoads: Equatable, Sendable {
    /// Seconds of computing experts of other hosts' layers, by host.
    var expertSeconds: [Int: Double] = [:]
    /// Seconds that what a host sends keeps its wire busy.
    var sendingSeconds: [Int: Double] = [:]
    /// Seconds that what a host receives keeps its wire busy.
    var receivingSeconds: [Int: Double] = [:]
}
