import Foundation
import SkeinCore
import SkeinMembership
import Testing

@testable import SkeinCoordinator

@Suite struct FailoverStateTests {
    private static func state() throws -> FailoverState {
        let file = FakeCluster.gosling.appending(path: "config.json")
        let configuration = try ModelConfiguration(json: Array(try Data(contentsOf: file)))
        return FailoverState(
            CoordinatorSettings(
                clusterName: "test", configuration: configuration, fingerprint: "f00d",
                placement: try FailoverPlanTests.placement(["a", "b"]),
                serving: ServingSettings(positionCount: 512, pageCount: 24),
                softwareVersion: "test"))
    }

    @Test func aNodeIsOverdueTenSecondsAfterItsLossUntilItIsBack() throws {
        var state = try Self.state()
        state.onLoss("b", isDeath: true, now: .seconds(100))
        #expect(!state.member("b", now: .seconds(109)).isOverdue)
        #expect(state.member("b", now: .seconds(110)).isOverdue)
        state.onArrival("b", now: .seconds(111))
        let member = state.member("b", now: .seconds(112))
        #expect(!member.isOverdue && !member.isSteady && !member.isKeptOut)
        #expect(state.member("b", now: .seconds(141)).isSteady)
    }

    @Test func whoDiesAgainIsKeptOutAndWhoLeavesIsNot() throws {
        for isDeath in [true, false] {
            var state = try Self.state()
            for time in [0, 60] { state.onLoss("b", isDeath: isDeath, now: .seconds(time)) }
            #expect(state.isKeptOut("b", now: .seconds(61)) == isDeath)
        }
    }

    @Test func aNodeThatCannotLoadIsNewsOnceForEachPlacement() throws {
        var state = try Self.state()
        let answers = (0..<2).map { _ in state.onLoadFault("b", now: .zero) }
        #expect(answers == [true, false])
        #expect(state.member("b", now: .zero).hasFailed && state.isKeptOut("b", now: .zero))
        state.onPlacement()
        #expect(!state.member("b", now: .zero).hasFailed)
        let isNews = state.onLoadFault("b", now: .seconds(1))
        #expect(isNews)
        state.onLoaded("b")
        #expect(!state.member("b", now: .seconds(1)).hasFailed)
    }

    @Test func slicesGoBackInAQuietMoment() throws {
        var state = try Self.state()
        func may(_ isIdle: Bool, _ isPossible: Bool, _ time: Int) -> Bool {
            state.mayImprove(isIdle: isIdle, isPossible: isPossible, now: .seconds(time))
        }
        #expect(!may(true, true, 0) && !may(true, true, 4))
        #expect(!may(false, true, 5) && !may(true, true, 6))
        #expect(!may(true, false, 20) && may(true, true, 21))
    }

    @Test func underLoadSlicesGoBackLaterAndOnlyIfThePauseIsShort() throws {
        for pause in [10, 20] {
            var state = try Self.state()
            state.onForming(Epoch(rawValue: 2), now: .zero)
            state.onForming(Epoch(rawValue: 2), now: .seconds(pause - 1))
            state.onReady(now: .seconds(pause))
            var answers: [Bool] = []
            for time in [100, 699, 700] {
                answers.append(
                    state.mayImprove(isIdle: false, isPossible: true, now: .seconds(time)))
            }
            #expect(answers == [false, false, pause == 10])
        }
    }
}
