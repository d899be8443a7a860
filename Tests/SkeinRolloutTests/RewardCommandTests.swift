import Foundation
import SkeinCore
import Testing

@testable import SkeinRollout

/// Commands of a real shell judge, and none of them can hold the run up.
@Suite final class RewardCommandTests {
    private let folder: String
    private static let isolation = CommandIsolation.find()

    init() throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "skein-reward-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        self.folder = folder.path()
    }

    deinit {
        // Where it cannot be removed, the system's cleaning of temporary files does it.
        do { try FileManager.default.removeItem(atPath: folder) } catch {}
    }

    private func outcome(
        _ text: String, seconds: Int = 60, memoryBytes: Int = 4 << 30,
        isolation: CommandIsolation = isolation
    ) async throws -> RewardCommand.Outcome {
        let command = RewardCommand(
            text, bounds: .init(time: .seconds(seconds), memoryBytes: memoryBytes),
            isolation: isolation, folder: folder)
        return try await command.outcome(of: .object([.init("answer", .string("4'2 \n"))]))
    }

    @Test(arguments: [
        ("exit 0", 1.0), ("exit 1", 0), ("echo 0.25", 0.25), ("echo -3; exit 1", -3),
        ("echo checking; echo 0.5; echo", 0.5), ("grep -q \"4'2 \"", 1), ("grep -q 43", 0),
    ])
    func anExitCodeOrANumberIsTheReward(_ text: String, _ reward: Double) async throws {
        #expect(try await outcome(text) == .reward(reward))
    }

    @Test(arguments: [
        ("exit 3", "exit code 3"), ("echo wrong proof >&2; exit 2", "exit code 2: wrong proof"),
        ("echo fine", "printed 'fine', expected a number"), ("echo nan", "printed 'nan'"),
    ])
    func whatSaysNothingLeavesTheRewardOut(_ text: String, _ reason: String) async throws {
        guard case .missing(let found) = try await outcome(text) else {
            Issue.record("\(text): has a reward")
            return
        }
        #expect(found.contains(reason))
    }

    @Test func aCommandThatCannotBeRunEndsTheRun() async throws {
        await #expect(throws: Refusal.self) { _ = try await outcome("no-such-checker --fast") }
    }

    @Test(arguments: [
        "while :; do :; done", "cat <&1 >/dev/null; tail -f /dev/null",
        "tail -f /dev/null & tail -f /dev/null", "trap '' TERM INT; tail -f /dev/null",
    ])
    func aCommandThatDoesNotEndIsKilled(_ text: String) async throws {
        #expect(try await outcome(text, seconds: 1) == .missing("took longer than 1 s"))
    }

    @Test(arguments: [true, false])
    func whatACommandLeavesBehindIsKilled(_ isIsolated: Bool) async throws {
        let mark = "skein-\(UUID().uuidString)"
        let command = "(exec -a \(mark) tail -f /dev/null) & exit 0"
        let found = try await outcome(
            "bash -c '\(command)'", isolation: isIsolated ? Self.isolation : .none)
        #expect(found == .reward(1))
        // A killed process may take a moment to be gone; pgrep says when there is none.
        let gone = try await outcome(
            "while pgrep -f ^\(mark) >/dev/null; do :; done", isolation: .none)
        #expect(gone == .reward(1))
    }

    @Test func memoryIsBound() async throws {
        let text =
            "dd if=/dev/zero of=/dev/null bs=1000000000 count=1 2>/dev/null && exit 0; exit 1"
        #expect(try await outcome(text) == .reward(1))
        #expect(try await outcome(text, memoryBytes: 200 << 20) == .reward(0))
    }

    @Test(.enabled(if: isolation.hidesNetwork)) func aCommandReachesNoNetwork() async throws {
        // A new namespace has one interface, its loopback.
        let found = try await outcome("tail -n +3 /proc/net/dev | grep -qv ' *lo:'")
        #expect(found == .reward(0))
    }
}
