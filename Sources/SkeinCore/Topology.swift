/// What runs where: the nodes of a cluster, their addresses, and how much each may hold.
///
/// A topology says nothing of the model's numbers (those come from the checkpoint) and carries no
/// secret (those lie in the keys folder). The nodes stand in the order in which a micro-batch
/// visits them.
public struct Topology: Equatable, Sendable {
    /// The cluster's name, for people.
    public var name: String

    /// The checkpoint folder, unless a node names its own copy.
    public var modelPath: String

    /// How slices lie over the nodes.
    public var placement: PlacementKind

    /// How it serves.
    public var serving: ServingSettings

    /// The folder of `NAME.secret` files; `nil` where every address is loopback.
    public var keysPath: String?

    /// The folder in which the head writes requests down; `nil` where it does not.
    public var statePath: String?

    /// What becomes of new requests while they cannot be written down.
    public var unwritten = UnwrittenRequests.served

    /// Who owns the requests.
    public var coordinator: Coordinator

    /// Who runs the slices, in ring order, and who holds experts, anywhere between them.
    public var nodes: [Node]

    /// Describes a cluster.
    public init(
        name: String, modelPath: String, placement: PlacementKind, serving: ServingSettings,
        coordinator: Coordinator, nodes: [Node], keysPath: String? = nil
    ) {
        self.name = name
        self.modelPath = modelPath
        self.placement = placement
        self.serving = serving
        self.keysPath = keysPath
        self.coordinator = coordinator
        self.nodes = nodes
    }
}

/// What becomes of new requests while a head's journal cannot be written.
public enum UnwrittenRequests: String, CaseIterable, Equatable, Sendable {
    /// They are served, and lost where the head dies.
    case served
    /// They are refused, to be tried again later.
    case refused
}

extension Topology {
    /// Where the coordinator listens for token returns, and for clients.
    public struct Coordinator: Equatable, Sendable {
        /// Where nodes send their token returns.
        public var address: TCPAddress

        /// The coordinator's CURVE key, in Z85.
        public var publicKey: String?

        /// Where clients speak HTTP, if they do.
        public var httpAddress: TCPAddress?

        /// Describes a coordinator.
        public init(
            address: TCPAddress, publicKey: String? = nil, httpAddress: TCPAddress? = nil
        ) {
            self.address = address
            self.publicKey = publicKey
            self.httpAddress = httpAddress
        }
    }

    /// One process, its address, and what it holds.
    public struct Node: Equatable, Sendable {
        /// The name by which `skein node --name` starts it.
        public var name: String

        /// Where the node before it sends micro-batches.
        public var address: TCPAddress

        /// The node's CURVE key, in Z85.
        public var publicKey: String?

        /// A second key of the node, accepted beside the first while one replaces the other.
        public var nextPublicKey: String?

        /// Its layers: nothing (the planner cuts evenly), one range, or for `vfold` two.
        public var layerRanges: [Range<Int>]

        /// Routed experts that it holds for remote stages, or of its own layers.
        public var shard: [ShardPart]

        /// Threads that compute; `nil` takes the cores of the machine.
        public var threadCount: Int?

        /// Its own copy of the checkpoint folder, where that is not the cluster's.
        public var modelPath: String?

        /// Whether it holds nothing until it takes the place of a node that is lost.
        public var isStandby: Bool

        /// Where it answers supervisors over HTTP, if it does.
        public var statusAddress: TCPAddress?

        /// Describes a node.
        public init(
            name: String, address: TCPAddress, publicKey: String? = nil,
            layerRanges: [Range<Int>] = [], shard: [ShardPart] = [], threadCount: Int? = nil,
            modelPath: String? = nil, isStandby: Bool = false
        ) {
            self.name = name
            self.address = address
            self.publicKey = publicKey
            self.layerRanges = layerRanges
            self.shard = shard
            self.threadCount = threadCount
            self.modelPath = modelPath
            self.isStandby = isStandby
        }

        /// The keys that the node may prove.
        public var publicKeys: [String] { [publicKey, nextPublicKey].compactMap(\.self) }

        /// Whether it holds experts and no slice.
        public var isExpertHostAlone: Bool { layerRanges.isEmpty && !shard.isEmpty }

        /// Whether it holds slices, written or not.
        public var isInRing: Bool { !isStandby && !isExpertHostAlone }
    }
}

extension Topology {
    /// The nodes that hold something from the beginning.
    public var placedNodes: [Node] { nodes.filter { !$0.isStandby } }

    /// The nodes that hold slices, in ring order.
    public var ringNodes: [Node] { nodes.filter(\.isInRing) }

    /// The nodes that hold nothing until one is lost.
    public var standbys: [Node] { nodes.filter(\.isStandby) }

    /// How many stages the ring has.
    public var stageCount: Int { placement.stageCount(nodeCount: ringNodes.count) }

    /// Whether every peer is on this machine.
    public var isLoopback: Bool {
        coordinator.address.isLoopback && nodes.allSatisfy(\.address.isLoopback)
    }

    /// The named node.
    public func node(named name: String) throws(Refusal) -> Node {
        guard let node = nodes.first(where: { $0.name == name }) else {
            let names = nodes.map(\.name).joined(separator: ", ")
            throw Refusal("node '\(name)'", "not in cluster '\(self.name)', which has \(names)")
        }
        return node
    }

    /// The checkpoint folder that a node reads.
    public func modelPath(of node: Node) -> String { node.modelPath ?? modelPath }

    /// The layers of every stage in ring order; `nil` where the file leaves the cut open.
    public var writtenStageLayers: [Range<Int>]? {
        let nodes = ringNodes
        guard nodes.allSatisfy({ !$0.layerRanges.isEmpty }) else { return nil }
        let outward = nodes.map { $0.layerRanges[0] }
        return placement == .linear ? outward : outward + nodes.reversed().map { $0.layerRanges[1] }
    }
}
