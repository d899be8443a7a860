public import SkeinCore
internal import SkeinScheduling

/// What a coordinator must know about its cluster.
public struct CoordinatorSettings: Sendable {
    /// A node that is expected to join.
    public struct Member: Sendable {
        /// Its name in the cluster file.
        public var name: String
        /// Its CURVE key as Z85 text, where links leave loopback.
        public var publicKey: String?

        /// Names a node.
        public init(name: String, publicKey: String? = nil) {
            self.name = name
            self.publicKey = publicKey
        }
    }

    /// The cluster's name, for people.
    public var clusterName: String
    /// The model's shape.
    public var configuration: ModelConfiguration
    /// The checkpoint that every node must have.
    public var fingerprint: String
    /// The nodes, in ring order.
    public var members: [Member]
    /// How slices lie on nodes.
    public var kind: PlacementKind
    /// The slice of every stage, in ring order.
    public var slices: [Slice]
    /// Pages of every stage's pool.
    public var pageCount: Int
    /// Positions that one sequence may have.
    public var positionCountMax: Int
    /// Credits, where not what the number of stages suggests.
    public var microBatchesInFlight: Int?
    /// Rows of a prefill micro-batch at most.
    public var prefillRowsMax: Int
    /// The program's version.
    public var softwareVersion: String

    /// Describes a cluster.
    public init(
        clusterName: String, configuration: ModelConfiguration, fingerprint: String,
        members: [Member], kind: PlacementKind, slices: [Slice], pageCount: Int,
        positionCountMax: Int, microBatchesInFlight: Int? = nil, prefillRowsMax: Int = 256,
        softwareVersion: String
    ) {
        self.clusterName = clusterName
        self.configuration = configuration
        self.fingerprint = fingerprint
        self.members = members
        self.kind = kind
        self.slices = slices
        self.pageCount = pageCount
        self.positionCountMax = positionCountMax
        self.microBatchesInFlight = microBatchesInFlight
        self.prefillRowsMax = prefillRowsMax
        self.softwareVersion = softwareVersion
    }

    /// The schedule's numbers for this cluster.
    var schedulePlan: SchedulePlan {
        let decodeCount = DecodePlan.microBatchCount(
            stageCount: slices.count, compute: .zero, latency: .zero, payload: .zero,
            placement: kind)
        return SchedulePlan(
            stageCount: slices.count, pageCount: pageCount, positionCountMax: positionCountMax,
            microBatchesInFlightMax: microBatchesInFlight, decodeMicroBatchCount: decodeCount,
            prefillBudget: PrefillBudget(rowsMax: prefillRowsMax))
    }
}
