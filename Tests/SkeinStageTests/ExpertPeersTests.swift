import SkeinCore
import SkeinWire
import Testing

@testable import SkeinModel
@testable import SkeinStage

@Suite struct ExpertPeersTests {
    private static let layer = LayerIndex(1)

    /// Eight experts: 0 to 3 on host 0, 3 to 6 on host 1, 7 local.
    private static let peers = ExpertPeers(
        ExpertDistribution(shards: [
            [ShardPart(layers: 1..<2, experts: 0..<4)],
            [ShardPart(layers: 1..<2, experts: 3..<7)],
        ]), layers: [1], expertCounts: [0, 8])

    private static func demand(_ experts: [Int]) -> ExpertDemand {
        let choice = ExpertChoice(
            slotCount: 2, experts: experts, weights: experts.map { Float($0) })
        return ExpertDemand(
            layer: layer, choice: choice, slots: experts.indices.filter { experts[$0] != 7 })
    }

    @Test func everyHostIsAskedOnceForTheRowsThatNeedIt() {
        let requests = Self.peers.requests(for: Self.demand([0, 1, 2, 5, 6, 7]))
        #expect(
            requests == [
                ExpertRequest(
                    host: 0, rows: [0, 1], choiceCounts: [2, 1], experts: [0, 1, 2],
                    slots: [0, 1, 2]),
                ExpertRequest(
                    host: 1, rows: [1, 2], choiceCounts: [1, 1], experts: [5, 6], slots: [3, 4]),
            ])
    }

    @Test func anExpertOfSeveralHostsGoesToTheOneWithFewestRows() {
        let toSecond = Self.peers.requests(for: Self.demand([0, 3, 1, 3, 3, 4]))
        #expect(toSecond.map(\.experts) == [[0, 1], [3, 3, 3, 4]])
        let toFirst = Self.peers.requests(for: Self.demand([3, 4, 5, 6]))
        #expect(toFirst.map(\.experts) == [[3], [4, 5, 6]])
        let amongEquals = Self.peers.requests(for: Self.demand([3, 7]))
        #expect(amongEquals.map(\.host) == [0])
    }
}
