import Testing

@testable import SkeinStage

/// The thread that computes for stages: in what order it runs what it is given.
@Suite struct ComputeThreadTests {
    private actor PartByPart {
        private let thread = ComputeThread(name: "worker")
        private var log: [String] = []

        nonisolated var unownedExecutor: UnownedSerialExecutor {
            thread.asUnownedSerialExecutor()
        }

        private func note(_ line: String) { log.append(line) }

        /// Works in two parts, and lets those go between them who have come meanwhile.
        func work() async -> [String] {
            note("a part")
            let others = ["one", "another"].map { line in Task { note(line) } }
            await Task.yield()
            note("the next part")
            for other in others { await other.value }
            return log
        }
    }

    @Test func whoGivesWayGoesOnBehindThoseWhoWereReady() async {
        #expect(await PartByPart().work() == ["a part", "one", "another", "the next part"])
    }
}
