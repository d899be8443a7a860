import SkeinCore
import SkeinWeights

/// What is missing where nothing fits, and what would make it fit.
struct Shortfall {
    private let planner: ClusterPlanner

    init(_ planner: ClusterPlanner) { self.planner = planner }

    /// The one line that says both.
    var refusal: Refusal {
        let able = planner.hosts.hosts.indices.filter { planner.hosts.hosts[$0].role != .experts }
        guard let worst = leastOvercommitted(able) else {
            return Self.noShape
        }
        // Where every host has room enough, it is the shape that no cut can have.
        guard excess(worst) > 0 else { return Self.noShape }
        return Self.refusal(
            host: planner.hosts.hosts[worst.host], needBytes: worst.needBytes,
            remedies: remedies(worst))
    }

    private static let noShape = Refusal(
        "plan",
        "no cut of the layers has the shape that was asked for; ask for fewer ring nodes or expert "
            + "hosts, or leave the placement open")

    /// Names a host that has too little.
    static func refusal(host: PlannedHost, needBytes: Int, remedies: [String]) -> Refusal {
        let missing = Self.gigabytes(needBytes - host.memoryBytes)
        return Refusal(
            "plan",
            "does not fit by \(missing) on node \(host.name), which would need "
                + "\(gigabytes(needBytes)) and has \(gigabytes(host.memoryBytes)); "
                + "it would fit with "
                + remedies.joined(separator: ", or "))
    }

    // MARK: Rooms

    /// The cut that asks least beyond what hosts have, and the host that it asks most of.
    private func leastOvercommitted(_ able: [Int]) -> (host: Int, needBytes: Int)? {
        let model = planner.model.configuration
        let count = min(planner.wish.nodeCount ?? able.count, able.count, model.layerCount)
        let ringHosts = Array(able.prefix(count))
        let table = planner.memory.table(localExpertCount: planner.model.expertCount)
        func need(_ layers: Range<Int>) -> Int {
            let mixtureCount = layers.count { model.layerIsMixture[$0] }
            return table.totalBytes(
                denseCount: layers.count - mixtureCount, mixtureCount: mixtureCount,
                holdsEmbedding: layers.lowerBound == 0,
                holdsHead: layers.upperBound == model.layerCount)
        }
        let cut = LayerPartition.linear(
            layerCount: model.layerCount, hostCount: ringHosts.count,
            keeping: model.layersWithinStages
        ) { node, layers in
            // Shifted by more than any host has, so that times stay positive.
            1e14 + Double(need(layers) - planner.hosts.hosts[ringHosts[node]].memoryBytes)
        }
        guard let cut else { return nil }
        let needs = zip(ringHosts, cut.parts).map { (host: $0, needBytes: need($1)) }
        return needs.max { excess($0) < excess($1) }
    }

    private func excess(_ need: (host: Int, needBytes: Int)) -> Int {
        need.needBytes - planner.hosts.hosts[need.host].memoryBytes
    }

    private func remedies(_ worst: (host: Int, needBytes: Int)) -> [String] {
        var remedies: [String] = []
        let name = planner.hosts.hosts[worst.host].name
        var larger = planner.hosts
        larger.hosts[worst.host].memoryBytes = worst.needBytes
        if fits(larger) { remedies.append("\(Self.gigabytes(excess(worst))) more there") }
        if let count = moreHosts(like: worst.host) {
            remedies.append(
                "\(count) more host\(count == 1 ? "" : "s") like \(name)")
        }
        if let count = longest(
            upTo: planner.wish.serving.positionCount,
            { wish, count in
                wish.serving.positionCount = count * Limits.pageRowCount
            }, unit: Limits.pageRowCount)
        {
            remedies.append("a context of at most \(count) positions")
        }
        if let count = longest(
            upTo: planner.wish.sequenceCount,
            { wish, count in
                wish.sequenceCount = count
            }, unit: 1)
        {
            remedies.append("at most \(count) sequences at once")
        }
        if remedies.isEmpty {
            let bytes = planner.memory.arithmetic.main.totalBytes
            remedies.append("more memory: the weights alone are \(Self.gigabytes(bytes))")
        }
        return remedies
    }

    /// How many more hosts of that size would do; `nil` where that is no way.
    private func moreHosts(like host: Int) -> Int? {
        func fits(_ count: Int) -> Bool {
            var more = planner.hosts
            var copy = more.hosts[host]
            copy.role = .any
            more.hosts += Array(repeating: copy, count: count)
            return self.fits(more)
        }
        guard let enough = [1, 2, 4, 8, 16, 32, 64, 128].first(where: fits) else { return nil }
        var (low, high) = (enough / 2 + 1, enough)
        while low < high {
            let middle = (low + high) / 2
            if fits(middle) { high = middle } else { low = middle + 1 }
        }
        return high
    }

    /// The largest number below the wanted one with which everything fits, if there is any.
    private func longest(
        upTo most: Int, _ change: (inout PlanWish, Int) -> Void, unit: Int
    ) -> Int? {
        func fits(_ count: Int) -> Bool {
            var wish = planner.wish
            change(&wish, count)
            return self.fits(planner.hosts, wish: wish)
        }
        var (low, high) = (0, most / unit)
        while low < high {
            let middle = (low + high + 1) / 2
            if fits(middle) { low = middle } else { high = middle - 1 }
        }
        return low > 0 ? low * unit : nil
    }

    private func fits(_ hosts: PlannedHosts, wish: PlanWish? = nil) -> Bool {
        planner.with(hosts: hosts, wish: wish ?? planner.wish).anythingFits
    }

    /// Bytes in units of 10^9, with one digit.
    private static func gigabytes(_ bytes: Int) -> String {
        let tenths = Int((Double(bytes) / 1e8).rounded(.up))
        return "\(tenths / 10).\(tenths % 10) GB"
    }
}
