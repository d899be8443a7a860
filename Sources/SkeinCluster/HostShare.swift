public import SkeinCore
internal import SkeinTransport

/// What of a cluster file belongs to one host, or to one container.
public struct HostShare: Equatable, Sendable {
    /// Names of the nodes that run here.
    public let nodeNames: [String]

    /// Whether the coordinator runs here.
    public let isHead: Bool

    /// States a share.
    public init(nodeNames: [String], isHead: Bool) {
        self.nodeNames = nodeNames
        self.isHead = isHead
    }

    /// Whatever has an address of this machine; names are looked up.
    public static func local(in topology: Topology) throws(Refusal) -> HostShare {
        let local = try LocalAddresses()
        var names: [String] = []
        for node in topology.nodes {
            if try local.holds(node.address) { names.append(node.name) }
        }
        return HostShare(
            nodeNames: names, isHead: try local.holds(topology.coordinator.address))
    }

    /// What a name stands for: a node, the coordinator, or the host that their addresses name.
    ///
    /// The coordinator comes with the node that has its host. No name is looked up, so it does not
    /// matter whether they can be yet.
    ///
    /// - Parameters:
    ///   - name: what this container was told that it is; `nil` where it was told nothing.
    ///   - hostName: the machine's own name, taken in its place.
    public static func named(
        _ name: String?, hostName: String, in topology: Topology
    ) throws(Refusal) -> HostShare {
        let wanted = name ?? hostName
        let head = topology.coordinator.address
        if wanted == ClusterKeys.coordinatorName { return HostShare(nodeNames: [], isHead: true) }
        if let node = topology.nodes.first(where: { $0.name == wanted }) {
            return HostShare(
                nodeNames: [node.name], isHead: node.address.hostName == head.hostName)
        }
        func isHere(_ address: TCPAddress) -> Bool {
            guard name == nil, case .name(let full) = address.host else { return false }
            let label = full.split(separator: ".").first.map(String.init) ?? full
            return full == hostName || label == hostName
        }
        let names = topology.nodes.filter { isHere($0.address) }.map(\.name)
        guard !names.isEmpty || isHere(head) else {
            let known = topology.nodes.map(\.name).joined(separator: ", ")
            throw Refusal(
                name == nil ? "host name '\(hostName)'" : "node '\(wanted)'",
                "is none of cluster '\(topology.name)', which has \(known); name one by --node "
                    + "or SKEIN_NODE")
        }
        return HostShare(nodeNames: names, isHead: isHere(head))
    }

    /// The addresses whose names must be known before this share can start: where it listens, and
    /// where its nodes find the head.
    public func neededAddresses(in topology: Topology) -> [TCPAddress] {
        let own = topology.nodes.filter { nodeNames.contains($0.name) }.map(\.address)
        return [topology.coordinator.address] + own
    }

    /// Waits until every name that is needed can be looked up.
    ///
    /// A pod's name is known some time after the pod has started; the wait has no end but that of
    /// the task, since a supervisor decides how long is too long.
    ///
    /// - Parameters:
    ///   - isKnown: whether an address can be called; `nil` asks the system.
    ///   - onWait: is told the first name that is not known yet, now and then.
    public func waitForNames(
        in topology: Topology, every interval: Duration = .milliseconds(500),
        isKnown: (@Sendable (TCPAddress) -> Bool)? = nil,
        onWait: @Sendable (TCPAddress) -> Void
    ) async throws(CancellationError) {
        var tryCount = 0
        let isKnown = isKnown ?? { LocalAddresses.isKnown($0) }
        while let missing = neededAddresses(in: topology).first(where: { !isKnown($0) }) {
            // At once, and then about every half minute.
            if tryCount % 60 == 0 { onWait(missing) }
            tryCount += 1
            do { try await Task.sleep(for: interval) } catch { throw CancellationError() }
        }
    }
}
