import Foundation
import SkeinCore
import Synchronization
import Testing

@testable import SkeinJournal

@Suite struct JournalTests {
    private let folder: String
    private let path: String

    init() {
        folder = FileManager.default.temporaryDirectory
            .appending(path: "skein-journal-\(UUID().uuidString)/state").path()
        path = folder + "/requests.journal"
    }

    private func open(
        cluster: String = "two", fingerprint: String = "f00d"
    ) throws -> (Journal, Journal.Found) {
        try Journal.open(folder: folder, cluster: cluster, fingerprint: fingerprint)
    }

    /// Opens, writes, waits until it is written, and closes.
    private func write(_ records: [JournalRecord]) async throws {
        let (journal, _) = try open()
        let outcomes = AsyncStream<Journal.Outcome>.makeStream(
            bufferingPolicy: .bufferingOldest(16))
        journal.onOutcome { outcomes.continuation.yield($0) }
        journal.append(records, through: 7)
        var iterator = outcomes.stream.makeAsyncIterator()
        #expect(await iterator.next() == .written(7))
    }

    private var bytes: [UInt8] {
        get throws { Array(try Data(contentsOf: URL(filePath: path))) }
    }

    private func damage(_ change: (inout [UInt8]) -> Void) throws {
        var bytes = try bytes
        change(&bytes)
        try Data(bytes).write(to: URL(filePath: path))
    }

    @Test func whatWasWrittenIsRemembered() async throws {
        try await write(Sample.records)
        let (_, found) = try open()
        #expect(found.remarks.isEmpty)
        #expect(found.memory.requests == Sample.memory.requests)
        #expect(found.memory.epoch == Epoch(rawValue: 3))
    }

    /// A folder that is there only later: what it held before is not lost, and not continued.
    @Test func aFolderThatCannotBeUsedYetIsOpenedByALaterRewriting() async throws {
        try await write(Sample.records)
        let before = try bytes
        let hidden = folder + ".hidden"
        try FileManager.default.moveItem(atPath: folder, toPath: hidden)
        try Data().write(to: URL(filePath: folder))
        let journal = Journal.closed(folder: folder, cluster: "two", fingerprint: "f00d")
        let outcomes = AsyncStream<Journal.Outcome>.makeStream(
            bufferingPolicy: .bufferingOldest(16))
        journal.onOutcome { outcomes.continuation.yield($0) }
        var iterator = outcomes.stream.makeAsyncIterator()
        journal.rewrite([.placed(Epoch(rawValue: 5))], through: 1)
        guard case .failed(let refusal) = await iterator.next() else {
            Issue.record("a file is no folder")
            return
        }
        #expect("\(refusal)".contains(folder))
        try FileManager.default.removeItem(atPath: folder)
        try FileManager.default.moveItem(atPath: hidden, toPath: folder)
        journal.rewrite([.placed(Epoch(rawValue: 5))], through: 2)
        #expect(await iterator.next() == .written(2))
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        let aside = try #require(names.first { $0.hasPrefix("requests.journal.") })
        #expect(try Data(contentsOf: URL(filePath: folder + "/" + aside)) == Data(before))
    }

    @Test func aLastLineThatWasCutShortIsDropped() async throws {
        try await write(Sample.records)
        let whole = try bytes
        for cut in [1, 5, 30] {
            try damage { $0 = Array(whole.dropLast(cut)) }
            let (_, found) = try open()
            #expect(found.remarks.count >= 1)
            #expect(found.memory.requests["req_1"]?.answers[0]?.tokens.count == 1)
        }
    }

    @Test func aDamagedLineEndsWhatIsKnownOfItsAnswerAlone() async throws {
        try await write(Sample.records)
        let line = try #require(
            try bytes.split(separator: UInt8(ascii: "\n")).firstIndex {
                String(decoding: $0, as: UTF8.self).contains("\"sequence\":8,\"position\":4")
            })
        try damage { bytes in
            var lines = bytes.split(separator: UInt8(ascii: "\n")).map(Array.init)
            lines[line][20] ^= 1
            bytes = Array(lines.joined(separator: [UInt8(ascii: "\n")])) + [UInt8(ascii: "\n")]
        }
        let (_, found) = try open()
        #expect(found.remarks.first?.contains("damaged") == true)
        // The token behind the hole does not count: it is drawn again.
        #expect(found.memory.requests["req_1"]?.answers[0]?.tokens == [])
    }

    @Test func oneFolderHasOneHead() throws {
        let (journal, _) = try open()
        #expect(throws: JournalError.unusable(Refusal(folder, "is used by another head that runs")))
        {
            _ = try open()
        }
        withExtendedLifetime(journal) {}
    }

    @Test func theJournalOfAnotherCheckpointIsSetAside() async throws {
        try await write(Sample.records)
        let (_, found) = try open(fingerprint: "beef")
        #expect(found.memory.requests.isEmpty)
        #expect(found.remarks.count == 1)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 3)
    }

    @Test func aJournalOfAVersionToComeIsRefused() async throws {
        try await write(Sample.records)
        try damage { bytes in
            bytes = JournalLine.bytes(of: .opened(version: 9, cluster: "two", fingerprint: "f00d"))
        }
        let refusal = Refusal(path, "is of version 9, this program reads 1 to 2")
        #expect(throws: JournalError.unusable(refusal)) {
            _ = try open()
        }
    }

    @Test func aJournalIsForItsOwnerOnly() async throws {
        try await write(Sample.records)
        for name in [folder, path] {
            let mode = try FileManager.default.attributesOfItem(atPath: name)[.posixPermissions]
            #expect(try #require(mode as? Int) & 0o077 == 0, "\(name)")
        }
    }

    @Test func whatIsRewrittenHoldsNothingElse() async throws {
        try await write(Sample.records)
        let (journal, _) = try open()
        let outcomes = AsyncStream<Journal.Outcome>.makeStream(
            bufferingPolicy: .bufferingOldest(16))
        journal.onOutcome { outcomes.continuation.yield($0) }
        journal.rewrite([.placed(Epoch(rawValue: 9))], through: 1)
        journal.append([.placed(Epoch(rawValue: 10))], through: 2)
        var iterator = outcomes.stream.makeAsyncIterator()
        while let outcome = await iterator.next(), outcome != .written(2) {}
        let lines = try bytes.split(separator: UInt8(ascii: "\n")).map {
            JournalLine.record(in: $0)
        }
        #expect(lines.dropFirst() == [.placed(Epoch(rawValue: 9)), .placed(Epoch(rawValue: 10))])
    }
}

/// A request with two answers, one of which has ended.
enum Sample {
    static let request = ClientRequest(
        id: "req_1", label: "mine", tenant: "key 0", idempotencyKey: "k", path: "/v1/completions",
        body: "{\"prompt\":\"a\\nb\"}", acceptedAt: 1_700_000_000, seed: .max)

    static let prompt = PromptMark([1, 2, 3, 4])

    static let records: [JournalRecord] = [
        .placed(Epoch(rawValue: 3)), .accepted(request),
        .drawing(SequenceID(rawValue: 8), request: "req_1", answer: 0, prompt: prompt),
        .drawing(SequenceID(rawValue: 9), request: "req_1", answer: 1, prompt: prompt),
        .began(SequenceID(rawValue: 8), cachedTokenCount: 2),
        .scored(
            SequenceID(rawValue: 9), firstPosition: 0,
            [
                TargetScore(
                    logprob: -.infinity, topLogprobs: [TokenLogprob(token: 5, logprob: -0.1)])
            ]),
        .drawn(SampledToken(sequence: SequenceID(rawValue: 9), position: 4, token: 7)),
        .ended(SequenceID(rawValue: 9), .finished(.length)),
        .drawn(
            SampledToken(
                sequence: SequenceID(rawValue: 8), position: 4, token: 11, logprob: -1.5e-7,
                topLogprobs: [TokenLogprob(token: 11, logprob: -1.5e-7)])),
        .drawn(SampledToken(sequence: SequenceID(rawValue: 8), position: 5, token: 12)),
    ]

    static var memory: RequestMemory {
        var memory = RequestMemory()
        for record in records { memory.apply(record) }
        return memory
    }
}
