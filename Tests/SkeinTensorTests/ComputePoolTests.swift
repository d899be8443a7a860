import SkeinTensor
import Testing

@Suite struct ComputePoolTests {
    @Test func manySmallRegionsGiveWhatOneThreadGives() {
        let pool = ComputePool(threadCount: 4)
        let single = ComputePool(threadCount: 1)
        let weight = Fixture.bfloat16(rows: 300, columns: 40)
        let expected = Tensor(rows: 0, columns: 300)
        let output = Tensor(rows: 0, columns: 300)
        for round in 0..<300 {
            let input = Fixture.tensor(rows: 1 + round % 3, columns: 40, seed: UInt64(round))
            MatrixProduct.multiply(input, by: weight, into: expected, on: single)
            MatrixProduct.multiply(input, by: weight, into: output, on: pool)
            #expect(output.packedFloat32() == expected.packedFloat32())
        }
    }

    /// Far more threads than processors: a region that waited for each of them, also for those that
    /// came too late for a tile, would take a turn of the system's scheduler every time.
    @Test(.timeLimit(.minutes(10)))
    func aCrowdedPoolComputesEveryTileAndWaitsForNoIdleThread() {
        let pools = [ComputePool(threadCount: 64), ComputePool(threadCount: 64)]
        let single = ComputePool(threadCount: 1)
        let weight = Fixture.bfloat16(rows: 300, columns: 40)
        let expected = Tensor(rows: 0, columns: 300)
        let output = Tensor(rows: 0, columns: 300)
        for round in 0..<2_000 {
            let input = Fixture.tensor(rows: 1 + round % 3, columns: 40, seed: UInt64(round))
            MatrixProduct.multiply(input, by: weight, into: expected, on: single)
            MatrixProduct.multiply(input, by: weight, into: output, on: pools[round % 2])
            #expect(output.packedFloat32() == expected.packedFloat32())
        }
    }

    @Test func ownersWhoShareAPoolTakeTurns() async {
        let pool = ComputePool(threadCount: 3)
        let weight = Fixture.float8(rows: 130, columns: 200)
        await withTaskGroup(of: [UInt8].self) { group in
            for _ in 0..<6 {
                group.addTask {
                    let input = Fixture.tensor(rows: 4, columns: 200, seed: 3)
                    let output = Tensor(rows: 0, columns: 130)
                    for _ in 0..<50 {
                        MatrixProduct.multiply(input, by: weight, into: output, on: pool)
                    }
                    return output.packedFloat32()
                }
            }
            var results: Set<[UInt8]> = []
            for await result in group { results.insert(result) }
            #expect(results.count == 1)
        }
    }

    @Test func poolsComeAndGo() {
        let weight = Fixture.float32(rows: 64, columns: 8)
        for threadCount in [1, 2, 3, 8, 1, 5] {
            let pool = ComputePool(threadCount: threadCount, isPinned: threadCount == 2)
            #expect(pool.threadCount == threadCount)
            let output = Tensor(rows: 0, columns: 64)
            MatrixProduct.multiply(Tensor(rows: 1, columns: 8), by: weight, into: output, on: pool)
        }
    }
}
