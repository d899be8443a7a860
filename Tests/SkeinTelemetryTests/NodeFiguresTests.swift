import SkeinCore
import Testing

@testable import SkeinTelemetry

@Suite struct NodeFiguresTests {
    private static func figures(
        _ state: NodeFigures.State, isJoined: Bool = false, isStandby: Bool = false
    ) -> NodeFigures {
        var figures = NodeFigures(name: "a")
        figures.state = state
        figures.isJoined = isJoined
        figures.isStandby = isStandby
        return figures
    }

    @Test func aNodeIsReadyWhereItHoldsItsPartAndTheHeadIsThere() {
        #expect(Self.figures(.ready, isJoined: true).waitsFor == nil)
        #expect(Self.figures(.waiting, isJoined: true, isStandby: true).waitsFor == nil)
    }

    @Test(arguments: [
        (figures(.waiting), "the head"), (figures(.waiting, isJoined: true), "a place"),
        (figures(.ready), "waits for the head"), (figures(.loading, isJoined: true), "loads"),
        (figures(.left, isJoined: true), "ends"),
        (figures(.waiting, isStandby: true), "the head"),
    ])
    func elseItSaysWhatItWaitsFor(_ figures: NodeFigures, _ words: String) {
        #expect(figures.waitsFor?.contains(words) == true)
    }

    @Test func theBusyShareIsThatOfAllStages() {
        var figures = Self.figures(.ready)
        #expect(figures.busyShare == nil)
        figures.stages = [
            .init(index: StageIndex(0), busySeconds: 1, knownSeconds: 4),
            .init(index: StageIndex(3), busySeconds: 2, knownSeconds: 4),
        ]
        #expect(figures.busyShare == 0.375)
    }
}
