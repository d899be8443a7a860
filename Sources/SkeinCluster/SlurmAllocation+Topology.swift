internal import Foundation
public import SkeinCore
public import SkeinPlanning
internal import SkeinTransport

extension SlurmAllocation {
    /// What a cluster of an allocation needs beside it.
    public struct Wish: Sendable {
        /// The checkpoint folder, at the same path on every host.
        public var modelPath: String
        /// What the model is.
        public var configuration: ModelConfiguration
        /// What the plan is for.
        public var plan: PlanWish
        /// Measured hosts; `nil` takes all hosts as equal.
        public var hosts: HostsFile?
        /// A folder that `skein keys init` has filled, seen by every host.
        public var keysPath: String?
        /// Where the head writes requests down.
        public var statePath: String?

        /// States a wish for a model.
        public init(modelPath: String, configuration: ModelConfiguration, plan: PlanWish) {
            self.modelPath = modelPath
            self.configuration = configuration
            self.plan = plan
        }
    }

    /// The port of each host's node; the head has those below for its peers and 8080 for clients.
    static let nodePort: UInt16 = 7_101

    /// The cluster that the hosts make; every task of a job derives the same.
    ///
    /// Public keys are those of the secrets in the keys folder; without such a folder there are
    /// none, and the file is one for `skein keys init`.
    ///
    /// - Throws: a `Refusal` where the model does not fit, a host was not measured, or a key is
    ///   missing.
    public func topology(_ wish: Wish, name: String) throws(Refusal) -> Topology {
        let hosts = try plannedHosts(wish)
        var given = wish.plan
        if wish.hosts == nil {
            // Rates that are not measured say nothing about how many hosts pay.
            given.nodeCount =
                given.nodeCount
                ?? min(
                    hostNames.count, wish.configuration.layerCount)
            given.expertHostCount = given.expertHostCount ?? 0
        }
        let plan = try ClusterPlanner(
            configuration: wish.configuration, hosts: hosts, wish: given
        ).plan()
        let head = try TCPAddress(parsing: "tcp://\(hostNames[0]):7100")
        var topology = Topology(
            unkeyed: plan, name: name, modelPath: wish.modelPath,
            coordinator: .init(address: head, httpAddress: head.with(port: 8_080)))
        topology.statePath = wish.statePath
        if let keysPath = wish.keysPath { try topology.takeKeys(in: keysPath) }
        return topology
    }

    /// What of that cluster this task runs.
    public func share(in topology: Topology) -> HostShare {
        let own = hostNames[index]
        return HostShare(
            nodeNames: topology.nodes.map(\.name).filter { $0 == own }, isHead: index == 0)
    }

    // MARK: Rooms

    /// The allocation's hosts: as they were measured, or all alike.
    private func plannedHosts(_ wish: Wish) throws(Refusal) -> PlannedHosts {
        if let file = wish.hosts {
            var hosts = file.hosts
            hosts.hosts = []
            for name in hostNames {
                guard var host = file.hosts.hosts.first(where: { $0.name == name }) else {
                    throw Refusal("--hosts", "has no host '\(name)', which Slurm has given")
                }
                if let memoryBytes { host.memoryBytes = min(host.memoryBytes, memoryBytes) }
                host.coreCount = min(host.coreCount, coreCount)
                hosts.hosts.append(host)
            }
            // Links between pairs are by place in the file, which is another order.
            hosts.pairLinks = [:]
            return hosts
        }
        guard let memoryBytes else {
            throw Refusal(
                "SLURM_MEM_PER_NODE",
                "is not set, expected --mem for the job, or a measured --hosts file")
        }
        var hosts: [PlannedHost] = []
        for name in hostNames {
            let address = try TCPAddress(parsing: "tcp://\(name):\(Self.nodePort)")
            hosts.append(
                PlannedHost(
                    name: name, address: address, memoryBytes: memoryBytes, coreCount: coreCount,
                    rates: Self.rates(coreCount: coreCount)))
        }
        return PlannedHosts(
            hosts: hosts, link: LinkRate(latencySeconds: 50e-6, bytesPerSecond: 1.25e9))
    }

    /// What a core of a server of today does: since all hosts are alike, only the kinds of work
    /// among each other count.
    private static func rates(coreCount: Int) -> HostRates {
        let count = Double(coreCount)
        return HostRates(
            readBytesPerSecond: 5e9 * count, bfloat16FlopsPerSecond: 50e9 * count,
            float32FlopsPerSecond: 40e9 * count)
    }
}

extension Topology {
    /// Names the public keys of the secrets in a folder that `skein keys init` has filled.
    fileprivate mutating func takeKeys(in folder: String) throws(Refusal) {
        keysPath = folder
        coordinator.publicKey = try publicKey(of: ClusterKeys.coordinatorName, in: folder)
        for place in nodes.indices {
            nodes[place].publicKey = try publicKey(of: nodes[place].name, in: folder)
        }
    }

    private func publicKey(of name: String, in folder: String) throws(Refusal) -> String {
        let file = ClusterKeys.secretFile(of: name, in: self, folder: folder)
        guard FileManager.default.fileExists(atPath: file) else {
            throw Refusal(
                file,
                "does not exist; write the file of 'skein up --slurm --print' and run 'skein keys "
                    + "init' on it")
        }
        return try CurveKeyPair(readingSecretFrom: file).publicKey
    }
}
