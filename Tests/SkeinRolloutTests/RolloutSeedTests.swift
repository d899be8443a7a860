import Testing

@testable import SkeinRollout

@Suite struct RolloutSeedTests {
    private static func seed(_ seed: UInt64, _ prompt: Int, _ completion: Int) -> UInt64 {
        RolloutSeed.of(seed: seed, promptIndex: prompt, completionIndex: completion)
    }

    @Test func seedsOfOneRunDiffer() {
        var seen: Set<UInt64> = []
        for prompt in 0..<200 {
            for completion in 0..<16 { seen.insert(Self.seed(7, prompt, completion)) }
        }
        #expect(seen.count == 200 * 16)
    }

    @Test func aSeedFollowsFromItsPlaceAlone() {
        // Stored: a file that was begun by one version is gone on with by the next.
        #expect(Self.seed(0, 0, 0) == 1_249_383_295_688_599)
        #expect(Self.seed(7, 3, 11) == 3_933_223_063_780_263)
        #expect(Self.seed(7, 3, 11) != Self.seed(8, 3, 11))
        #expect(Self.seed(7, 3, 11) != Self.seed(7, 11, 3))
    }

    @Test func aSeedIsExactInADouble() {
        #expect((0..<1_000).allSatisfy { Self.seed(.max, $0, $0) < 1 << 53 })
    }
}
