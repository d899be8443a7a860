import SkeinCore
import Testing

@Suite struct ExpertDistributionTests {
    /// Layers 1 to 3 of eight experts: half on host 0, expert 3 on both, the last two of layer 3
    /// on host 1 and elsewhere with their stage.
    private static let distribution = ExpertDistribution(shards: [
        [ShardPart(layers: 1..<4, experts: 0..<4)],
        [ShardPart(layers: 1..<4, experts: 3..<6), ShardPart(layers: 3..<4, experts: 6..<8)],
    ])
    private static let counts = [0, 8, 8, 8]

    @Test func whatNoShardNamesStaysLocal() {
        #expect(Self.distribution.localRanges(of: 1, expertCount: 8, host: nil) == [6..<8])
        #expect(Self.distribution.localRanges(of: 3, expertCount: 8, host: nil) == [])
        #expect(Self.distribution.localRanges(of: 0, expertCount: 8, host: nil) == [0..<8])
    }

    @Test func theOwnShardIsLocalToo() {
        #expect(Self.distribution.localRanges(of: 1, expertCount: 8, host: 1) == [3..<8])
        #expect(Self.distribution.localRanges(of: 2, expertCount: 8, host: 0) == [0..<4, 6..<8])
    }

    @Test func anExpertMayHaveSeveralHolders() {
        let holders = Self.distribution.holders(of: 2, expertCount: 8)
        #expect(holders == [[0], [0], [0], [0, 1], [1], [1], [], []])
    }

    @Test func partsOfALayerThatTouchAreOneRange() {
        #expect(Self.distribution.ranges(of: 3, on: 1) == [3..<8])
        #expect(Self.distribution.ranges(of: 2, on: 1) == [3..<6])
    }

    @Test func aNodeHoldsItsSlicesWithoutWhatIsElsewhereAndItsShard() {
        let slice = Slice(layers: 0..<2, holdsEmbedding: true, holdsHead: false)
        let stage = Self.distribution.held(
            slices: [slice], host: nil, expertCounts: Self.counts)
        #expect(stage.ranges == [1: [6..<8]])
        let both = Self.distribution.held(slices: [slice], host: 0, expertCounts: Self.counts)
        #expect(both.ranges == [1: [0..<4, 6..<8], 2: [0..<4], 3: [0..<4]])
        let host = Self.distribution.held(slices: [], host: 1, expertCounts: Self.counts)
        #expect(host.ranges == [1: [3..<6], 2: [3..<6], 3: [3..<8]])
    }

    @Test func aLayerWithAllItsExpertsIsNotSpokenOf() {
        let slice = Slice(layers: 0..<4, holdsEmbedding: true, holdsHead: true)
        let none = ExpertDistribution(shards: [])
        #expect(none.held(slices: [slice], host: nil, expertCounts: Self.counts).ranges.isEmpty)
    }
}
