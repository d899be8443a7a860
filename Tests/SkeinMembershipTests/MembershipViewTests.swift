import SkeinCore
import SkeinMembership
import Testing

@Suite struct MembershipViewTests {
    static func report(
        _ name: String, version: String = "1.0", wire: UInt32 = 1, fingerprint: String = "f00d",
        incarnation: UInt64 = 1, epoch: Epoch = .none
    ) -> NodeReport {
        NodeReport(
            name: name, version: version, wireVersion: wire, fingerprint: fingerprint,
            incarnation: incarnation, epoch: epoch)
    }

    static func placement(_ names: String...) throws -> Placement {
        try Placement(
            kind: .linear, nodes: names.map { NodeShare(name: $0) }, layerCount: 8)
    }

    /// Two nodes and a standby, everyone's patience 300 ms and 1 s.
    static func view() throws -> MembershipView {
        MembershipView(
            placement: try placement("a", "b"), standbys: ["c"], reference: report("head"),
            patience: FailureDetector.Patience(heartbeat: .milliseconds(100)))
    }

    /// A view in which both nodes run since time zero.
    static func ready() throws -> MembershipView {
        var view = try view()
        for name in ["a", "b"] { _ = view.onHello(report(name), now: .zero) }
        for name in ["a", "b"] { _ = view.onReady(name, epoch: view.epoch, now: .zero) }
        return view
    }

    @Test func slicesAreToldWhenEveryoneIsHereAndWorkBeginsWhenEveryoneIsReady() throws {
        var view = try Self.view()
        let epoch = Epoch(rawValue: 1)
        #expect(view.missing == ["a", "b"])
        #expect(view.onHello(Self.report("a"), now: .zero) == [.welcome("a")])
        #expect(
            view.onHello(Self.report("b"), now: .zero)
                == [.welcome("b"), .placed(epoch, view.placement)])
        #expect(view.onLoading("a", epoch: epoch, share: 0.5, now: .zero).isEmpty)
        #expect(view.nodes["a"]?.state == .loading && view.nodes["a"]?.loadedShare == 0.5)
        #expect(view.onReady("a", epoch: epoch, now: .zero).isEmpty)
        #expect(view.onReady("b", epoch: epoch, now: .zero) == [.allReady(epoch)])
        #expect(view.onReady("b", epoch: epoch, now: .zero).isEmpty && view.isReady)
    }

    @Test func aStandbyIsWelcomeAndChangesNothing() throws {
        var view = try Self.ready()
        #expect(view.onHello(Self.report("c"), now: .zero) == [.welcome("c")])
        #expect(view.standbys == ["c"] && view.isReady && view.epoch.rawValue == 1)
    }

    @Test(arguments: [
        (report("x"), "node x: is not in this cluster; its nodes are a, b, c"),
        (report("a", wire: 7), "node a: speaks wire version 7, head speaks 1"),
        (
            report("a", fingerprint: "beef"),
            "node a: has a checkpoint with fingerprint beef, head has f00d"
        ),
    ])
    func whoDoesNotBelongIsRefusedWithBothValues(_ report: NodeReport, _ line: String) throws {
        var view = try Self.view()
        let directives = view.onHello(report, now: .zero)
        guard case .refuse(let name, let refusal) = directives.first else {
            Issue.record("\(directives)")
            return
        }
        #expect(directives.count == 1 && name == report.name && refusal.description == line)
        #expect(view.nodes["a"]?.state == .waiting)
    }

    @Test func versionsThatAreOneStepApartWorkTogether() throws {
        var view = try Self.view()
        let report = Self.report("a", version: "2.0", wire: 2)
        #expect(view.onHello(report, now: .zero) == [.welcome("a")])
        #expect(view.isHere("a"))
    }

    @Test func nodesThatDoNotUnderstandEachOtherDoNotJoinBoth() throws {
        var view = MembershipView(
            placement: try Self.placement("a", "b"), reference: Self.report("head", wire: 2))
        _ = view.onHello(Self.report("a", wire: 1), now: .zero)
        #expect(
            view.onHello(Self.report("b", wire: 3), now: .zero) == [
                .refuse(
                    "b", Refusal("node b", "speaks wire version 3, a speaks 1"))
            ])
        // It may come once the other is of a version that it understands.
        #expect(view.onHello(Self.report("b", wire: 2), now: .zero).count == 2)
    }

    @Test func aNameWithControlCharactersStaysOneLine() throws {
        var view = try Self.view()
        let directives = view.onHello(Self.report("a\nb"), now: .zero)
        guard case .refuse(_, let refusal) = directives.first else {
            Issue.record("\(directives)")
            return
        }
        #expect(!refusal.description.contains("\n"))
    }

    @Test func aSecondHelloOfTheSameProcessIsAnsweredAgain() throws {
        var view = try Self.ready()
        #expect(
            view.onHello(Self.report("a"), now: .zero)
                == [.welcome("a"), .placed(Epoch(rawValue: 1), view.placement)])
        #expect(view.isReady)
    }

    @Test func aSlowNodeIsSuspectedAndRecoversWithoutANewEpoch() throws {
        var view = try Self.ready()
        _ = view.onAlive("a", now: .milliseconds(390))
        #expect(
            view.onTick(now: .milliseconds(400)) == [.suspect("b", silence: .milliseconds(400))])
        #expect(view.onTick(now: .milliseconds(410)).isEmpty && view.isReady)
        #expect(view.onAlive("b", now: .milliseconds(420)) == [.recovered("b")])
        #expect(view.nodes["b"]?.state == .ready && view.epoch.rawValue == 1)
    }

    @Test func aSilentNodeDiesOnceAndItsSignsNoLongerCount() throws {
        var view = try Self.ready()
        _ = view.onAlive("a", now: .milliseconds(990))
        let directives = view.onTick(now: .seconds(1))
        #expect(
            directives == [
                .dead(
                    "b",
                    Refusal(
                        "node b",
                        "gave no sign of life for 1.0 seconds, expected one every 0.1 seconds"))
            ])
        #expect(!view.isReady && view.missing == ["b"])
        #expect(view.onTick(now: .milliseconds(1_001)).isEmpty)
        #expect(view.onAlive("b", now: .milliseconds(1_002)).isEmpty)
        #expect(view.onReady("b", epoch: view.epoch, now: .milliseconds(1_003)).isEmpty)
    }

    /// A machine that was suspended, or far too busy, ran its ticks late and then called everybody
    /// dead, though it was the one who had not listened.
    @Test func timeInWhichNobodyListenedIsNoOnesSilence() throws {
        var view = try Self.ready()
        _ = view.onTick(now: .milliseconds(100))
        for name in ["a", "b"] { _ = view.onAlive(name, now: .milliseconds(100)) }
        #expect(view.onTick(now: .seconds(60)).isEmpty && view.isReady)
        let end = Duration.seconds(61)
        var directives: [MembershipDirective] = []
        for tick in stride(from: 600, through: 612, by: 1) {
            directives += view.onTick(now: .milliseconds(tick * 100))
        }
        // From then on its silence counts like anybody's.
        #expect(directives.contains { if case .dead("a", _) = $0 { true } else { false } })
        #expect(view.silence(of: "a", now: end) == nil)
    }

    @Test func aDeadNodeThatComesBackOpensANewEpoch() throws {
        var view = try Self.ready()
        _ = view.onLost("b", Refusal("node b", "link broken"))
        let back = view.onHello(Self.report("b", incarnation: 2), now: .seconds(2))
        let epoch = Epoch(rawValue: 2)
        #expect(back == [.welcome("b"), .placed(epoch, view.placement)])
        #expect(view.nodes["a"]?.state == .placed && !view.isReady)
        // A report of the epoch before does not count.
        #expect(view.onReady("a", epoch: Epoch(rawValue: 1), now: .seconds(2)).isEmpty)
        #expect(view.nodes["a"]?.state == .placed)
        _ = view.onReady("a", epoch: epoch, now: .seconds(2))
        #expect(view.onReady("b", epoch: epoch, now: .seconds(2)) == [.allReady(epoch)])
    }

    @Test func aNodeThatWasStartedAgainHasLostItsCache() throws {
        var view = try Self.ready()
        let directives = view.onHello(Self.report("b", incarnation: 9), now: .seconds(1))
        #expect(
            directives == [
                .dead("b", Refusal("node b", "was started again and has lost its cache")),
                .welcome("b"), .placed(Epoch(rawValue: 2), view.placement),
            ])
        #expect(!view.isReady)
    }

    @Test func aRestartIsNotedBeforeTheNewProcessIsWelcomed() throws {
        var view = try Self.ready()
        #expect(view.onRestart(Self.report("b")).isEmpty)
        #expect(view.onRestart(Self.report("x", incarnation: 9)).isEmpty)
        // Who would be refused anyway cannot push a living node out.
        #expect(view.onRestart(Self.report("b", wire: 7, incarnation: 9)).isEmpty)
        let reason = Refusal("node b", "was started again and has lost its cache")
        #expect(view.onRestart(Self.report("b", incarnation: 9)) == [.dead("b", reason)])
        #expect(view.missing == ["b"] && !view.isReady)
    }

    @Test func aBrokenConnectionIsSuspiciousAtOnceAndDeathWithoutASign() throws {
        var view = try Self.ready()
        #expect(
            view.onLinkBroken("b", now: .milliseconds(50))
                == [.suspect("b", silence: .milliseconds(50))])
        #expect(view.onLinkBroken("b", now: .milliseconds(60)).isEmpty)
        for name in ["a", "c"] { _ = view.onAlive(name, now: .milliseconds(400)) }
        #expect(view.onTick(now: .milliseconds(449)).isEmpty && view.isReady)
        let reason = Refusal(
            "node b", "its connection broke, and it gave no sign of life for 0.4 seconds")
        #expect(view.onTick(now: .milliseconds(450)) == [.dead("b", reason)])
        #expect(view.onLinkBroken("b", now: .milliseconds(460)).isEmpty)
    }

    @Test func aNodeThatIsConnectedAgainHasOnlyBeenSuspected() throws {
        var view = try Self.ready()
        _ = view.onLinkBroken("b", now: .milliseconds(50))
        #expect(view.onAlive("b", now: .milliseconds(300)) == [.recovered("b")])
        _ = view.onAlive("a", now: .milliseconds(300))
        #expect(view.onTick(now: .milliseconds(500)).isEmpty)
        #expect(view.isReady && view.epoch.rawValue == 1)
        #expect(view.silence(of: "b", now: .milliseconds(500)) == .milliseconds(200))
        #expect(view.silence(of: "c", now: .milliseconds(500)) == nil)
    }

    /// A killed process was waited for like one behind a network that stumbles.
    @Test func whereNobodyListensAfterABreakTheProcessIsGone() throws {
        var view = try Self.ready()
        #expect(view.onNotReached("b").isEmpty, "its connection is whole")
        _ = view.onLinkBroken("b", now: .milliseconds(50))
        #expect(view.onNotReached("b").isEmpty)
        // A connection that blinked and came back counts again from the first.
        #expect(view.onAlive("b", now: .milliseconds(100)) == [.recovered("b")])
        _ = view.onLinkBroken("b", now: .milliseconds(150))
        #expect(view.onNotReached("b").isEmpty && view.isReady)
        let reason = Refusal("node b", "its connection broke, and nobody listens there")
        #expect(view.onNotReached("b") == [.dead("b", reason)])
        #expect(view.onNotReached("b").isEmpty && view.missing == ["b"])
    }

    @Test func aStandbyTakesThePlaceOfADeadNode() throws {
        var view = try Self.ready()
        _ = view.onHello(Self.report("c"), now: .zero)
        _ = view.onLost("b", Refusal("node b", "link broken"))
        let placement = try Self.placement("a", "c")
        let epoch = Epoch(rawValue: 2)
        #expect(view.onPlacement(placement) == [.placed(epoch, placement)])
        _ = view.onReady("a", epoch: epoch, now: .zero)
        #expect(view.onReady("c", epoch: epoch, now: .zero) == [.allReady(epoch)])
        // The lost node may come back as a standby.
        #expect(view.onHello(Self.report("b", incarnation: 2), now: .zero) == [.welcome("b")])
        #expect(view.standbys == ["b"] && view.isReady && view.epoch == epoch)
    }

    @Test func nodesThatWereHereAndAreGoneAreLostAndStandbysThatHaveComeAreFree() throws {
        var view = MembershipView(
            placement: try Self.placement("a", "b"), standbys: ["c", "d", "e"],
            reference: Self.report("head"))
        for name in ["a", "b", "d", "e"] { _ = view.onHello(Self.report(name), now: .zero) }
        #expect(view.lost.isEmpty)
        _ = view.onLost("b", Refusal("node b", "is gone"))
        #expect(view.lost == ["b"] && view.standbys == ["d", "e"], "c has not come")
        _ = view.onLeave("a")
        #expect(view.lost == ["a", "b"])
    }

    @Test func aNodeThatHasNotComeYetIsNotLost() throws {
        var view = try Self.view()
        for name in ["a", "c"] { _ = view.onHello(Self.report(name), now: .zero) }
        #expect(view.missing == ["b"] && view.lost.isEmpty)
        #expect(view.unplaced == ["c"])
    }

    /// Nodes drop what is of an older epoch than their own, so it must be counted on.
    @Test func aCoordinatorThatWasStartedAgainCountsOnFromWhatNodesHold() throws {
        var view = try Self.view()
        let held = Epoch(rawValue: 7)
        // Its predecessor may have told placements of which no node that is here knows.
        let next = held.afterUnknown
        #expect(view.onHello(Self.report("b", epoch: held), now: .zero) == [.welcome("b")])
        #expect(
            view.onHello(Self.report("a"), now: .zero)
                == [.welcome("a"), .placed(next, view.placement)])
        _ = view.onReady("a", epoch: next, now: .zero)
        #expect(view.onReady("b", epoch: next, now: .zero) == [.allReady(next)])
        // A standby that was cut off meanwhile may have been told of more.
        let later = next.next
        #expect(view.onHello(Self.report("c", epoch: later), now: .zero) == [.welcome("c")])
        #expect(view.isReady && view.epoch == next)
        _ = view.onLost("b", Refusal("node b", "is gone"))
        let placement = try Self.placement("a", "c")
        #expect(view.onPlacement(placement) == [.placed(later.afterUnknown, placement)])
    }

    @Test func anEpochThatCannotBeIsRefused() throws {
        var view = try Self.view()
        let beyond = Limits.epochMax.next
        let directives = view.onHello(Self.report("a", epoch: beyond), now: .zero)
        guard case .refuse("a", let refusal) = directives.first else {
            Issue.record("\(directives)")
            return
        }
        #expect(refusal.reason.hasPrefix("holds slices of epoch 281474976710657, expected"))
    }

    @Test func aNodeMayLeave() throws {
        var view = try Self.ready()
        #expect(view.onLeave("a") == [.left("a")])
        #expect(view.onLeave("a").isEmpty && view.onLeave("nobody").isEmpty)
        #expect(view.nodes["a"]?.state == .left && !view.isReady)
    }
}
