import SkeinCore
import SkeinMembership
import Testing

@Suite struct PlacementTests {
    static func shares(_ names: String...) -> [NodeShare] { names.map { NodeShare(name: $0) } }

    @Test func linearGivesEachNodeOneSlice() throws {
        let placement = try Placement(
            kind: .linear, nodes: Self.shares("a", "b", "c"), layerCount: 8)
        #expect(placement.stages.map(\.node) == ["a", "b", "c"])
        #expect(placement.stages.map(\.slice.layers) == [0..<3, 3..<6, 6..<8])
        #expect(placement.stages.map(\.slice.holdsEmbedding) == [true, false, false])
        #expect(placement.stages.map(\.slice.holdsHead) == [false, false, true])
        #expect(placement.stage(after: StageIndex(0))?.node == "b")
        #expect(placement.stage(after: StageIndex(2)) == nil)
    }

    @Test func vfoldFliesOutAndBack() throws {
        let placement = try Placement(kind: .vfold, nodes: Self.shares("a", "b"), layerCount: 9)
        #expect(placement.stages.map(\.node) == ["a", "b", "b", "a"])
        #expect(placement.stages(of: "a").map(\.slice.layers) == [0..<3, 7..<9])
        #expect(placement.first.node == "a" && placement.last.node == "a")
        #expect(placement.first.slice.holdsEmbedding && placement.last.slice.holdsHead)
    }

    @Test func unevenNodesNameTheirLayers() throws {
        let linear = try Placement(
            kind: .linear,
            nodes: [NodeShare(name: "a", layers: [0..<1]), NodeShare(name: "b", layers: [1..<7])],
            layerCount: 7)
        #expect(linear.stages.map(\.slice.layers) == [0..<1, 1..<7])
        let vfold = try Placement(
            kind: .vfold,
            nodes: [
                NodeShare(name: "a", layers: [0..<1, 6..<7]),
                NodeShare(name: "b", layers: [1..<3, 3..<6]),
            ], layerCount: 7)
        #expect(vfold.stages.map(\.slice.layers) == [0..<1, 1..<3, 3..<6, 6..<7])
    }

    /// Layers 3 to 5 attend to the positions that layer 2 chooses.
    @Test func aStageBeginsWithALayerThatChooses() throws {
        let inner: Set = [3, 4, 5, 7]
        let even = try Placement(
            kind: .linear, nodes: Self.shares("a", "b", "c"), layerCount: 8, keeping: inner)
        #expect(even.stages.map(\.slice.layers) == [0..<2, 2..<6, 6..<8])
        let named = [NodeShare(name: "a", layers: [0..<4]), NodeShare(name: "b", layers: [4..<8])]
        let cut = #expect(throws: Refusal.self) {
            try Placement(kind: .linear, nodes: named, layerCount: 8, keeping: inner)
        }
        #expect(
            cut?.description
                == "node b: begins with layer 4, which attends to the positions that layer 2 "
                + "chose; expected a cut before layer 2 or 6")
        let many = #expect(throws: Refusal.self) {
            try Placement(
                kind: .vfold, nodes: Self.shares("a", "b", "c"), layerCount: 8, keeping: inner)
        }
        #expect(many?.reason.hasSuffix("4 layers with which a stage may begin") == true)
    }

    struct Broken: Sendable {
        var kind = PlacementKind.linear
        var nodes: [NodeShare]
        var layerCount = 8
        var line: String
    }

    @Test(arguments: [
        Broken(nodes: [], line: "placement: has 0 nodes, expected 1 to 128"),
        Broken(nodes: shares("a", "a"), line: "node a: is named twice"),
        Broken(
            nodes: shares("a", "b", "c"), layerCount: 2,
            line: "node c: is left without a layer: linear over 3 nodes has 3 stages, "
                + "the model has 2 layers"),
        Broken(
            kind: .vfold, nodes: shares("a", "b"), layerCount: 3,
            line: "node b: is left without a layer: vfold over 2 nodes has 4 stages, "
                + "the model has 3 layers"),
        Broken(
            nodes: [NodeShare(name: "a", layers: [0..<8]), NodeShare(name: "b")],
            line: "node b: names no layers, though other nodes do; "
                + "linear expects 1 for each node"),
        Broken(
            kind: .vfold, nodes: [NodeShare(name: "a", layers: [0..<8])],
            line: "node a: names 1 ranges of layers; vfold expects 2 for each node"),
        Broken(
            nodes: [
                NodeShare(name: "a", layers: [0..<4]), NodeShare(name: "b", layers: [5..<8]),
            ], line: "node b: holds layers 5 to 7, expected layers that begin at 4"),
        Broken(
            nodes: [
                NodeShare(name: "a", layers: [0..<4]), NodeShare(name: "b", layers: [3..<8]),
            ], line: "node b: holds layers 3 to 7, expected layers that begin at 4"),
        Broken(
            nodes: [
                NodeShare(name: "a", layers: [0..<4]), NodeShare(name: "b", layers: [4..<9]),
            ], line: "node b: holds layers 4 to 8, the model has layers 0 to 7"),
        Broken(
            nodes: [
                NodeShare(name: "a", layers: [0..<4]), NodeShare(name: "b", layers: [4..<7]),
            ], line: "node b: ends with layer 6, the model's last is 7"),
        Broken(
            nodes: [
                NodeShare(name: "a", layers: [0..<0]), NodeShare(name: "b", layers: [0..<8]),
            ], line: "node a: holds no layer, expected layers that begin at 0"),
    ])
    func aBrokenPlacementIsRefusedWithTheNodesName(_ broken: Broken) {
        #expect {
            _ = try Placement(
                kind: broken.kind, nodes: broken.nodes, layerCount: broken.layerCount)
        } throws: { error in
            (error as? Refusal)?.description == broken.line
        }
    }

    @Test(arguments: PlacementKind.allCases)
    func aPeersPlacementIsCheckedLikeOurOwn(_ kind: PlacementKind) throws {
        let own = try Placement(kind: kind, nodes: Self.shares("a", "b"), layerCount: 8)
        #expect(try Placement(kind: kind, checking: own.stages, layerCount: 8) == own)
        var moved = own.stages
        moved[0].slice.holdsHead = true
        #expect(throws: Refusal.self) {
            try Placement(kind: kind, checking: moved, layerCount: 8)
        }
        #expect(throws: Refusal.self) {
            try Placement(kind: kind, checking: own.stages, layerCount: 9)
        }
        #expect(throws: Refusal.self) {
            try Placement(kind: .vfold, checking: Array(own.stages.prefix(1)), layerCount: 8)
        }
    }
}
