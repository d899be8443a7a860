import Foundation
import SkeinCore
import SkeinMembership
import Testing

@testable import SkeinCoordinator

@Suite struct FailoverPlanTests {
    typealias Member = FailoverPlan.Member
    typealias Placement = SkeinMembership.Placement

    static let plenty = 1 << 40

    /// Six layers, of which the first is dense and the others have 16 experts.
    static func bytes() throws -> PartBytes {
        let file = FakeCluster.gosling.appending(path: "config.json")
        let configuration = try ModelConfiguration(json: Array(try Data(contentsOf: file)))
        return PartBytes(
            configuration, serving: ServingSettings(positionCount: 512, pageCount: 24))
    }

    static func placement(
        _ names: [String], kind: PlacementKind = .linear, hosts: [String: Range<Int>] = [:]
    ) throws -> Placement {
        let shares = names.map { NodeShare(name: $0) }
        let alone = hosts.sorted { $0.key < $1.key }.map { name, experts in
            NodeShare(name: name, shard: [ShardPart(layers: 1..<6, experts: experts)])
        }
        return try Placement(
            kind: kind, nodes: shares + alone, layerCount: 6,
            expertCounts: try bytes().expertCounts)
    }

    /// A plan in which everyone is here with plenty of room, but for what a test changes.
    static func plan(
        _ home: Placement, current: Placement? = nil, standbys: [String] = [],
        _ change: (inout [String: Member]) -> Void
    ) throws -> FailoverPlan {
        var members: [String: Member] = [:]
        for name in home.nodes + standbys {
            members[name] = Member(isHere: true, roomBytes: plenty)
        }
        change(&members)
        return FailoverPlan(
            bytes: try bytes(), home: home, current: current ?? home, members: members)
    }

    static func lose(_ name: String, _ members: inout [String: Member], overdue: Bool = true) {
        members[name]?.isHere = false
        members[name]?.isLost = true
        members[name]?.isOverdue = overdue
    }

    static func holders(_ placement: Placement?) -> [String]? { placement?.stages.map(\.node) }

    // MARK: Standbys

    @Test func aStandbyTakesThePlaceAtOnce() throws {
        let home = try Self.placement(["a", "b"])
        let found = try Self.plan(home, standbys: ["y", "z"]) {
            Self.lose("b", &$0, overdue: false)
            $0["y"]?.roomBytes = 1_000
        }.relief()
        #expect(Self.holders(found?.placement) == ["a", "z"])
        #expect(found?.replaced == ["b": "z"] && found?.home == found?.placement)
    }

    @Test func aStandbyThatCannotLoadPassesThePlaceOn() throws {
        let home = try Self.placement(["a", "y"])
        func relief(_ standbys: [String]) throws -> FailoverPlan.Arrangement? {
            try Self.plan(home, standbys: standbys) {
                $0["y"]?.hasFailed = true
                $0["y"]?.isKeptOut = true
            }.relief()
        }
        #expect(Self.holders(try relief(["z"])?.placement) == ["a", "z"])
        #expect(Self.holders(try relief([])?.placement) == ["a", "a"], "or to the others")
    }

    @Test func whereOnlySomePlacesHaveStandbysTheOthersAreWaitedFor() throws {
        let home = try Self.placement(["a", "b", "c"])
        let found = try Self.plan(home, standbys: ["z"]) {
            for name in ["a", "b"] { Self.lose(name, &$0, overdue: false) }
        }.relief()
        #expect(Self.holders(found?.placement) == ["z", "b", "c"] && found?.awaited == ["b"])
    }

    // MARK: Spreading

    @Test func aLostNodeIsWaitedForBeforeItsSlicesAreSpread() throws {
        let home = try Self.placement(["a", "b", "c"])
        for isOverdue in [false, true] {
            let found = try Self.plan(home) { Self.lose("b", &$0, overdue: isOverdue) }.relief()
            #expect(Self.holders(found?.placement) == (isOverdue ? ["a", "a", "c"] : nil))
            #expect(found.map { $0.home == home } ?? true, "it belongs where it was")
        }
    }

    @Test func aNodeThatFlapsIsNotWaitedFor() throws {
        let home = try Self.placement(["a", "b"])
        let found = try Self.plan(home) {
            Self.lose("b", &$0, overdue: false)
            $0["b"]?.isKeptOut = true
        }.relief()
        #expect(Self.holders(found?.placement) == ["a", "a"])
    }

    @Test func whoHasNoRoomOrDoesNotSayTakesNothing() throws {
        let home = try Self.placement(["a", "b", "c"])
        let own = try Self.bytes().total(of: "a", in: home)
        for room in [nil, own + Limits.memoryHeadroomBytesMin, 0] {
            let found = try Self.plan(home) {
                Self.lose("b", &$0)
                $0["a"]?.roomBytes = room
            }.relief()
            #expect(Self.holders(found?.placement) == ["a", "c", "c"])
            let none = try Self.plan(home) {
                Self.lose("b", &$0)
                for name in ["a", "c"] { $0[name]?.roomBytes = room }
            }.relief()
            #expect(none == nil, "everything waits")
        }
    }

    @Test func bothStagesOfAFoldedNodeFindAPlace() throws {
        let home = try Self.placement(["a", "b", "c"], kind: .vfold)
        let found = try Self.plan(home) { Self.lose("c", &$0) }.relief()
        #expect(Self.holders(found?.placement) == ["a", "b", "b", "a", "b", "a"])
    }

    @Test func aNodeThatWasNeverHereIsNotSpread() throws {
        let home = try Self.placement(["a", "b", "c"])
        let found = try Self.plan(home) {
            Self.lose("b", &$0)
            $0["c"] = Member()
        }.relief()
        #expect(found == nil)
    }

    @Test(arguments: PlacementKind.allCases)
    func layersAreCutAgainWhereNoStageFitsWhole(_ kind: PlacementKind) throws {
        let home = try Self.placement(["a", "b", "c"], kind: kind)
        let bytes = try Self.bytes()
        let whole = home.nodes.reduce(0) { $0 + bytes.total(of: $1, in: home) }
        // Half of the model each, which no node with a lost stage beside its own is within.
        let room = kind == .linear ? whole * 55 / 100 : whole * 62 / 100
        let found = try Self.plan(home) {
            Self.lose("b", &$0)
            for name in ["a", "c"] { $0[name]?.roomBytes = room + Limits.memoryHeadroomBytesMin }
        }.relief()
        let placement = try #require(found?.placement)
        #expect(placement.nodes == ["a", "c"] && placement.kind == kind)
        #expect(placement.stages.flatMap(\.slice.layers) == Array(0..<6))
        for name in ["a", "c"] { #expect(bytes.total(of: name, in: placement) <= room) }
        #expect(found?.home == home)
    }

    // MARK: Experts

    @Test func aShardWithCopiesIsNotWaitedFor() throws {
        let home = try Self.placement(["a"], hosts: ["e": 0..<8, "f": 0..<16])
        let found = try Self.plan(home, standbys: ["z"]) {
            Self.lose("e", &$0, overdue: false)
        }.relief()
        #expect(found?.placement.nodes == ["a", "f"] && found?.awaited.isEmpty == true)
        #expect(found?.home == home)
        // f has experts that nobody else has.
        let other = try Self.plan(home) { Self.lose("f", &$0, overdue: false) }.relief()
        #expect(other == nil)
    }

    @Test func aShardGoesToAStandbyOrElseToTheNodeWithMostRoom() throws {
        let home = try Self.placement(["a", "b"], hosts: ["e": 0..<8, "f": 8..<16])
        let found = try Self.plan(home, standbys: ["z"]) { Self.lose("f", &$0) }.relief()
        #expect(found?.replaced == ["f": "z"])
        let spread = try Self.plan(home) {
            Self.lose("f", &$0)
            $0["b"]?.roomBytes = 2 * Self.plenty
        }.relief()
        #expect(spread?.placement.shard(of: "b") == home.shard(of: "f"))
        let merged = try Self.plan(home) {
            Self.lose("f", &$0)
            $0["e"]?.roomBytes = 2 * Self.plenty
        }.relief()
        #expect(merged?.placement.shard(of: "e") == home.shard(of: "e") + home.shard(of: "f"))
    }

    // MARK: Back

    @Test func slicesGoBackToANodeThatIsSteadyAgain() throws {
        let home = try Self.placement(["a", "b", "c"])
        let spread = home.moving([StageIndex(1): "a"], expertHosts: [])
        func improvement(
            _ change: (inout [String: Member]) -> Void
        ) throws -> FailoverPlan.Arrangement? {
            try Self.plan(home, current: spread, change).improvement()
        }
        #expect(try improvement { _ in }?.placement == home)
        #expect(try improvement { $0["b"]?.isSteady = false } == nil)
        #expect(try improvement { $0["b"]?.isKeptOut = true } == nil)
        #expect(try improvement { Self.lose("b", &$0) } == nil, "it is not better than it is")
        #expect(try Self.plan(home) { _ in }.improvement() == nil)
    }

    @Test func ofTwoLostNodesOneIsBetterThanNone() throws {
        let home = try Self.placement(["a", "b", "c"])
        let alone = home.moving(
            [StageIndex(1): "a", StageIndex(2): "a"], expertHosts: [])
        let found = try Self.plan(home, current: alone) { Self.lose("c", &$0) }.improvement()
        #expect(found?.placement.nodes == ["a", "b"])
    }

    @Test(arguments: [true, false])
    func aNodeThatFlapsServesAtOnceWhereNobodyElseCan(isOverdue: Bool) throws {
        let home = try Self.placement(["a", "y"])
        func relief(_ standbys: [String]) throws -> FailoverPlan.Arrangement? {
            try Self.plan(home, standbys: standbys) {
                Self.lose("y", &$0, overdue: isOverdue)
                $0["a"]?.roomBytes = nil
                $0["b"]?.isKeptOut = true
            }.relief()
        }
        #expect(Self.holders(try relief(["b"])?.placement) == ["a", "b"])
        let withSteady = Self.holders(try relief(["b", "z"])?.placement)
        #expect(withSteady == ["a", "z"])
    }

    @Test func whoCouldNotLoadIsNotTriedAgainWhileTheLostNodeMayComeBack() throws {
        let home = try Self.placement(["a", "y"])
        let found = try Self.plan(home, standbys: ["z"]) {
            Self.lose("y", &$0, overdue: false)
            $0["z"]?.hasFailed = true
        }.relief()
        #expect(found == nil)
    }
}
