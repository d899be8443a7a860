import SkeinCore
import SkeinMembership

@testable import SkeinCoordinator

/// What a simulated cluster is made of: drawn from its seed.
struct SimulatedShape {
    let placement: SkeinMembership.Placement
    let standbys: [String]
    /// What each node has room for; 0: it does not say.
    let memoryBytes: [String: Int]
    /// What slices and shards take.
    let bytes: PartBytes
    /// Nodes that are killed once and never come back; the others have room for their slices.
    let mortals: [String]
    let stepMicroseconds: UInt64
    /// What it takes to load other weights than those in memory.
    let loadMicroseconds: UInt64
    let patience: FailoverPatience

    var names: [String] { placement.nodes + standbys }

    init(
        _ configuration: ModelConfiguration, serving: ServingSettings,
        _ numbers: inout SeededNumbers
    ) throws {
        stepMicroseconds = UInt64.random(in: 200...20_000, using: &numbers)
        loadMicroseconds = UInt64.random(in: 50_000...1_500_000, using: &numbers)
        let kind: PlacementKind = numbers.chance(30) ? .vfold : .linear
        let ringCount = Int.random(in: 1...(kind == .linear ? 4 : 3), using: &numbers)
        var shares = ["a", "b", "c", "d"].prefix(ringCount).map { NodeShare(name: $0) }
        shares += Self.expertHosts(configuration.layerExpertCounts, &numbers)
        let placement = try SkeinMembership.Placement(
            kind: kind, nodes: shares, layerCount: configuration.layerCount,
            expertCounts: configuration.layerExpertCounts)
        self.placement = placement
        let standbys = numbers.chance(40) ? ["y", "z"] : []
        self.standbys = standbys
        let bytes = PartBytes(configuration, serving: serving)
        self.bytes = bytes
        // Room for everything, for some more than the own part, or nobody says.
        let whole = placement.nodes.reduce(0) { $0 + bytes.total(of: $1, in: placement) }
        let plenty = Limits.memoryHeadroomBytesMin + 2 * whole
        let draw = Int.random(in: 0..<3, using: &numbers)
        var memory: [String: Int] = [:]
        for name in placement.nodes + standbys {
            let own = bytes.total(of: name, in: placement)
            let some = own + Limits.memoryHeadroomBytesMin + whole * (name > "c" ? 1 : 2) / 4
            memory[name] = [plenty, max(some, whole / ringCount), 0][draw]
        }
        memoryBytes = memory
        // One of the ring must be left.
        mortals =
            draw == 0 && standbys.isEmpty && numbers.chance(50)
            ? Array(placement.nodes.dropFirst().prefix(2)) : []
        var patience = FailoverPatience()
        patience.spreadAfter = .milliseconds(Int.random(in: 500...6_000, using: &numbers))
        patience.steadyAfter = .seconds(3)
        patience.quietAfter = .seconds(1)
        patience.returnAfter = .seconds(15)
        patience.pauseMax = .seconds(5)
        patience.steadiness.firstPause = .seconds(4)
        patience.steadiness.pauseMax = .seconds(30)
        patience.steadiness.quietTime = .seconds(60)
        self.patience = patience
    }

    /// None, one, two with different experts, or two with the same.
    private static func expertHosts(
        _ expertCounts: [Int], _ numbers: inout SeededNumbers
    ) -> [NodeShare] {
        guard let first = expertCounts.firstIndex(where: { $0 > 0 }) else { return [] }
        let layers = first..<expertCounts.count
        let count = expertCounts[first]
        let (low, high) = (0..<(count / 4), (count / 2)..<count)
        func share(_ name: String, _ experts: [Range<Int>]) -> NodeShare {
            NodeShare(name: name, shard: experts.map { ShardPart(layers: layers, experts: $0) })
        }
        return switch Int.random(in: 0..<6, using: &numbers) {
        case 0: [share("e", [low, high])]
        case 1: [share("e", [low]), share("f", [high])]
        case 2: [share("e", [high]), share("f", [low, high])]
        default: []
        }
    }
}
