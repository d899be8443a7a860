public import SkeinCore
public import SkeinMembership
internal import SkeinScheduling
internal import SkeinWire

/// What a coordinator must know about its cluster.
public struct CoordinatorSettings: Sendable {
    /// The cluster's name, for people.
    public var clusterName: String
    /// The model's shape.
    public var configuration: ModelConfiguration
    /// The checkpoint that every node must have.
    public var fingerprint: String
    /// Which node holds which slice.
    public var placement: SkeinMembership.Placement
    /// Nodes that hold nothing until one of the placement is lost.
    public var standbys: [String] = []
    /// The nodes' CURVE keys as Z85 text, where links leave loopback.
    public var publicKeys: [String: String] = [:]
    /// Pages of every stage's pool.
    public var pageCount: Int
    /// Positions that one sequence may have.
    public var positionCountMax: Int
    /// Credits, where not what the number of stages suggests.
    public var microBatchesInFlight: Int?
    /// Micro-batches that a stage with experts elsewhere may have begun at a time.
    public var stepsAtOnce = Limits.stepsAtOnceDefault
    /// How activations travel between stages.
    public var hopForm = RowForm.bf16
    /// How rows travel to experts elsewhere.
    public var dispatchForm = RowForm.bf16
    /// The form in which every node keeps its latent rows.
    public var latentForm = LatentForm.bf16
    /// Rows of a prefill micro-batch at most.
    public var prefillRowsMax = 256
    /// By how much of its time a decode step may grow for the prompt rows that ride with it.
    public var decodeSlowdownMax = 0.6
    /// Whether all nodes compute on the same threads, one after the other.
    public var sharesCompute = false
    /// Whether requests of one tenant share the latent rows of equal beginnings; see
    /// `PrefixIndex`.
    public var reusesPrefixes = true
    /// Whether a node that is lost or cannot load ends the cluster, as is right where all nodes are
    /// this program's own; a cluster of hosts waits for the node to come back.
    public var endsWithItsNodes = false
    /// The program's version.
    public var softwareVersion: String
    /// How patient the judgement of health is.
    public var healthPatience = HealthPatience()
    /// Is told how the cluster forms.
    public var onProgress: @Sendable (ClusterProgress) -> Void = { _ in }

    /// Describes a cluster.
    public init(
        clusterName: String, configuration: ModelConfiguration, fingerprint: String,
        placement: SkeinMembership.Placement, pageCount: Int, positionCountMax: Int,
        softwareVersion: String
    ) {
        self.clusterName = clusterName
        self.configuration = configuration
        self.fingerprint = fingerprint
        self.placement = placement
        self.pageCount = pageCount
        self.positionCountMax = positionCountMax
        self.softwareVersion = softwareVersion
    }

    /// The name under which the coordinator speaks.
    static let ownName = "coordinator"

    /// The schedule's numbers for this cluster; measurements change the counts later.
    var schedulePlan: SchedulePlan {
        let stages = placement.stages
        let owners = stages.map { stage in
            sharesCompute ? 0 : placement.nodes.firstIndex(of: stage.node) ?? 0
        }
        return .serving(
            computeOwners: owners, pageCount: pageCount, positionCountMax: positionCountMax,
            microBatchesInFlightMax: microBatchesInFlight,
            prefillBudget: PrefillBudget(
                rowsMax: prefillRowsMax, decodeSlowdownMax: decodeSlowdownMax),
            reusesPrefixes: reusesPrefixes)
    }

    /// How long a silent node is waited for.
    ///
    /// Nodes of this very process cannot be gone while it runs: their silence only tells that the
    /// machine has more to do than it can.
    var patience: FailureDetector.Patience {
        sharesCompute
            ? FailureDetector.Patience(suspectAfter: .seconds(300), deadAfter: .seconds(600))
            : FailureDetector.Patience()
    }

    /// What nodes must agree with.
    var reference: NodeReport {
        NodeReport(
            name: "the coordinator", version: softwareVersion, wireVersion: WireVersion.current,
            fingerprint: fingerprint, incarnation: 0)
    }
}

/// A step in the forming of a cluster.
public enum ClusterProgress: Equatable, Sendable {
    /// A node has come.
    case joined(node: String)
    /// A node has read so many bytes of its slices.
    case loading(node: String, doneBytes: Int, totalBytes: Int)
    /// A node can run.
    case loaded(node: String, weightBytes: Int, residentBytes: Int)
    /// Every stage can run.
    case ready
    /// A node is gone, and why.
    case lost(node: String, Refusal)
    /// A standby takes the place of a node that is gone.
    case relieved(node: String, by: String)
}
