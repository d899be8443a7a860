import SkeinCore
import SkeinMembership
import Testing

/// Placements with experts that do not lie with their layers.
extension PlacementTests {
    private static let counts = [0, 8, 8, 8]

    private static func placement(_ nodes: [NodeShare]) throws(Refusal) -> Placement {
        try Placement(kind: .linear, nodes: nodes, layerCount: 4, expertCounts: counts)
    }

    private static func shard(_ layers: Range<Int>, _ experts: Range<Int>) -> [ShardPart] {
        [ShardPart(layers: layers, experts: experts)]
    }

    @Test func aNodeWithExpertsAloneIsNoPartOfTheRing() throws {
        let placement = try Self.placement([
            NodeShare(name: "x", shard: Self.shard(1..<4, 0..<5)), NodeShare(name: "a"),
            NodeShare(name: "b"),
        ])
        #expect(placement.stages.map(\.node) == ["a", "b"])
        #expect(placement.nodes == ["a", "b", "x"])
        #expect(placement.expertHosts.map(\.node) == ["x"])
        #expect(placement.shard(of: "x") == Self.shard(1..<4, 0..<5))
        #expect(placement.shard(of: "a").isEmpty && placement.stages(of: "x").isEmpty)
    }

    @Test func aNodeMayHoldASliceAndAShard() throws {
        let placement = try Self.placement([
            NodeShare(name: "a", layers: [0..<2], shard: Self.shard(2..<4, 4..<8)),
            NodeShare(name: "b", layers: [2..<4]),
        ])
        #expect(placement.nodes == ["a", "b"])
        #expect(placement.expertHosts.map(\.node) == ["a"])
    }

    @Test(arguments: [
        (shard(0..<2, 0..<1), "holds experts 0-0 of layers 0-1, but layer 0 has none: it is dense"),
        (shard(3..<5, 0..<1), "holds experts 0-0 of layers 3-4, the model has layers 0 to 3"),
        (
            shard(1..<4, 7..<9),
            "holds experts 7-8 of layers 1-3, each of which has experts 0 to 7"
        ),
        (shard(1..<3, 0..<4) + shard(2..<4, 3..<8), "holds expert 3 of layer 2 twice"),
        (shard(1..<1, 0..<4), "holds a part without layers or without experts"),
    ])
    func aWrongShardIsRefusedInOneLine(shard: [ShardPart], line: String) {
        let refusal = #expect(throws: Refusal.self) {
            try Self.placement([NodeShare(name: "a"), NodeShare(name: "x", shard: shard)])
        }
        #expect(refusal?.description == "node x: \(line)")
    }

    @Test func anotherNodeHoldsWhatALostOneHeld() throws {
        let before = try Self.placement([
            NodeShare(name: "a"), NodeShare(name: "b"),
            NodeShare(name: "x", shard: Self.shard(1..<4, 0..<8)),
        ])
        let after = before.replacing(["b": "s", "x": "t"])
        #expect(after.nodes == ["a", "s", "t"])
        #expect(after.stages(of: "s").map(\.slice) == before.stages(of: "b").map(\.slice))
        #expect(after.shard(of: "t") == before.shard(of: "x"))
        #expect(after.stages(of: "b").isEmpty && after.shard(of: "x").isEmpty)
        #expect(after.replacing(["s": "b", "t": "x"]) == before)
    }

    @Test func aRingNeedsLayers() {
        let refusal = #expect(throws: Refusal.self) {
            try Self.placement([NodeShare(name: "x", shard: Self.shard(1..<4, 0..<8))])
        }
        #expect(
            refusal?.description
                == "placement: has hosts of experts alone, expected nodes with layers")
    }
}
