import Foundation
import SkeinCore
import Testing

@testable import SkeinRollout

/// A file holds the beginning of what its run writes, whenever the run breaks off.
@Suite final class RolloutFileTests {
    private let path: String

    private static let settings = RolloutSettings([
        .init("seed", .integer(7)), .init("temperature", .number("0.5")),
    ])

    init() throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "skein-rollout-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        path = folder.appending(path: "out.jsonl").path()
    }

    deinit {
        let folder = URL(filePath: path).deletingLastPathComponent()
        // Where it cannot be removed, the system's cleaning of temporary files does it.
        do { try FileManager.default.removeItem(at: folder) } catch {}
    }

    private func open(
        _ settings: RolloutSettings = settings, promptCount: Int = 3
    ) throws -> RolloutFile {
        try RolloutFile(
            path: path, settings: settings, completionCount: 2, promptCount: promptCount)
    }

    /// Two completions of a prompt, whose texts need escapes.
    private static func completions(_ promptIndex: Int) -> [RolloutCompletion] {
        (0..<2).map { index in
            var completion = RolloutCompletion(
                promptIndex: promptIndex, completionIndex: index, prompt: .string("a\n\"b\""),
                completion: .string("}\n{\"prompt_index\":0"), promptTokens: [1, 2], tokens: [3],
                logprobs: [-0.5], finishReason: .length, seed: 9)
            completion.reward = index == 0 ? 1 : nil
            completion.advantage = completion.reward.map { _ in 0 }
            return completion
        }
    }

    private func write(_ prompts: Range<Int>) async throws {
        let file = try open()
        for prompt in prompts { try await file.append(Self.completions(prompt)) }
    }

    private var bytes: [UInt8] {
        get throws { Array(try Data(contentsOf: URL(filePath: path))) }
    }

    private func expectRefusal(_ wanted: String, _ attempt: () throws -> RolloutFile) {
        #expect {
            _ = try attempt()
        } throws: { error in
            "\(error)".contains(wanted)
        }
    }

    @Test func aLineHasTheFieldsThatTrainersRead() throws {
        let line = Self.completions(4)[1].line
        let value = try JSONValue(parsing: line, subject: "line")
        #expect(
            value.members?.map(\.name) == [
                "prompt_index", "completion_index", "prompt", "completion", "prompt_ids",
                "completion_ids", "logprobs", "finish_reason", "reward", "advantage", "seed",
            ])
        #expect(value["prompt"]?.string == "a\n\"b\"")
        #expect(value["completion"]?.string == "}\n{\"prompt_index\":0")
        #expect(value["logprobs"]?.array?.first?.double == -0.5)
        #expect(value["reward"] == .null)
        #expect(line.hasSuffix("}\n") && line.dropLast().allSatisfy { !$0.isNewline })
    }

    @Test func aRunGoesOnBehindTheLastWholePromptWhereverItBroke() async throws {
        try await write(0..<3)
        let whole = try bytes
        let ends = whole.indices.filter { whole[$0] == UInt8(ascii: "\n") }.map { $0 + 1 }
        for count in 0...whole.count {
            try Data(whole.prefix(count)).write(to: URL(filePath: path))
            let file = try open()
            let wanted = ends.count { $0 <= count } / 2
            #expect(file.foundPromptCount == wanted, "cut at \(count)")
            for prompt in wanted..<3 { try await file.append(Self.completions(prompt)) }
            #expect(try bytes == whole, "cut at \(count)")
        }
    }

    @Test func whatADiskLeftOfTheLastPromptIsCutOff() async throws {
        try await write(0..<2)
        let whole = try bytes
        let ends = whole.indices.filter { whole[$0] == UInt8(ascii: "\n") }.map { $0 + 1 }
        // The lines have their places, and zeros in them.
        var damaged = whole
        for place in ends[1]..<whole.count where whole[place] != UInt8(ascii: "\n") {
            damaged[place] = 0
        }
        try Data(damaged).write(to: URL(filePath: path))
        let file = try open()
        #expect(file.foundPromptCount == 1)
        #expect(file.cutByteCount == whole.count - ends[1])
    }

    @Test func aFileThatIsDamagedInTheMiddleIsRefused() async throws {
        try await write(0..<3)
        var damaged = try bytes
        damaged[3] = UInt8(ascii: "?")
        try Data(damaged).write(to: URL(filePath: path))
        expectRefusal("line 1: is not the line") { try open() }
        #expect(try bytes == damaged)
    }

    @Test func anotherRunDoesNotGoOn() async throws {
        try await write(0..<1)
        let before = try bytes
        let other = RolloutSettings([
            .init("seed", .integer(7)), .init("temperature", .number("1.0")),
        ])
        expectRefusal("temperature: the file was begun with 0.5, found 1.0") { try open(other) }
        expectRefusal("top_p: the file was begun with none, found 1") {
            try open(RolloutSettings([.init("top_p", .integer(1))]))
        }
        #expect(try bytes == before)
    }

    @Test func aFileThatIsSomebodyElsesIsLeftAlone() throws {
        try Data("{}\n".utf8).write(to: URL(filePath: path))
        expectRefusal("is in the way") { try open() }
        #expect(try bytes == Array("{}\n".utf8))
    }

    @Test func anEmptyFileTakesTheSettingsOfTheRunThatBegins() throws {
        _ = try open(RolloutSettings([.init("seed", .integer(1))]))
        let file = try open()
        #expect(file.foundPromptCount == 0)
        expectRefusal("is being written by another run") { try open() }
        withExtendedLifetime(file) {}
    }

    @Test func aFileOfMorePromptsThanTheRunHasIsRefused() async throws {
        try await write(0..<3)
        expectRefusal("more than the completions of 2 prompts") { try open(promptCount: 2) }
    }

    @Test func aPathThatCannotBeWrittenIsRefused() {
        expectRefusal("cannot be opened") {
            try RolloutFile(
                path: "/nowhere/out.jsonl", settings: Self.settings, completionCount: 2,
                promptCount: 1)
        }
    }
}
