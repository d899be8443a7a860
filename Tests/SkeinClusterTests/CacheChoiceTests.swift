import Foundation
import SkeinCore
import Testing

@testable import SkeinCluster

/// What `skein serve` chooses where nobody decides.
@Suite struct CacheChoiceTests {
    /// A page of 1 MB, so that memory is easily counted.
    private static let pageBytes = 1_000_000

    private static func model(positions: Int) throws -> ModelConfiguration {
        let path = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "cluster/models/bench/config.json")
        let text = String(decoding: try Data(contentsOf: path), as: UTF8.self)
            .replacing(
                "\"max_position_embeddings\": 163840",
                with: "\"max_position_embeddings\": \(positions)")
        return try ModelConfiguration(json: Array(text.utf8), subject: "config.json")
    }

    private static func choice(
        _ wish: CacheChoice.Wish = .init(), positions: Int = 163_840, freePages: Int? = nil
    ) throws -> CacheChoice {
        try CacheChoice(
            wish, for: model(positions: positions), pageBytes: pageBytes,
            freeBytes: freePages.map { $0 * pageBytes })
    }

    @Test func theContextIsTheModelsWhereMemoryHasRoomForIt() throws {
        let choice = try Self.choice(freePages: 1_000_000)
        #expect(choice.positionCount == 163_840 && choice.pageCount == 2_560)
        #expect(choice.reason.contains("163840 positions, all that the model allows"))
        let unknown = try Self.choice()
        #expect(unknown.positionCount == 163_840)
    }

    @Test func aShortContextGetsPagesForSixteenSequences() throws {
        let choice = try Self.choice(positions: 1_024, freePages: 1_000_000)
        #expect(choice.positionCount == 1_024 && choice.pageCount == 256)
    }

    @Test func whereMemoryIsShortTheContextIsWhatFitsAndTheLineSaysSo() throws {
        let choice = try Self.choice(freePages: 100)
        #expect(choice.pageCount == 90 && choice.positionCount == 5_760)
        #expect(choice.reason.contains("the model allows 163840, but memory has room for 90.0 MB"))
        // What fits less than one page is refused by the sum when it starts.
        #expect(try Self.choice(freePages: 0).pageCount == 1)
    }

    @Test func aContextThatIsAskedForIsNeverMadeShorter() throws {
        let choice = try Self.choice(.init(positionCount: 100_000), freePages: 100)
        #expect(choice.positionCount == 100_000 && choice.pageCount == 1_563)
        #expect(choice.reason.contains("as asked for"))
    }

    @Test func pagesMayBeSaidOrTheirBytes() throws {
        let pages = try Self.choice(.init(pageCount: 32), freePages: 100)
        #expect(pages.pageCount == 32 && pages.positionCount == 2_048)
        #expect(pages.reason.contains("32 pages hold no more"))
        let bytes = try Self.choice(.init(gigabytes: 0.0325), freePages: 100)
        #expect(bytes.pageCount == 32 && bytes.positionCount == 2_048)
    }

    @Test(arguments: [
        (CacheChoice.Wish(positionCount: 163_841), "--context", "at most the model's 163840"),
        (.init(positionCount: 2_049, pageCount: 32), "--context", "at most 2048"),
        (.init(positionCount: 2_049, gigabytes: 0.032), "--context", "at most 2048"),
        (.init(gigabytes: 0.000_9), "--cache-gb", "0 pages of 1.0 MB"),
        (.init(gigabytes: 900_000), "--cache-gb", "expected 1 to"),
    ])
    func moreThanTheModelOrThePagesHoldIsRefused(
        _ wish: CacheChoice.Wish, option: String, reason: String
    ) {
        let refusal = #expect(throws: Refusal.self) { try Self.choice(wish) }
        #expect(refusal?.subject == option)
        #expect(refusal?.reason.contains(reason) == true, "\(refusal?.reason ?? "")")
    }
}
