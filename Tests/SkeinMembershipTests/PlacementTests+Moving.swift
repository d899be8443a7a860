import SkeinCore
import SkeinMembership
import Testing

extension PlacementTests {
    /// Three nodes with two layers each, of which nodes e and f have experts of the last four.
    private static func placement() throws -> Placement {
        let layers = 2..<6
        return try Placement(
            kind: .linear,
            nodes: ["a", "b", "c"].map { NodeShare(name: $0) } + [
                NodeShare(name: "e", shard: [ShardPart(layers: layers, experts: 0..<4)]),
                NodeShare(name: "f", shard: [ShardPart(layers: layers, experts: 0..<8)]),
            ], layerCount: 6, expertCounts: [0, 0, 8, 8, 8, 8])
    }

    @Test func aNodeMayTakeTheStagesOfAnother() throws {
        let before = try Self.placement()
        let moved = before.moving([StageIndex(1): "a"], expertHosts: before.expertHosts)
        #expect(moved.nodes == ["a", "c", "e", "f"])
        #expect(moved.stages(of: "a").map(\.slice.layers) == [0..<2, 2..<4])
        #expect(moved.stages.map(\.slice) == before.stages.map(\.slice))
        #expect(before.moving([:], expertHosts: []).nodes == ["a", "b", "c"])
    }

    @Test func aShardHasCopiesWhereOthersHoldAllOfIt() throws {
        let placement = try Self.placement()
        let all = Set(placement.nodes)
        #expect(placement.holdsCopies(of: placement.shard(of: "e"), on: all.subtracting(["e"])))
        #expect(!placement.holdsCopies(of: placement.shard(of: "f"), on: all.subtracting(["f"])))
        #expect(!placement.holdsCopies(of: placement.shard(of: "e"), on: ["a"]))
        let more = [ShardPart(layers: 1..<3, experts: 0..<4)]
        #expect(!placement.holdsCopies(of: more, on: ["f"]))
    }
}
