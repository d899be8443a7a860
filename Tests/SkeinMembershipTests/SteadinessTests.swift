import SkeinMembership
import Testing

@Suite struct SteadinessTests {
    @Test func theFirstDeathIsAnAccidentAndEachFurtherOneCostsTwiceThePause() {
        var node = Steadiness()
        node.onDeath(now: .seconds(100))
        #expect(!node.isKeptOut(now: .seconds(100)))
        node.onDeath(now: .seconds(200))
        #expect(node.isKeptOut(now: .seconds(259)) && !node.isKeptOut(now: .seconds(260)))
        node.onDeath(now: .seconds(300))
        #expect(node.keptOutUntil == .seconds(420))
        for _ in 0..<40 { node.onDeath(now: .seconds(400)) }
        #expect(node.keptOutUntil == .seconds(400 + 960), "it is bounded")
    }

    @Test func aQuietTimeForgetsEverything() {
        var node = Steadiness()
        for time in [0, 10, 20] { node.onDeath(now: .seconds(time)) }
        node.onDeath(now: .seconds(20 + 1_800))
        #expect(!node.isKeptOut(now: .seconds(1_820)))
        node.onDeath(now: .seconds(1_830))
        #expect(node.keptOutUntil == .seconds(1_890))
    }

    @Test func whoCannotLoadIsKeptOutFromTheFirstTime() {
        var node = Steadiness()
        node.onLoadFault(now: .seconds(5))
        #expect(node.keptOutUntil == .seconds(65))
        node.onLoadFault(now: .seconds(70))
        #expect(node.keptOutUntil == .seconds(190))
    }
}
