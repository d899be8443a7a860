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
    /// The CURVE keys that each node may prove, as Z85 text, where links leave loopback.
    public var publicKeys: [String: [String]] = [:]
    /// How the cluster serves.
    public var serving: ServingSettings
    /// Whether all nodes compute on the same threads, one after the other.
    public var sharesCompute = false
    /// Whether a node that is lost or cannot load ends the cluster, as is right where all nodes are
    /// this program's own; a cluster of hosts waits for the node to come back.
    public var endsWithItsNodes = false
    /// The program's version.
    public var softwareVersion: String
    /// How long a micro-batch that no stage knows of may be away before it counts as lost.
    public var lossPatience = Duration.seconds(2)
    /// When slices of lost nodes move to others, and when they go back.
    public var failoverPatience = FailoverPatience()
    /// How patient the judgement of health is.
    public var healthPatience = HealthPatience()
    /// How long an answer is kept for a client that has left, or has it.
    public var answerRetention = Duration.seconds(Limits.answerRetentionSeconds)
    /// How long a journal that could not be written is left alone.
    public var journalRetryPause = Duration.seconds(5)
    /// Whether no request is taken in while it cannot be written down.
    public var refusesUnwritten = false
    /// Is told how the cluster forms.
    public var onProgress: @Sendable (ClusterProgress) -> Void = { _ in }

    /// Describes a cluster.
    public init(
        clusterName: String, configuration: ModelConfiguration, fingerprint: String,
        placement: SkeinMembership.Placement, serving: ServingSettings, softwareVersion: String
    ) {
        self.clusterName = clusterName
        self.configuration = configuration
        self.fingerprint = fingerprint
        self.placement = placement
        self.serving = serving
        self.softwareVersion = softwareVersion
    }

    /// The name under which the coordinator speaks.
    static let ownName = "coordinator"

    /// The schedule's numbers for this cluster; measurements change the counts later.
    var schedulePlan: SchedulePlan { schedulePlan(for: placement) }

    /// The schedule's numbers where another placement is in force.
    func schedulePlan(for placement: SkeinMembership.Placement) -> SchedulePlan {
        let owners = placement.stages.map { stage in
            sharesCompute ? 0 : placement.nodes.firstIndex(of: stage.node) ?? 0
        }
        return .serving(serving, computeOwners: owners)
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
    case failedOver(node: String, by: String)
}
