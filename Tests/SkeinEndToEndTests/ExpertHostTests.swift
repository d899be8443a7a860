import Foundation
import Logging
import SkeinCluster
import SkeinCoordinator
import SkeinCore
import SkeinTelemetry
import SkeinWeights
import Testing

/// Experts on other hosts: the bytes of one process, however the experts lie.
@Suite(.serialized) struct ExpertHostTests {
    /// How experts lie, by host.
    struct Lie: CustomTestStringConvertible, Sendable {
        let testDescription: String
        var nodeCount = 1
        var kind = PlacementKind.linear
        var threadCount = 1
        var stepsAtOnce = 2
        var hopForm = RowForm.bf16
        var dispatchForm = RowForm.bf16
        var latentForm = LatentForm.bf16
        /// Ranges of experts of every MoE layer, by host.
        var experts: [[Range<Int>]] = []
    }

    static let lies: [Lie] = [
        Lie(testDescription: "all on one host", experts: [[0..<16]]),
        Lie(testDescription: "some on one host", threadCount: 2, experts: [[5..<7, 9..<16]]),
        Lie(
            testDescription: "three uneven hosts", nodeCount: 2,
            experts: [[0..<9], [9..<10], [10..<16]]),
        Lie(
            testDescription: "hot experts on two of three hosts", nodeCount: 2, threadCount: 2,
            experts: [[0..<8], [4..<12], [6..<7, 12..<15]]),
        Lie(
            testDescription: "a V and three hosts", nodeCount: 2, kind: .vfold,
            experts: [[0..<6, 14..<15], [6..<14], [2..<3, 15..<16]]),
        Lie(
            testDescription: "a V of three nodes and one host", nodeCount: 3, kind: .vfold,
            threadCount: 2, experts: [[1..<16]]),
        Lie(
            testDescription: "one step at a time", nodeCount: 2, stepsAtOnce: 1,
            experts: [[0..<16], [3..<9]]),
        Lie(
            testDescription: "four steps at a time", nodeCount: 1, stepsAtOnce: 4,
            experts: [[0..<16], [3..<9]]),
    ]

    /// What a client of one prompt sees: its logits, and the tokens that follow greedily.
    private struct Answer: Equatable {
        var logits: [UInt8] = []
        var tokens: [TokenID] = []
    }

    private static func layout(_ lie: Lie) throws -> ClusterLayout {
        let model = try Checkpoint.open(SkeinProgram.gosling).configuration
        let layers = RangeSet(
            model.layerIsMixture.indices.filter { model.layerIsMixture[$0] }.map { $0..<$0 + 1 }
        ).ranges
        var layout = ClusterLayout(
            nodeCount: lie.nodeCount, kind: lie.kind, threadCount: lie.threadCount,
            serving: ServingSettings(positionCount: 256, sequenceCount: 8))
        if !lie.experts.isEmpty {
            layout.shards = lie.experts.map { ranges in
                layers.flatMap { layers in
                    ranges.map { ShardPart(layers: layers, experts: $0) }
                }
            }
        }
        layout.serving.stepsAtOnce = lie.stepsAtOnce
        layout.serving.hopForm = lie.hopForm
        layout.serving.dispatchForm = lie.dispatchForm
        layout.serving.latentForm = lie.latentForm
        return layout
    }

    /// Five prompts at once, so that several micro-batches are on their way; the longest crosses
    /// pages in chunks.
    private static func answers(_ lie: Lie) async throws -> [Answer] {
        let cluster = try await EmbeddedCluster.start(
            model: SkeinProgram.gosling, layout: try layout(lie), softwareVersion: "test",
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        do {
            let answers = try await withThrowingTaskGroup(of: (Int, Answer).self) { prompts in
                for number in 0..<5 {
                    prompts.addTask { (number, try await answer(number, of: cluster)) }
                }
                var answers = [Answer](repeating: Answer(), count: 5)
                for try await (number, answer) in prompts { answers[number] = answer }
                return answers
            }
            await cluster.stop()
            return answers
        } catch {
            await cluster.stop()
            throw error
        }
    }

    private static func answer(_ number: Int, of cluster: EmbeddedCluster) async throws -> Answer {
        let count = number == 0 ? 150 : 37 + 11 * number
        // The later ones begin like the first: their pages are shared and, in part, copied.
        let request = GenerationRequest(
            promptTokens: (0..<count).map { place in
                let seed = number > 2 && place < 75 ? 0 : number
                return TokenID((place * 97 + seed * 1_013) % 4_096)
            },
            newTokensMax: 12, capture: number < 2 ? .logits : [], chunkRowCount: 40)
        var answer = Answer()
        let (_, events) = try await cluster.coordinator.submit(request)
        for try await event in events {
            switch event {
            case .token(let token): answer.tokens.append(token.token)
            case .captured(let captured) where captured.kind == .logits:
                answer.logits += captured.bytes
            default: break
            }
        }
        return answer
    }

    /// What a process with all experts local answers.
    private static let plain = Task { try await answers(Lie(testDescription: "local")) }

    @Test(arguments: lies)
    func everyAnswerIsThatOfOneProcess(lie: Lie) async throws {
        let plain = try await Self.plain.value
        let found = try await Self.answers(lie)
        #expect(plain[0].logits.count == 161 * 4_096 * 4)
        #expect(plain.allSatisfy { $0.tokens.count == 12 })
        #expect(found == plain)
    }

    /// FP8 rows change the answer a little; that little does not depend on where an expert is.
    @Test func rowsInFP8GiveTheSameAnswerHoweverExpertsLie() async throws {
        let first = try await Self.answers(
            Lie(testDescription: "", dispatchForm: .fp8, experts: [[0..<16]]))
        let second = try await Self.answers(
            Lie(
                testDescription: "", nodeCount: 2, dispatchForm: .fp8,
                experts: [[1..<5], [4..<11]]))
        let exact = try await Self.plain.value
        #expect(first == second)
        #expect(first[0].logits != exact[0].logits)
    }

    /// So do latents in FP8, also where pages are shared and copied.
    @Test func latentsInFP8GiveTheSameAnswerHoweverTheModelLies() async throws {
        let first = try await Self.answers(Lie(testDescription: "", latentForm: .fp8))
        let second = try await Self.answers(
            Lie(
                testDescription: "", nodeCount: 3, kind: .vfold, threadCount: 2, latentForm: .fp8,
                experts: [[0..<9], [9..<16]]))
        let exact = try await Self.plain.value
        #expect(first == second)
        #expect(first[0].logits != exact[0].logits)
    }

    /// Two stages, on two nodes or one, with local or remote experts: the cut decides.
    @Test func hopsInFP8GiveTheSameAnswerHoweverStagesAndExpertsLie() async throws {
        let first = try await Self.answers(
            Lie(testDescription: "", nodeCount: 2, hopForm: .fp8))
        let again = try await Self.answers(
            Lie(testDescription: "", nodeCount: 2, threadCount: 2, hopForm: .fp8))
        let folded = try await Self.answers(
            Lie(testDescription: "", kind: .vfold, hopForm: .fp8))
        let far = try await Self.answers(
            Lie(
                testDescription: "", nodeCount: 2, stepsAtOnce: 3, hopForm: .fp8,
                experts: [[0..<9], [4..<15]]))
        let exact = try await Self.plain.value
        #expect(again == first && folded == first && far == first)
        #expect(first[0].logits != exact[0].logits)
    }

    @Test func theStatusTellsWhatExpertHostsDid() async throws {
        let lie = Lie(testDescription: "", nodeCount: 2, experts: [[0..<9], [9..<16]])
        let cluster = try await EmbeddedCluster.start(
            model: SkeinProgram.gosling, layout: try Self.layout(lie), softwareVersion: "test",
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        _ = try await Self.answer(1, of: cluster)
        let status = await cluster.coordinator.freshStatus()
        await cluster.stop()
        #expect(status.nodes.map(\.name) == ["node0", "node1", "experts0", "experts1"])
        let works = status.nodes.map(\.expertWork)
        #expect(works[0] == nil && works[1] == nil)
        let first = try #require(works[2])
        #expect(first.host == 0 && first.stepCount > 0 && first.rowCount >= first.stepCount)
        #expect(first.choiceCount == first.rowCounts.values.reduce(0, +))
        #expect(first.rowCounts.keys.allSatisfy { $0 < 9 })
        #expect(status.nodes[2].stages.isEmpty && !status.nodes[2].shard.isEmpty)
    }

    /// The point of it all: while one micro-batch waits for experts, the stage computes another.
    @Test func aStageComputesOneMicroBatchWhileAnotherWaits() async throws {
        let lie = Lie(testDescription: "", experts: [[0..<9], [9..<16]])
        let cluster = try await EmbeddedCluster.start(
            model: SkeinProgram.gosling, layout: try Self.layout(lie), softwareVersion: "test",
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await cluster.coordinator.beginTrace()
        // A prompt in four chunks, two of them on their way at a time.
        _ = try await Self.answer(0, of: cluster)
        let trace = try await cluster.coordinator.endTrace()
        await cluster.stop()
        let stage = trace.nodes[1].intervals
        let waits = stage.filter { $0.kind == .waitingCombine }
        let computes = stage.filter { $0.kind == .attention || $0.kind == .experts }
        #expect(!waits.isEmpty && waits.allSatisfy { $0.layer != nil && $0.microBatch != nil })
        #expect(
            waits.contains { wait in
                computes.contains {
                    $0.microBatch != wait.microBatch
                        && $0.startMicroseconds >= wait.startMicroseconds
                        && $0.endMicroseconds <= wait.endMicroseconds
                }
            })
        for host in 0...1 {
            let shard = trace.nodes[2 + host].intervals.filter { $0.kind == .shard }
            #expect(!shard.isEmpty && shard.allSatisfy { $0.lane == .expertHost(host) })
        }
        // Nobody overtakes: at every layer, attention runs in the order of the micro-batches.
        let attention = Dictionary(grouping: computes.filter { $0.kind == .attention }, by: \.layer)
        for (layer, intervals) in attention where layer != nil {
            let order = intervals.sorted { $0.startMicroseconds < $1.startMicroseconds }
                .compactMap(\.microBatch)
            #expect(order == order.sorted())
        }
    }

    @Test(arguments: [
        (["--experts", "17"], "--experts: 17 hosts, the model has 16 experts a layer"),
        (["--experts", "128"], "--experts: expected 0 to 127, found 128"),
    ])
    func tooManyExpertHostsAreRefused(arguments: [String], line: String) async throws {
        let run = try await SkeinProgram.run(
            ["generate", "--model", SkeinProgram.gosling, "--tokens", "1"] + arguments)
        #expect(run.status != 0)
        #expect(run.errors.contains(line), "\(run.errors)")
    }
}
