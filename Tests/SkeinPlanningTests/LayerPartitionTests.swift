import Testing

@testable import SkeinPlanning

@Suite struct LayerPartitionTests {
    /// Layers of uneven cost on hosts of uneven speed and room, from a seed.
    struct Case: CustomStringConvertible, Sendable {
        let seed: UInt64
        let layerCount: Int
        let hostCount: Int

        var description: String { "seed \(seed): \(layerCount) layers, \(hostCount) hosts" }

        private func number(_ place: Int) -> Double {
            var mixed = seed &+ UInt64(place) &* 0x9E37_79B9_7F4A_7C15
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return Double((mixed ^ (mixed >> 31)) >> 40) / Double(1 << 24)
        }

        /// Seconds of a host with some ranges, `nil` where they are more than its room.
        func seconds(_ host: Int, _ ranges: [Range<Int>]) -> Double? {
            var (cost, size) = (0.0, 0.0)
            for layer in ranges.joined() {
                cost += 0.5 + number(layer)
                size += 0.5 + number(100 + layer)
            }
            let speed = 0.5 + 2 * number(200 + host)
            let room = (0.8 + 2.5 * number(300 + host)) * Double(layerCount) / Double(hostCount)
            return size <= room ? cost / speed : nil
        }
    }

    static let cases: [Case] = (1...120).map { seed in
        let layerCount = 2 + seed % 9
        return Case(
            seed: UInt64(seed), layerCount: layerCount, hostCount: 1 + seed % min(layerCount, 5))
    }

    /// All ways to cut layers into ranges that are not empty.
    static func cuts(_ layers: Range<Int>, _ count: Int) -> [[Range<Int>]] {
        guard count > 1 else { return layers.isEmpty ? [] : [[layers]] }
        return layers.dropFirst().flatMap { middle in
            cuts(middle..<layers.upperBound, count - 1).map {
                [layers.lowerBound..<middle] + $0
            }
        }
    }

    private func best(_ all: [[Double]]) -> (longest: Double, sum: Double)? {
        let values = all.map { (longest: $0.max() ?? 0, sum: $0.reduce(0, +)) }
        return values.min { left, right in
            abs(left.longest - right.longest) > 1e-9
                ? left.longest < right.longest : left.sum < right.sum
        }
    }

    /// Layers with which no range may begin; none, and some.
    static let kept: [Set<Int>] = [[], [1, 2, 5]]

    private func mayBe(_ cut: [Range<Int>], keeping inner: Set<Int>) -> Bool {
        !cut.contains { inner.contains($0.lowerBound) }
    }

    @Test(arguments: cases, kept)
    func aCutInALineIsAsGoodAsTheBestOfAll(_ sample: Case, keeping inner: Set<Int>) {
        let found = LayerPartition.linear(
            layerCount: sample.layerCount, hostCount: sample.hostCount, keeping: inner
        ) { sample.seconds($0, [$1]) }
        let all = Self.cuts(0..<sample.layerCount, sample.hostCount).compactMap {
            cut -> [Double]? in
            guard mayBe(cut, keeping: inner) else { return nil }
            let times = cut.indices.compactMap { sample.seconds($0, [cut[$0]]) }
            return times.count == cut.count ? times : nil
        }
        let expected = best(all)
        #expect((found == nil) == (expected == nil))
        guard let found, let expected else { return }
        let times = found.parts.indices.compactMap { sample.seconds($0, [found.parts[$0]]) }
        #expect(abs((times.max() ?? 0) - expected.longest) < 1e-9)
        #expect(abs(times.reduce(0, +) - expected.sum) < 1e-7)
        #expect(abs(found.longest - expected.longest) < 1e-9)
    }

    @Test(arguments: cases, kept)
    func aCutInAVIsAsGoodAsTheBestOfAll(_ sample: Case, keeping inner: Set<Int>) {
        let hostCount = min(sample.hostCount, sample.layerCount / 2)
        guard hostCount >= 1 else { return }
        let found = LayerPartition.folded(
            layerCount: sample.layerCount, hostCount: hostCount, keeping: inner
        ) { sample.seconds($0, [$1.outward, $1.returning]) }
        let all = Self.cuts(0..<sample.layerCount, 2 * hostCount).compactMap {
            cut -> [Double]? in
            guard mayBe(cut, keeping: inner) else { return nil }
            let times = (0..<hostCount).compactMap { host in
                sample.seconds(host, [cut[host], cut[2 * hostCount - 1 - host]])
            }
            return times.count == hostCount ? times : nil
        }
        let expected = best(all)
        #expect((found == nil) == (expected == nil))
        guard let found, let expected else { return }
        let times = found.parts.indices.compactMap {
            sample.seconds($0, [found.parts[$0].outward, found.parts[$0].returning])
        }
        #expect(abs((times.max() ?? 0) - expected.longest) < 1e-9)
        #expect(abs(times.reduce(0, +) - expected.sum) < 1e-7)
    }

    @Test func everyLayerIsHeldOnceAndInOrder() {
        let line = LayerPartition.linear(layerCount: 61, hostCount: 7) { host, layers in
            Double(layers.count) / Double(host + 1)
        }
        #expect(line?.parts.flatMap { Array($0) } == Array(0..<61))
        let fold = LayerPartition.folded(layerCount: 61, hostCount: 7) { host, part in
            Double(part.layerCount) / Double(host + 1)
        }
        let out = fold?.parts.flatMap { Array($0.outward) } ?? []
        let back = fold?.parts.reversed().flatMap { Array($0.returning) } ?? []
        #expect(out + back == Array(0..<61))
    }

    @Test func halvesOfAVAreAsEvenAsTheLayersAllow() {
        let fold = LayerPartition.folded(layerCount: 32, hostCount: 4) { _, part in
            Double(part.layerCount)
        }
        #expect(fold?.parts.allSatisfy { $0.outward.count == 4 && $0.returning.count == 4 } == true)
    }

    @Test func moreHostsThanLayersCannotBeServed() {
        #expect(LayerPartition.linear(layerCount: 3, hostCount: 4) { _, _ in 1 } == nil)
        #expect(LayerPartition.folded(layerCount: 3, hostCount: 2) { _, _ in 1 } == nil)
    }
}
