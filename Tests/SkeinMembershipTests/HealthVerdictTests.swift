import SkeinCore
import SkeinMembership
import Testing

@Suite struct HealthVerdictTests {
    /// Two nodes that run, a probe that was answered, and nothing else.
    static func sound() -> HealthSignals {
        var signs = HealthSignals()
        signs.isReady = true
        signs.version = "1.0"
        signs.fingerprint = "f00df00df00df00d"
        signs.nodes = ["a", "b"].map { name in
            var node = HealthSignals.Node(name: name, state: .ready)
            node.silence = .milliseconds(100)
            node.version = "1.0"
            node.fingerprint = signs.fingerprint
            node.memoryAvailableBytes = 8 << 30
            return node
        }
        signs.probe = .answered(.milliseconds(12))
        signs.waitingMax = 10
        return signs
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let level: HealthVerdict.Level
        let codes: [HealthReason.Code]
        let texts: [String]
        let change: @Sendable (inout HealthSignals) -> Void

        init(
            _ title: String, _ level: HealthVerdict.Level, _ codes: HealthReason.Code...,
            reasons: [String] = [],
            change: @escaping @Sendable (inout HealthSignals) -> Void
        ) {
            testDescription = title
            self.level = level
            self.codes = codes
            texts = reasons
            self.change = change
        }
    }

    static let rows: [Row] = [
        Row("nothing wrong", .healthy) { _ in },
        Row("nobody asked for a probe", .healthy) { $0.probe = .none },
        Row("a busy ring that moves", .healthy) { $0.standstill = .seconds(2) },
        Row(
            "a late node", .degraded, .nodeSilent,
            reasons: [
                "node b: has been silent for 2.1 seconds"
            ]
        ) {
            $0.nodes[1].state = .suspect
            $0.nodes[1].silence = .milliseconds(2_100)
        },
        Row(
            "a node whose connection broke", .degraded, .nodeDisconnected, .probeLate,
            reasons: [
                "node b: its connection broke 0.1 seconds ago",
                "the probe has had no answer for 1.0 seconds",
            ]
        ) {
            $0.nodes[1].state = .suspect
            $0.nodes[1].silence = .milliseconds(400)
            $0.nodes[1].brokenFor = .milliseconds(100)
            // It is not late because of others' work.
            $0.probe = .late(.seconds(1))
        },
        Row("a standby", .healthy) {
            $0.nodes[1].isStandby = true
            $0.nodes[1].state = .placed
        },
        Row(
            "a standby that has not come", .degraded, .standbyMissing,
            reasons: [
                "node b: does not stand by, it has not joined"
            ]
        ) {
            $0.nodes[1].isStandby = true
            $0.nodes[1].state = .waiting
        },
        Row(
            "a lost node whose place another has", .degraded, .standbyMissing,
            reasons: [
                "node b: does not stand by: its connection broke"
            ]
        ) {
            $0.nodes[1].isStandby = true
            $0.nodes[1].state = .dead
            $0.nodes[1].trouble = Refusal("node b", "its connection broke")
        },
        Row(
            "another version", .degraded, .versionDiffers,
            reasons: [
                "node a: runs version 0.9, the head runs 1.0"
            ]
        ) {
            $0.nodes[0].version = "0.9"
        },
        Row(
            "another checkpoint", .degraded, .checkpointDiffers,
            reasons: [
                "node a: has the checkpoint beefbeefbeef, the head has f00df00df00d"
            ]
        ) { $0.nodes[0].fingerprint = "beefbeefbeefbeef" },
        Row(
            "little memory", .degraded, .memoryLow,
            reasons: [
                "node a: has 100 MiB of memory left, expected 256 at least"
            ]
        ) { $0.nodes[0].memoryAvailableBytes = 100 << 20 },
        Row(
            "a slow probe", .degraded, .busy,
            reasons: [
                "busy: the probe took 6.0 seconds"
            ]
        ) {
            $0.probe = .answered(.seconds(6))
        },
        Row(
            "a late probe in a ring that moves", .degraded, .busy,
            reasons: [
                "busy: the probe has had no answer for 5.0 seconds"
            ]
        ) {
            $0.probe = .late(.seconds(5))
            $0.standstill = .milliseconds(30)
        },
        Row(
            "a late probe in a ring that does not move", .degraded, .probeLate,
            reasons: [
                "the probe has had no answer for 5.0 seconds; micro-batch 7 is in stage 1 on b"
            ]
        ) {
            $0.probe = .late(.seconds(5))
            $0.standstill = .seconds(5)
            $0.whereabouts = .init(text: "micro-batch 7 is in stage 1 on b", node: "b")
        },
        Row(
            "a full queue", .degraded, .queueFull,
            reasons: [
                "the queue is full: 10 sequences wait"
            ]
        ) {
            $0.waitingCount = 10
        },
        Row(
            "a ring that stands still", .down, .ringStalled,
            reasons: [
                "nothing has moved in the ring for 31.0 seconds: "
                    + "micro-batch 7 has left stage 0 on a"
            ]
        ) {
            $0.probe = .late(.seconds(31))
            $0.standstill = .seconds(31)
            $0.whereabouts = .init(text: "micro-batch 7 has left stage 0 on a", node: "a")
        },
        Row(
            "a failed probe", .down, .probeFailed,
            reasons: [
                "the probe failed: stage 1 on b: no"
            ]
        ) {
            $0.probe = .failed(Refusal("stage 1 on b", "no"))
        },
        Row(
            "a dead node", .down, .nodeDead,
            reasons: [
                "node b: gave no sign of life"
            ]
        ) {
            $0.isReady = false
            $0.nodes[0].state = .placed
            $0.nodes[1].state = .dead
            $0.nodes[1].trouble = Refusal("node b", "gave no sign of life")
        },
        Row(
            "a node that left", .down, .nodeLeft,
            reasons: [
                "node b: has left"
            ]
        ) {
            $0.isReady = false
            $0.nodes[1].state = .left
        },
        Row(
            "a node that is not let in", .down, .nodeRefused,
            reasons: [
                "not let in: node b: has another checkpoint"
            ]
        ) {
            $0.isReady = false
            $0.nodes[1].state = .waiting
            $0.nodes[1].trouble = Refusal("node b", "has another checkpoint")
        },
        Row(
            "a cluster that forms", .loading, .nodeLoading, .nodeAbsent,
            reasons: [
                "node a: has loaded 40 % of its weights",
                "node b: has not joined",
            ]
        ) {
            $0.isReady = false
            $0.nodes[0].state = .loading
            $0.nodes[0].loadedShare = 0.4
            $0.nodes[1].state = .waiting
        },
        Row(
            "a silent node of a cluster that forms", .loading, .nodeSilent,
            reasons: [
                "node b: has been silent for 2.0 seconds"
            ]
        ) {
            $0.isReady = false
            $0.nodes[1].state = .suspect
            $0.nodes[1].silence = .seconds(2)
        },
        Row(
            "a server that drains", .down, .draining,
            reasons: [
                "the server is shutting down"
            ]
        ) { $0.isDraining = true },
        Row(
            "a cluster that has ended", .down, .ended,
            reasons: [
                "cluster x: was shut down"
            ]
        ) {
            $0.ending = Refusal("cluster x", "was shut down")
            $0.nodes[0].state = .dead
        },
    ]

    @Test(arguments: rows)
    func theVerdictFollowsFromTheSigns(row: Row) {
        var signs = Self.sound()
        row.change(&signs)
        let verdict = HealthVerdict(signs)
        #expect(verdict.level == row.level)
        #expect(verdict.reasons.map(\.text) == row.texts)
        #expect(verdict.reasons.map(\.code) == row.codes)
        for reason in verdict.reasons where reason.text.contains("node ") {
            #expect(reason.node.map { reason.text.contains("node \($0): ") } == true)
        }
        #expect(verdict.isServing == (row.level == .healthy || row.level == .degraded))
    }

    @Test func patienceIsAMatterOfChoice() {
        var signs = Self.sound()
        signs.standstill = .seconds(3)
        var patience = HealthPatience()
        patience.stallAfter = .seconds(2)
        #expect(HealthVerdict(signs, patience: patience).level == .down)
    }
}
